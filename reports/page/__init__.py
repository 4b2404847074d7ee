"""The web page of a report, and writing everything that belongs to it."""
