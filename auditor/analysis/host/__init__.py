"""One host as rules and signatures see it: its sections with indexes, and what of them was not seen."""
