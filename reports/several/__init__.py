"""Several experiments on one page: the candidates they share, on each data set."""
