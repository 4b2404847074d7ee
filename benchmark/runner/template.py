"""What the template process of a run imports, so that the units that are forked from it need not."""

from __future__ import annotations

from typing import Any

import torch

from ...datasets import DATASETS
from ...methods import FUSIONS, METHODS
from ...methods.learning.recipes import RECIPES
from ...registry import Registry
from ..metrics import METRICS
from . import measure, references, train

__all__ = ["measure", "references", "train"]

registries: tuple[Registry[Any], ...] = (METHODS, FUSIONS, RECIPES, DATASETS, METRICS)
for registry in registries:
    registry.own_modules()

# The first optimiser of a process imports torch's compiler, which takes seconds.
torch.optim.Adam([torch.zeros(1, requires_grad=True)])
