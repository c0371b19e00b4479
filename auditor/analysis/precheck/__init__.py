"""The check before something is installed, upgraded or removed: what a change brings to hosts, and what the rules say of it. Pure.

`spec` reads what the user says; `state`, `install` and `apply` make the host after the change from the stored one; `compare` holds the
two evaluations against each other; `prerequisites` and `radius` add what has to be met and who feels it; `run` puts them together.
"""
