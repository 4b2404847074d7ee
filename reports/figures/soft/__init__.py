"""What soft predictions are like: their thresholds, their values, how they come about over epochs; sampled segmentations."""
