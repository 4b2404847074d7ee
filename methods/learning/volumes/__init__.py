"""Volumes as networks see them: patches that are cut from files, windows that cover a case, and when volumes are slices."""
