"""Figures of the diagnosis."""
