"""Pure readers of outputs that people already have: exports and listings of Windows' own tools. Nothing here opens a file."""
