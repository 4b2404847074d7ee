"""Methods that learn what raters may draw and sample segmentations from it: one method a file."""
