"""A real KDC for the tests: Debian's krb5kdc in a folder of its own, on loopback, without root and without the system's configuration."""
