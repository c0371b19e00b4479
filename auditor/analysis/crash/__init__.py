"""Kernel dumps and debugger texts read, and whom they blame."""
