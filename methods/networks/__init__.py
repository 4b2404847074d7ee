"""Methods that train a network: one method a file. What they share is in ``learning``."""
