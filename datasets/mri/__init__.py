"""Data sets of MRI drawn by several raters, one a file."""
