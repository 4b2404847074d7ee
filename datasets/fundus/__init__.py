"""Data sets of fundus images: the optic disc and cup drawn by several raters, one data set a file."""
