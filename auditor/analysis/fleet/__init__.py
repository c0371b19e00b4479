"""The fleet as rules see it: who is who, the ties between hosts, and the graph of them."""
