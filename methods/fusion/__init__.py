"""Label fusion: one algorithm a file. What they share is in ``engine``."""
