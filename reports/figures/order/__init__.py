"""Figures of who is ahead, and of what the order depends on."""
