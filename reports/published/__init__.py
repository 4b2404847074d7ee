"""Published values beside measured ones."""
