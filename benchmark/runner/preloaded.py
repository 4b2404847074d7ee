"""What the template process imports, so that the units that are forked from it need not."""

from __future__ import annotations

import gc

import torch

from ...registry import installed
from ..experiment.factory import registries
from . import fuse_references, measure, train
from .engines import work
from .provenance import code_version, versions

__all__ = ["fuse_references", "measure", "train", "work"]

for registry in registries().values():
    registry.own_modules()
    installed(registry.kind)  # It is known what other packages offer, and not imported before a unit needs it.
# Each of these reads many files, once.
code_version()
versions()

# The first optimiser of a process imports torch's compiler, which takes seconds.
torch.optim.Adam([torch.zeros(1, requires_grad=True)])

# A worker would look through half a million objects for garbage, and so get a copy of its own of the memory they lie in.
gc.collect()
gc.freeze()
