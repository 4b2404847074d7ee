"""An experiment: what is compared, on which data, how often. From TOML or Python to configured objects."""
