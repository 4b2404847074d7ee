"""One thread for each test process: as many of them as there are cores run side by side, and tiny networks need no more."""

import os

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
