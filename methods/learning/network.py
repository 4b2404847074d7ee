"""The base of every method that trains a network: override the labels, the head, the draw, or the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone
from torch import nn

from ...datasets.base import Case, Dataset, Floats
from ...errors import RaterbenchError
from ...seeds import derived_seed
from ..base import FitReport, Method, Prediction
from .backbone import SegmentationNetwork
from .budget import Budget
from .preparation import Slices, prepare_image, prepare_ratings, remove_padding, restore_prepared, stack
from .recipes import Recipe, SoftCrossEntropy
from .training import LAYERS
from .training import train as run_training

CHUNK = 32


class NetworkMethod(Method):
    """A segmentation network trained against every present rater.

    A subclass overrides ``loss`` (the least), ``labels`` (what stands for the raters, for example their consensus), ``draw``
    (what of it a batch sees), ``build`` (a network with more than logits) or ``start_epoch``.

    Args:
        budget: what all candidates share; None is ``Budget()``.
        recipe: activation and loss; None is cross-entropy on soft labels.

    After ``fit``: ``module_``, ``report_`` (what ``fit_report`` gives), ``raters_``, ``budget_``, ``recipe_``.
    """

    listed = False
    module_: nn.Module

    def __init__(self, *, budget: Budget | None = None, recipe: Recipe | None = None) -> None:
        self.budget = budget
        self.recipe = recipe

    def check_parameters(self) -> None:
        """Check every parameter, those of budget and recipe too; errors as in ``Method.check_parameters``."""
        super().check_parameters()
        for part in (self.budget, self.recipe):
            if part is not None:
                part.check_parameters()

    def loss(self, outputs: Any, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """The scalar to minimise.

        Args:
            outputs: what the network gives: logits [B, K, *S], unless ``build`` says otherwise.
            ratings: [B, R, K, *S], each sums to 1 over K where present and is zero elsewhere.
            present: [B, R, *S] bool, this rater judged this voxel.
        """
        return self.recipe_.loss(outputs, ratings, present)

    def labels(self, case: Case) -> Mapping[str, npt.NDArray[Any]]:
        """What the network learns from, by name: each rater's labels [*S], or soft labels [K, *S]."""
        return case.ratings

    def label_names(self, train: Dataset) -> tuple[str, ...]:
        """The names that ``labels`` can give, in the order of R."""
        return train.raters

    def fit_labels(self, train: Dataset) -> None:
        """Learn what ``labels`` needs from the training cases."""

    def draw(
        self, ratings: torch.Tensor, present: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What of the ratings a training batch sees; validation sees all."""
        del generator
        return ratings, present

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        """The network, from images [B, C, H, W] to outputs."""
        del n_raters
        return SegmentationNetwork(n_channels, n_classes, self.budget_.features)

    def logits(self, outputs: Any) -> torch.Tensor:
        """The logits [B, K, *S] among the outputs."""
        logits: torch.Tensor = outputs
        return logits

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """What the optimiser gets; a group with its own ``lr`` keeps it through the same schedule."""
        return [{"params": list(module.parameters())}]

    def n_networks(self, n_raters: int) -> int:
        """How many networks ``fit`` trains, for estimates of time."""
        del n_raters
        return 1

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        """Called before each epoch, for warm-ups."""

    def end_epoch(self, module: nn.Module, epoch: int, validation: Slices) -> None:
        """Called after each epoch, to watch what training makes of the outputs."""

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Called after training with the best weights in place, to set fitted attributes and to warn in ``report_``."""

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Prepare, train, keep the best weights. The same arguments give the same bits on the CPU."""
        slices = self.initialise(train, seed=seed, device=device)
        held_out = self.slices(validation)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(seed, LAYERS))
            run_training(self, self.module_, slices, held_out, self.report_, seed=seed, device=self.device_)
        self.finish(train, held_out)
        return self

    def initialise(self, train: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Slices:
        """All of ``fit`` that comes before training: labels, and the network with its first weights. Gives the slices."""
        self.check_parameters()
        self.device_ = torch.device(device)
        self.budget_: Budget = clone(self.budget) if self.budget is not None else Budget()
        self.recipe_: Recipe = clone(self.recipe) if self.recipe is not None else SoftCrossEntropy()
        self.preparation_ = train.preparation
        self.n_classes_, self.raters_ = train.n_classes, train.raters
        self.report_ = FitReport()
        self.fit_labels(train)
        self.label_names_ = self.label_names(train)
        slices = self.slices(train)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.module_ = self.build(slices.images.shape[1], self.n_classes_, len(self.label_names_)).to(self.device_)
        return slices

    def slices(self, part: Dataset) -> Slices:
        """The slices of all cases of which somebody judged a voxel.

        Raises:
            RaterbenchError: a case has no rating, or no case has a judged voxel.
        """
        prepared = []
        for case in part:
            if not case.ratings:
                raise RaterbenchError(f"case {case.id!r} has no rater at all: add a rating or take the case out")
            ratings, present = prepare_ratings(self.labels(case), self.label_names_, self.n_classes_, self.preparation_)
            prepared.append(Slices(prepare_image(case, self.preparation_), ratings, present))
        judged = stack(prepared).judged()
        if not len(judged):
            raise RaterbenchError(f"no rater judged a voxel of the {len(part)} cases to learn from: give other cases")
        return judged

    def fit_report(self) -> FitReport:
        return self.report_

    def weights(self) -> Mapping[str, torch.Tensor]:
        weights: Mapping[str, torch.Tensor] = self.module_.state_dict()
        return weights

    def predict_proba(self, case: Case) -> Floats:
        return self.predict(case).probability

    @torch.no_grad()
    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        """Everything that the method says about a case, in one pass through the network.

        A method with more to give than a probability overrides this with ``outputs`` and ``segmentation``.
        """
        del samples, seed
        return self.segmentation(self.recipe_.activate(self.outputs(case, self.logits)), case)

    def segmentation(self, probability: torch.Tensor, case: Case) -> Prediction:
        """A prediction that holds nothing but the probability, from that of the padded slices [n, K, H, W]."""
        prepared = remove_padding(probability, case.shape, self.preparation_)
        return Prediction(restore_prepared(prepared, case.shape, self.preparation_), prepared=prepared)

    @torch.no_grad()
    def outputs(self, case: Case, part: Callable[[Any], Any] | None = None) -> Any:
        """The network's outputs for all slices of a case, still padded; with ``part`` what it takes of them, chunk by chunk."""
        self.module_.eval()
        images = prepare_image(case, self.preparation_).to(self.device_)
        found = (self.module_(chunk) for chunk in images.split(CHUNK))
        return _concatenate([outputs if part is None else part(outputs) for outputs in found])


def _concatenate(parts: list[Any]) -> Any:
    """Join the outputs of chunks: tensors along the batch, tuples and dictionaries of them part by part."""
    first = parts[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(parts) if len(parts) > 1 else first
    if isinstance(first, dict):
        return {key: _concatenate([part[key] for part in parts]) for key in first}
    joined = [_concatenate(list(field)) for field in zip(*parts, strict=True)]
    return type(first)(*joined) if hasattr(first, "_fields") else tuple(joined)


def absent_raters(train: Dataset) -> list[str]:
    """Raters of the data set who rated no training case."""
    seen = {rater for raters in train.index["raters"] for rater in raters}
    return [rater for rater in train.raters if rater not in seen]


def nan_confusion(n_classes: int) -> npt.NDArray[np.float64]:
    """The confusion of a rater who was never seen."""
    return np.full((n_classes, n_classes), np.nan)
