"""Results as files for other programs, with a dictionary of every column and metric."""
