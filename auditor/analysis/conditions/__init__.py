"""Selectors of rules decided on one host or a pair, and the conditions made of them."""
