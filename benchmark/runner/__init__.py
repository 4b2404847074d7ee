"""Running an experiment: the plan, its units, the worker processes, and what a person sees meanwhile."""
