"""The tools for label files, which need no experiment: fuse, describe, agreement."""
