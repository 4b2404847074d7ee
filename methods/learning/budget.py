"""The settings that all candidates of an experiment share, so they differ only in how they learn from raters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from ...errors import RaterbenchError, shown
from ...parameters import Parameterised, Range, check_stored

Width = Annotated[int, Range(1, 4096)]
"""Channels of a layer."""


BACKBONE = "unet"
"""The backbone unless another one is named."""


LATER = ("normalisation", "weights", "memory_format")
"""Settings that came later: a key holds them where they are not None, so that units from before keep their keys."""
FIRST_WEIGHTS = "budget.weights"
"""How dotted names of parameters end that are a file of first weights: a model does not name it, and needs it no more."""


class Budget(Parameterised):
    """Training budget, augmentation and backbone.

    Args:
        epochs: passes over the training slices at most.
        least_steps: the fewest steps of an epoch. Where one pass has fewer, an epoch has several, each in another order, so
            that methods that learn from few slices take as many steps as the others.
        batch_size: slices in a step.
        learning_rate: Adam's largest.
        schedule: how the learning rate changes. ``cosine``: it falls after each epoch, from its largest value to zero.
            ``one-cycle``: it first rises, during a quarter of all steps, and then falls, after each step (Smith and Topin,
            2019); networks then need about half as many epochs.
        beta2: Adam's, the share of the earlier value in the running mean of squared gradients.
        patience: weak epochs before training stops. The weights of the least validation loss are kept in any case.
        min_improvement: an epoch is weak unless its validation loss is lower than that of the last one that was not weak, by
            more than this share of it.
        weak_epochs: which count. ``in a row``: those since the last one that was not weak. ``in total``: all of them, each
            compared with the epoch before it, as in the published code of SoftSeg (ivadomed). The code's epsilon is in percent:
            its 0.001 is ``min_improvement = 1e-5``.
        weight_decay: of AdamW; 0 is plain Adam.
        rotation: largest random rotation in degrees.
        translation: largest random shift as a share of the slice's side.
        scaling: largest random change of scale, 0.1 for +-10 %.
        flip: mirror half of the slices left to right; off where left and right differ.
        backbone: the network, by its name in ``methods/backbones``.
        dropout: the probability that a channel is set to zero, after each convolution of the U-Net; 0 is none.
        normalisation: ``instance``, ``batch`` or ``group`` (at most 8 groups of channels); None is the backbone's own.
        memory_format: ``channels-last`` lays out weights, and so what layers give, with the channels of a voxel side by side,
            which may suit a GPU better; None with the voxels of a channel side by side. It changes rounding.
        weights: a safetensors file with first weights of the backbone in place of random ones (``backbones/weights.py``).
        features: channels of the backbone: for ``unet`` those of its five levels, and those before the last layer.
        mixed_precision: use bfloat16 on CUDA; the CPU always computes in float32.
        keep_epochs: after so many epochs, from the first to the last at equal ratios, and after the best, the prediction of
            one validation slice (the middle one of the first case) is kept for a figure; 0 keeps none. It changes nothing that
            is learned.
    """

    def __init__(
        self,
        *,
        epochs: Annotated[int, Range(1, 1_000_000)] = 60,
        batch_size: Annotated[int, Range(1, 100_000)] = 8,
        learning_rate: Annotated[float, Range(0, 100, without="low")] = 2e-3,
        schedule: Literal["cosine", "one-cycle"] = "cosine",
        beta2: Annotated[float, Range(0, 1, without="high")] = 0.999,
        patience: Annotated[int, Range(1, 1_000_000)] = 20,
        min_improvement: Annotated[float, Range(0, 1, without="high")] = 0.0,
        weak_epochs: Literal["in a row", "in total"] = "in a row",
        weight_decay: Annotated[float, Range(0, 100)] = 0.0,
        rotation: Annotated[float, Range(0, 180)] = 20.0,
        translation: Annotated[float, Range(0, 1)] = 0.03,
        scaling: Annotated[float, Range(0, 0.9)] = 0.1,
        flip: bool = False,
        backbone: str = BACKBONE,
        features: tuple[Width, Width, Width, Width, Width, Width] = (16, 16, 32, 64, 128, 16),
        dropout: Annotated[float, Range(0, 1, without="high")] = 0.0,
        mixed_precision: bool = True,
        keep_epochs: Annotated[int, Range(0, 50)] = 0,
        least_steps: Annotated[int, Range(1, 1_000_000)] = 1,
        normalisation: Literal["instance", "batch", "group"] | None = None,
        weights: str | None = None,
        memory_format: Literal["channels-last"] | None = None,
    ) -> None:
        self.epochs = epochs
        self.least_steps = least_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.beta2 = beta2
        self.patience = patience
        self.min_improvement = min_improvement
        self.weak_epochs = weak_epochs
        self.weight_decay = weight_decay
        self.rotation = rotation
        self.translation = translation
        self.scaling = scaling
        self.flip = flip
        self.backbone = backbone
        self.features = features
        self.dropout = dropout
        self.mixed_precision = mixed_precision
        self.keep_epochs = keep_epochs
        self.normalisation = normalisation
        self.weights = weights
        self.memory_format = memory_format

    def check_parameters(self, where: str = "budget") -> None:
        """Raise a RaterbenchError if a parameter is of another kind or out of its range; ``where`` it was set."""
        check_stored(self, where)
        if self.backbone != BACKBONE:
            from ..backbones import BACKBONES  # Only here, because it needs torch.

            kind = BACKBONES.get(self.backbone)
            if self.dropout and not kind.takes_dropout:
                raise RaterbenchError(
                    f"{where}: dropout = {self.dropout:g}, but the backbone {self.backbone!r} has none: set it to 0"
                )
            if self.normalisation is not None and not kind.takes_normalisation:
                raise RaterbenchError(
                    f"{where}: normalisation = {self.normalisation!r}, but the backbone {self.backbone!r} has its own: "
                    "leave it out"
                )
        if self.weights is not None and not Path(self.weights).is_file():
            raise RaterbenchError(f"{where}: weights = {shown(self.weights)} is no file: give one in the format safetensors")

    @property
    def augments(self) -> bool:
        """Whether any augmentation is on."""
        return bool(self.rotation or self.translation or self.scaling or self.flip)
