"""Contract tests that a contributor runs on a class of their own, with every finding in plain words."""
