"""From what was stored of a crash to ranked hypotheses: the moment, the signs, the weighing, the timeline. Pure; asks and stores nothing.

`case` holds what is known, `signs_*` look for one observation each, `weigh` applies the weights that stand in YAML, `timeline` and
`fleetview` put in order what was seen. No product, driver or host is known here by name.
"""
