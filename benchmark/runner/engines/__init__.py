"""Where tasks are computed: on this machine, or on a cluster."""
