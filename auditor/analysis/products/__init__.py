"""From records and signatures to products."""
