"""The header of each image format, checked before any voxel is read."""
