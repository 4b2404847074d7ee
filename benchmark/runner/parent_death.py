"""The template process (forkserver) imports this first; it is then killed when the run ends, even while it is importing."""

from __future__ import annotations

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1
"""The option of Linux's ``prctl`` that names the signal which a process gets when its parent ends."""

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
