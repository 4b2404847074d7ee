"""What soft predictions are like: their thresholds, their values, and how they come about over epochs."""
