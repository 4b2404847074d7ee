"""Results on disk: units, what was planned, what is missing, and reading all of it back."""
