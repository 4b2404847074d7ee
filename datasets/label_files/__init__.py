"""Label files: which values they hold, what the values stand for, and what looks wrong in them."""
