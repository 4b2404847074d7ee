"""What the template process of a run imports, so that the units that are forked from it need not."""

from __future__ import annotations

import torch

from ..experiment.factory import registries
from . import measure, references, train

__all__ = ["measure", "references", "train"]

for registry in registries().values():
    registry.own_modules()

# The first optimiser of a process imports torch's compiler, which takes seconds.
torch.optim.Adam([torch.zeros(1, requires_grad=True)])
