"""The winner of a benchmark as a tool: models that predict images, and what was measured of them."""
