"""What the template process imports, so that the units that are forked from it need not."""

from __future__ import annotations

import torch

from ..experiment.factory import registries
from . import fuse_references, measure, train

__all__ = ["fuse_references", "measure", "train"]

for registry in registries().values():
    registry.own_modules()

# The first optimiser of a process imports torch's compiler, which takes seconds.
torch.optim.Adam([torch.zeros(1, requires_grad=True)])
