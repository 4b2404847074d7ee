"""Which file of a folder is whose: names of files, tables and settings."""
