"""What every candidate of an experiment shares, so that only the way of learning from raters differs."""

from __future__ import annotations

from sklearn.base import BaseEstimator

from ..datasets.errors import RaterbenchError
from .parameters import check_number


class Budget(BaseEstimator):
    """Training budget, augmentation and backbone.

    Args:
        epochs: passes over the training slices at most.
        batch_size: slices in a step.
        learning_rate: Adam's, at the start of a cosine schedule that ends at zero.
        patience: epochs without a better validation loss before training stops.
        weight_decay: of AdamW; 0 is plain Adam.
        rotation: largest random rotation in degrees.
        translation: largest random shift as a share of the slice's side.
        scaling: largest random change of scale, 0.1 for +-10 %.
        flip: mirror half of the slices left to right; off where the side means something.
        features: channels of MONAI's BasicUNet at its five levels, and before the last layer.
        mixed_precision: use bfloat16 on CUDA; the CPU always computes in float32.
    """

    def __init__(
        self,
        *,
        epochs: int = 60,
        batch_size: int = 8,
        learning_rate: float = 2e-3,
        patience: int = 20,
        weight_decay: float = 0.0,
        rotation: float = 20.0,
        translation: float = 0.03,
        scaling: float = 0.1,
        flip: bool = False,
        features: tuple[int, ...] = (16, 16, 32, 64, 128, 16),
        mixed_precision: bool = True,
    ) -> None:
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.weight_decay = weight_decay
        self.rotation = rotation
        self.translation = translation
        self.scaling = scaling
        self.flip = flip
        self.features = features
        self.mixed_precision = mixed_precision

    def check_parameters(self) -> None:
        """Check that a network can be trained with it.

        Raises:
            RaterbenchError: a value is of another kind, not finite, or out of range.
        """
        for name in ("epochs", "batch_size", "patience"):
            check_number(self, name, above=0, whole=True)
        check_number(self, "learning_rate", above=0)
        for name in ("weight_decay", "rotation", "translation"):
            check_number(self, name, least=0)
        check_number(self, "scaling", least=0, below=1)
        widths = self.features if isinstance(self.features, tuple | list) else ()
        if len(widths) != 6 or not all(isinstance(width, int) and width > 0 for width in widths):
            raise RaterbenchError(f"Budget: features = {self.features!r} must be six whole numbers of channels")

    @property
    def augments(self) -> bool:
        """Whether any augmentation is on."""
        return bool(self.rotation or self.translation or self.scaling or self.flip)
