"""Methods that know which raters annotate with care (high quality) and which cheaply (low quality)."""
