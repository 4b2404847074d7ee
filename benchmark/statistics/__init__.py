"""Statistics of results: subjects, tests, corrections, intervals, ranks and calibration. Knows nothing of models."""
