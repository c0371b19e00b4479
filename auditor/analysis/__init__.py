"""From a snapshot to findings: products, copy jobs, identities, the fleet graph, verdicts.

Pure: values in, values out. Nothing here asks a host, reads a file, a clock or a random number, or knows a product by name.
"""
