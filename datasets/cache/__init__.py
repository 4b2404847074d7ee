"""Cases that were read or prepared once, in files that all processes map into memory."""
