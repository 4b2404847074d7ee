"""Imported first by the template process of a run: ends it with its parent, also while it is importing the rest."""

from __future__ import annotations

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1
"""The option of Linux's ``prctl`` that names the signal which a process gets when its parent ends."""

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
