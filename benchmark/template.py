"""What the template process of a run imports, so that the units that are forked from it need not."""

from __future__ import annotations

import torch

from ..methods import network
from . import unit

__all__ = ["network", "unit"]

# The first optimiser of a process imports torch's compiler, which takes seconds.
torch.optim.Adam([torch.zeros(1, requires_grad=True)])
