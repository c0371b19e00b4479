"""Drift: two states of a host, a host and its role, a host and its peers. Pure: values in, values out; nothing is read or stored here.

`normalise` takes away what moves by itself, `compare` finds what is different, `against_role` and `peers` hold a host against others,
`integrity` looks at files and managers, `since` finds out how long it has been so, `classify` says whether it was expected.
"""
