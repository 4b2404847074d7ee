"""What a network sees of its cases: slices, batches of them, and the files that they lie in."""
