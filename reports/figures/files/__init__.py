"""Figures as files: drawn, with small fonts, and kept for the next report."""
