"""Simulated raters and simulated anatomy, of which the truth is known."""
