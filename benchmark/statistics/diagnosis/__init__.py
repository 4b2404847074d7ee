"""How well scores tell the diagnosed from the others: areas under the curve, their tests, and calibration."""
