"""Figures of annotations of two qualities: their repair, and what they cost."""
