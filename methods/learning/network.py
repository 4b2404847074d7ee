"""The base class of every method that trains a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar, Self

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone
from torch import nn

from ...datasets.base import Case, Dataset, Floats, Preparation
from ...errors import RaterbenchError
from ..backbones import BACKBONES, Backbone
from ..backbones.weights import load_first_weights
from ..base import Method, Prediction
from ..fit_report import FitReport
from .alarms import lost_classes
from .batches.slices import Batch, PreparedSlices, Slices, store_slices
from .budget import Budget
from .preparation import crop_padding, is_volume, prepare_case, prepare_image, remove_padding, restore_prepared
from .recipes import Recipe, SoftCrossEntropy
from .restoring import NetworkFacts, fitted_arrays, fitted_values, load_weights, read_facts, set_fitted
from .training import train_network
from .volumes.choice import decided_preparation, preparation_of_slices, why_not_volumes
from .volumes.patches import Volume, prepare_volume, store_volumes
from .volumes.windows import WINDOWS, in_windows

CHUNK = 32
"""Slices that go through the network at once where no gradient is needed."""

FOR_SLICES = "its network is for slices"


class NetworkMethod(Method):
    """A segmentation network trained against every present rater.

    ``fit`` is ``prepare``, ``train`` and ``finish``, which a subclass may also call one by one. The least that a subclass
    overrides is ``loss``. It may also override, in the order in which they are called,

    * ``fit_targets``, ``target_names`` and ``targets``: what is learned in place of the ratings, for example their consensus;
    * ``build``, ``logits`` and ``parameter_groups``: a network with more outputs than logits;
    * ``start_epoch`` and ``end_epoch``: schedules of its own, and what is monitored;
    * ``select_targets``: which targets a training batch sees;
    * ``step_loss``: the loss of a batch where ``loss(outputs, ratings, present)`` is not enough, for example because a second
      network sees the ratings;
    * ``before_step``: what becomes of the gradients;
    * ``finish`` and ``predict``: what is known after training, and what is said of a case beside the probability.

    Args:
        budget: what all candidates share; None is ``Budget()``.
        recipe: activation and loss; None is cross-entropy on soft labels.

    After ``fit``: ``module_``, ``report_`` (what ``fit_report`` gives), ``raters_``, ``target_names_``, ``n_classes_``,
    ``n_channels_``, ``budget_``, ``recipe_``, ``preparation_``, ``device_``. A restored method has these again, and what
    ``predicts_with`` names.
    """

    listed = False
    predicts_with: ClassVar[tuple[str, ...]] = ()
    """Fitted attributes of this class that ``build`` or a prediction needs: numbers, texts, tuples of them, arrays, tensors."""
    module_: nn.Module
    takes_volumes: ClassVar[bool] = True
    """Whether it works in 3-D, where ``Preparation.mode`` is ``volumes``."""
    learns_raters: ClassVar[bool] = False
    """Whether the network has weights of each rater. Those of a rater whom training never saw mean nothing."""
    spatial_dims_: int = 2

    def __init__(self, *, budget: Budget | None = None, recipe: Recipe | None = None) -> None:
        self.budget = budget
        self.recipe = recipe

    def check_parameters(self) -> None:
        """Check every parameter, those of budget and recipe too; errors as in ``Method.check_parameters``."""
        super().check_parameters()
        if self.budget is not None:
            self.budget.check_parameters()
            BACKBONES.get(self.budget.backbone)
        if self.recipe is not None:
            self.recipe.check_parameters()

    def skip_reason(self, dataset: Dataset) -> str | None:
        """Why it cannot learn volumes in 3-D, where they are learned so. A wrong recipe is an error: no candidate is lost.

        Raises:
            RaterbenchError: the recipe cannot be used with so many classes.
        """
        if self.recipe is not None:
            self.recipe.check_classes(dataset.n_classes)
        return None if self.takes_volumes else why_not_volumes(dataset, FOR_SLICES)

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Prepare, train, keep the weights of the best epoch. The same arguments give the same bits on the CPU."""
        slices = self.prepare(train, seed=seed, device=device)
        held_out = self._held_out(validation, slices)
        self.train(self.module_, slices, held_out, self.report_, seed=seed)
        self.finish(train, held_out)
        return self

    def prepare(self, train: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Slices:
        """Set all that does not change in training and the network with its first weights; return the training slices."""
        preparation = decided_preparation(train) if self.takes_volumes else preparation_of_slices(train, FOR_SLICES)
        self._set_up(preparation, train.n_classes, train.raters, device)
        self.fit_targets(train)
        self.target_names_ = self.target_names(train)
        self.padded_: tuple[int, ...] = ()
        slices = self.slices(train)
        self.padded_, self.spatial_dims_ = slices.sides, len(slices.sides)
        self.n_channels_ = slices.n_channels
        self.module_ = self._built(seed)
        return slices

    def _held_out(self, validation: Dataset, slices: Slices) -> Slices:
        """The validation slices; where the network learns raters, with those alone whom the training ``slices`` have."""
        held_out = self.slices(validation)
        if not self.learns_raters or bool(slices.seen_raters().all()):
            return held_out
        known = held_out.only_raters(slices.seen_raters())
        if len(known):
            return known
        self.report_.warnings.append(
            "no rater of the validation part judged a training case: the epoch that was kept has the least training loss"
        )
        return slices

    def _set_up(self, preparation: Preparation, n_classes: int, raters: tuple[str, ...], device: str | torch.device) -> None:
        """Set what depends on the parameters and on what is known of the data set without its cases."""
        self.check_parameters()
        self.device_ = torch.device(device)
        self.budget_: Budget = clone(self.budget) if self.budget is not None else Budget()
        self.recipe_: Recipe = clone(self.recipe) if self.recipe is not None else SoftCrossEntropy()
        self.preparation_, self.n_classes_, self.raters_ = preparation, n_classes, raters
        self.recipe_.check_classes(self.n_classes_)
        self.report_ = FitReport()

    def _built(self, seed: int) -> nn.Module:
        """The network with its first weights, on the device."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module: Any = self.build(self.n_channels_, self.n_classes_, len(self.target_names_)).to(self.device_)
        if self.budget_.memory_format is not None:
            module.to(memory_format=torch.channels_last_3d if self.spatial_dims_ == 3 else torch.channels_last)
        built: nn.Module = module
        return built

    def fit_targets(self, train: Dataset) -> None:
        """Learn what ``targets`` needs from the training cases."""

    def target_names(self, train: Dataset) -> tuple[str, ...]:
        """The names that ``targets`` can give, in the order of R."""
        return train.raters

    def targets(self, case: Case) -> Mapping[str, npt.NDArray[Any]]:
        """What the network learns from, by name: hard labels [*S], or soft labels [K, *S]."""
        return case.ratings

    def slices(self, part: Dataset) -> Slices:
        """The slices of all cases of which at least one rater judged a voxel; all are padded like those of training.

        They lie in files. Where volumes are learned in 3-D they are patches, as large as those of training.

        Raises:
            RaterbenchError: a case has no rating, no case has a judged voxel, or images and volumes are mixed in 3-D.
        """
        prepared = self._prepared(part)
        first = next(prepared)
        slices: Slices
        if isinstance(first, Volume):
            volumes = chain([first], (one for one in prepared if isinstance(one, Volume)))
            slices = store_volumes(volumes, self.preparation_, self.padded_ or None)
        else:
            flat = chain([first], (one for one in prepared if isinstance(one, PreparedSlices)))
            slices = store_slices(flat, self.padded_ or (1, 1))
        if not len(slices):
            raise RaterbenchError(f"no rater judged a voxel of the {len(part)} cases to learn from: give other cases")
        return slices

    def _prepared(self, part: Dataset) -> Iterator[PreparedSlices | Volume]:
        """The cases of a part, each as it is learned, one after the other."""
        axes = None
        for position, case in enumerate(part):
            if not case.ratings:
                raise RaterbenchError(f"case {case.id!r} has no rater at all: add a rating or take the case out")
            if self.preparation_.mode == "volumes" and axes not in (None, len(case.shape)):
                raise RaterbenchError(
                    f"case {case.id!r} has {len(case.shape)} axes, and others have {axes}, so that they cannot be learned "
                    'together with preparation.mode = "volumes": set it to "slices", or take the case out'
                )
            axes = len(case.shape)
            prepare = prepare_volume if is_volume(case.shape, self.preparation_) else prepare_case
            targets = self.targets(case)
            yield prepare(case, targets, self.target_names_, self.n_classes_, self.preparation_, position=position)

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        """The network, from images [B, C, *S] to outputs; ``n_raters`` is the number of target names."""
        del n_raters
        return self.backbone(n_channels, n_classes)

    def backbone(self, n_channels: int, n_classes: int) -> Backbone:
        """The budget's backbone with its first weights."""
        kind: Any = BACKBONES.get(self.budget_.backbone)
        budget = self.budget_
        options: dict[str, Any] = {"dropout": budget.dropout} if budget.dropout else {}
        if budget.normalisation is not None:
            options["normalisation"] = budget.normalisation
        backbone: Backbone = kind(n_channels, n_classes, budget.features, spatial_dims=self.spatial_dims_, **options)
        if budget.weights is not None:
            load_first_weights(backbone, budget.weights)
        return backbone

    def train(self, module: nn.Module, slices: Slices, validation: Slices, report: FitReport, *, seed: int) -> None:
        """Train ``module`` with the budget; it then holds the weights of the best epoch, and ``report`` the curve."""
        train_network(self, module, slices, validation, budget=self.budget_, report=report, seed=seed, device=self.device_)

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """What the optimiser gets; a group with its own ``lr`` keeps it through the same schedule."""
        return [{"params": list(module.parameters())}]

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        """Called before each epoch, for example to end a warm-up."""

    def select_targets(
        self, ratings: torch.Tensor, present: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The ratings and presence that a training batch sees; validation sees all."""
        del generator
        return ratings, present

    def step_loss(self, module: nn.Module, batch: Batch) -> torch.Tensor:
        """The scalar loss of a batch, in training and in validation."""
        return self.loss(module(batch.images), batch.ratings, batch.present)

    def before_step(self, module: nn.Module) -> None:
        """Called in training between the gradients of a batch and the optimiser's step, for example to clip them."""

    def loss(self, outputs: Any, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """The scalar to minimise.

        Args:
            outputs: what the network gives: logits [B, K, *S], unless ``build`` says otherwise.
            ratings: [B, R, K, *S], each sums to 1 over K where present and is zero elsewhere.
            present: [B, R, *S] bool, this rater judged this voxel.
        """
        return self.recipe_.loss(outputs, ratings, present)

    def logits(self, outputs: Any) -> torch.Tensor:
        """The logits [B, K, *S] among the outputs."""
        logits: torch.Tensor = outputs
        return logits

    def slice_probability(self, module: nn.Module, images: torch.Tensor, window: tuple[slice, slice]) -> torch.Tensor:
        """The probabilities [B, K, h, w] of a window of padded slices; the activation sees the window alone."""
        return self.recipe_.activate(self.logits(module(images))[..., window[0], window[1]])

    def end_epoch(self, module: nn.Module, epoch: int, validation: Slices) -> None:
        """Called after each epoch, for example to monitor the outputs."""

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Called after training with the best weights in place, to set fitted attributes and to warn in ``report_``.

        Add an alarm where the network never gives a class.
        """
        del validation
        self.report_.alarms += lost_classes(self.predict_proba, train)

    def fit_report(self) -> FitReport:
        return self.report_

    def weights(self) -> Mapping[str, torch.Tensor]:
        """Those of the network, and the arrays among ``predicts_with``, as ``fitted/<name>``."""
        return {**self.module_.state_dict(), **fitted_arrays(self)}

    def facts(self) -> Mapping[str, Any] | None:
        known = NetworkFacts(
            n_channels=self.n_channels_,
            n_classes=self.n_classes_,
            raters=tuple(self.raters_),
            target_names=tuple(self.target_names_),
            padded=self.padded_,
            preparation=self.preparation_,
            fitted=fitted_values(self),
        )
        facts: Mapping[str, Any] = msgspec.to_builtins(known)
        return facts

    def restore(
        self, weights: Mapping[str, torch.Tensor], facts: Mapping[str, Any], *, device: str | torch.device = "cpu"
    ) -> Self:
        known = read_facts(facts, type(self).__name__)
        if self.budget is not None:  # The file of the first weights need not be here: all are replaced.
            self.budget = clone(self.budget).set_params(weights=None)
        self._set_up(known.preparation, known.n_classes, known.raters, device)
        self.target_names_, self.padded_, self.n_channels_ = known.target_names, known.padded, known.n_channels
        self.spatial_dims_ = len(known.padded)
        set_fitted(self, known.fitted, weights)
        self.module_ = self._built(seed=0)
        load_weights(self.module_, weights, type(self).__name__)
        return self

    def predict_proba(self, case: Case) -> Floats:
        return self.predict(case).probability

    @torch.no_grad()
    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        """Everything that the method says about a case, in one pass through the network.

        A method that gives more than a probability overrides this, with ``outputs`` and ``segmentation``.
        """
        del samples, seed
        return self.segmentation(self.probability(self.outputs(case, self.logits), case), case)

    @torch.no_grad()
    def outputs(self, case: Case, part: Callable[[Any], Any] | None = None) -> Any:
        """The network's outputs for all slices of a case, still padded; for a volume the weighted mean over windows.

        With ``part``, what it takes of the outputs of each chunk of slices, so that the rest need not be held in memory.
        """
        self.module_.eval()
        return self.predicted(case, lambda images: self.module_(images) if part is None else part(self.module_(images)))

    def predicted(self, case: Case, predict: Callable[[torch.Tensor], Any]) -> Any:
        """What ``predict`` gives for the padded slices of a case, some at a time, or for the windows of a volume."""
        images = self.padded_image(case)
        if is_volume(case.shape, self.preparation_):
            return in_windows(predict, images, self.padded_, self.preparation_.overlap)
        return _concatenate([predict(chunk) for chunk in images.split(CHUNK)])

    def padded_image(self, case: Case) -> torch.Tensor:
        """The slices [n, C, H, W] of a case on the device, at least as large as those of training."""
        return prepare_image(case, self.preparation_, self.padded_).to(self.device_)

    def probability(self, logits: torch.Tensor, case: Case) -> torch.Tensor:
        """The recipe's probabilities of a case's slices from their padded logits [n, K, *S].

        They have no padding where the recipe compares voxels with one another: it must not see any.
        """
        if self.recipe_.compares_voxels:
            logits = crop_padding(logits, case, self.preparation_)
        return self.recipe_.activate(logits)

    def segmentation(self, probability: torch.Tensor, case: Case) -> Prediction:
        """A prediction from the probabilities [n, K, *S] of the slices, padded or not, without anything else."""
        prepared = remove_padding(probability, case, self.preparation_)
        return Prediction(restore_prepared(prepared, case.shape, self.preparation_), prepared=prepared)


def _concatenate(parts: list[Any]) -> Any:
    """Join the outputs of chunks: tensors along the batch, tuples and dictionaries of them part by part."""
    first = parts[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(parts) if len(parts) > 1 else first
    if isinstance(first, dict):
        return {key: _concatenate([part[key] for part in parts]) for key in first}
    joined = [_concatenate(list(field)) for field in zip(*parts, strict=True)]
    return type(first)(*joined) if hasattr(first, "_fields") else tuple(joined)


def rows_in_chunks(slices: Slices) -> Sequence[torch.Tensor]:
    """The rows of slices in their order, in chunks that go through the network at once where no gradient is needed."""
    chunks: Sequence[torch.Tensor] = torch.arange(len(slices)).split(chunk_size(slices))
    return chunks


def chunk_size(slices: Slices) -> int:
    """How many slices, or patches, go through the network at once where no gradient is needed.

    Of patches as many as there are windows at once in a prediction: a patch is as large as many slices.
    """
    return CHUNK if len(slices.sides) == 2 else WINDOWS


def nan_confusion(n_classes: int) -> npt.NDArray[np.float64]:
    """The confusion of a rater who judged nothing in the training part."""
    return np.full((n_classes, n_classes), np.nan)
