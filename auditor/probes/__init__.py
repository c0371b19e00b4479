"""What is asked of a host, as script text and data, and pure decoders of what comes back. No I/O to hosts here."""
