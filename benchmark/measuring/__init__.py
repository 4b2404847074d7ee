"""Measuring predictions: references, metrics case by case, and what is believed of the raters."""
