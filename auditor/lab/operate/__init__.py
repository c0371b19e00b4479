"""What the operator's account does to lab hosts: Ansible's modules, command lines, restarts, as changes of a machine's state."""
