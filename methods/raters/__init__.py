"""Methods that learn from several raters as other groups published them, one a file."""
