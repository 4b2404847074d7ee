"""The page on what the raters of a data set do, and what ``fuse`` prints."""
