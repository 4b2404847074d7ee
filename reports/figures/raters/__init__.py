"""Figures of what is known of the raters."""
