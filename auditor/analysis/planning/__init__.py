"""From findings to a plan of remedies, and from reading again to what became of each finding. Pure: values in, values out."""
