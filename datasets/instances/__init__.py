"""Data sets with instance maps, one a file, each case annotated with care, carelessly, or both."""
