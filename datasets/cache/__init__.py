"""Cases that were read or prepared once, and networks that judge them, in files that all processes map into memory."""
