"""The lab: simulated fleets of Windows hosts that speak real WS-Management. It knows the model and the probe's framing only.

Its parts are imported where they are used: `serve` runs a fleet, `fleet` reads one, `materialise` writes a host to a folder.
"""
