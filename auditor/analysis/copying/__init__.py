"""What a host's tasks, scripts and jobs copy from where to where: shells, scripting languages, copy tools."""
