"""Recipes: label processing, activation and loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Literal

import torch
from sklearn.base import BaseEstimator
from torch.nn import functional

from ...errors import RaterbenchError
from ...parameters import Range, check_stored
from ...registry import Registry
from .activations import foreground_sigmoid_logits, normalised_relu
from .losses import adaptive_wing, dice_semimetric_loss, masked_mean, soft_cross_entropy, soft_dice_loss, summed_votes

Positive = Annotated[float, Range(0, without="low")]
Share = Annotated[float, Range(0)]
Scope = Literal["batch", "slice", "case"]
Exclusion = Literal["rest", "sum"]
LossFunction = Literal["cross-entropy", "dice", "dice-semimetric", "dice-cross-entropy", "adaptive-wing", "mse"]

SINGLE = 1e-6
"""Probabilities that differ by less than this are ties: rounding error of single precision must not break them."""
FLOOR = 1e-6
"""The smallest probability in the cross-entropy of a normalised ReLU, which gives exact zeros. With a smaller one a single
voxel would have a gradient that Adam's squares cannot hold."""


class Recipe(BaseEstimator, ABC):
    """How labels, activation and loss go together. Ratings come as [B, R, K, *S], presence as [B, R, *S]."""

    @property
    def makes_hard(self) -> bool:
        """Whether the loss replaces each soft label by its most probable class, so that ties must be broken before."""
        return False

    @property
    def compares_voxels(self) -> bool:
        """Whether the probability of a voxel depends on other voxels: ``activate`` then gets a case without its padding."""
        return False

    def check_parameters(self) -> None:
        """Check the parameters against their type hints; training begins with it.

        Raises:
            RaterbenchError: a parameter is no known word, not finite, or out of range.
        """
        check_stored(self)

    def check_classes(self, n_classes: int) -> None:
        """Raise a RaterbenchError if the recipe cannot be used with so many classes; any number is allowed by default."""

    @abstractmethod
    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits [B, K, *S] to probabilities [B, K, *S] that sum to 1. At test time a call holds one case."""

    @abstractmethod
    def loss(self, logits: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """The scalar to minimise over all present raters. Logits of voxels that nobody judged must have no effect."""


class Composed(Recipe):
    """A recipe from three free parts: what happens to the labels, the activation, and the loss function.

    The default values are those of the thesis (Lemay 2022). Where the published code (ivadomed) differs, its behaviour is an
    option: ``smooth = 1`` and ``reduction = "sum"``.

    The five candidates of its ablation are, for two classes (with more, name ``softmax`` in place of ``sigmoid``):

    ====================  ========  =================  ===================
    candidate             labels    activation         loss_function
    ====================  ========  =================  ===================
    Hard-Sig-Dice         hard      sigmoid            dice
    Hard-ReLU-Wing        hard      normalised-relu    adaptive-wing
    Soft-ReLU-Dice        soft      normalised-relu    dice
    Soft-Sig-Wing         soft      sigmoid            adaptive-wing
    Soft-ReLU-Wing        soft      normalised-relu    adaptive-wing
    ====================  ========  =================  ===================

    Args:
        labels: ``soft`` learns labels as they are after resampling and augmentation. ``hard`` replaces them by the most
            probable class.
        ties: of ``hard``: ``foreground``, so that with two classes .5 or more is foreground, and with more a foreground class
            wins over the background, the lowest of several. ``fusion``: ties are broken before, by the rule of the fusion
            (``FusedLabels``), and what augmentation makes equal is the lowest class.
        activation: ``sigmoid`` of the foreground's logit, for two classes; ``softmax``; or ``normalised-relu``, the ReLU of
            each foreground class over its maximum.
        exclusion: how more than two classes of the normalised ReLU exclude each other. ``rest``: the background is what the
            foreground classes leave, which are divided by their sum where it is above 1. ``sum``: as a later version of the
            published code has it, all classes, the background included, are divided by their sum instead of by a maximum; a
            rare class is then often lost in training.
        scope: what the maximum of the normalised ReLU is taken over in training: the whole ``batch``, as published, or each
            ``slice``. In a prediction it is over the case, also for ``batch``, or over each ``slice``. ``case`` is each slice
            in training, because a batch seldom holds a whole case, and the case in a prediction. It is never over padding: in
            training a voxel counts if a rater judged it, in a prediction if it belongs to the image.
        loss_function: ``dice`` (minus the soft Dice, sums over the batch, mean over foreground classes), ``dice-semimetric``
            (as Dice, but of soft labels; Wang et al. 2023), ``adaptive-wing``, ``mse`` (both summed over the foreground
            classes), ``cross-entropy``, or the sum of it and Dice.
        reduction: of all but Dice: the mean over present (voxel, rater) pairs, or their sum, whose size grows with the batch.
        smooth: added to numerator and denominator of Dice. With 0 a class that neither side has counts 1, and one that only
            the prediction has gives no gradient.
        omega, theta, epsilon, alpha: constants of the adaptive wing loss (Wang et al. 2019) as the thesis sets them; with
            ``alpha`` above 1 the loss has no kink where it is 0. ivadomed's own default of ``omega`` is 14.
    """

    def __init__(
        self,
        *,
        labels: Literal["soft", "hard"] = "soft",
        ties: Literal["foreground", "fusion"] = "foreground",
        activation: Literal["softmax", "sigmoid", "normalised-relu"] = "softmax",
        exclusion: Exclusion = "rest",
        scope: Scope = "batch",
        loss_function: LossFunction = "cross-entropy",
        reduction: Literal["mean", "sum"] = "mean",
        smooth: Share = 0.0,
        omega: Positive = 8.0,
        theta: Positive = 0.5,
        epsilon: Positive = 1.0,
        alpha: Annotated[float, Range(1, without="low")] = 2.1,
    ) -> None:
        self.labels, self.ties, self.activation = labels, ties, activation
        self.exclusion, self.scope = exclusion, scope
        self.loss_function, self.reduction, self.smooth = loss_function, reduction, smooth
        self.omega, self.theta, self.epsilon, self.alpha = omega, theta, epsilon, alpha

    @property
    def makes_hard(self) -> bool:
        return self.labels == "hard" and self.ties == "fusion"

    @property
    def compares_voxels(self) -> bool:
        return self.activation == "normalised-relu"

    def check_classes(self, n_classes: int) -> None:
        if self.activation == "sigmoid" and n_classes != 2:
            raise RaterbenchError(
                f"the recipe has activation = 'sigmoid', which is for two classes, and there are {n_classes}: "
                'write activation = "softmax"'
            )

    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        if self.activation == "normalised-relu":
            return normalised_relu(logits, each_slice=self.scope == "slice", over_sum=self.exclusion == "sum")
        return self._before_softmax(logits).softmax(dim=1)

    def loss(self, logits: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        logits = logits.float()
        targets = make_hard(ratings, self.ties) if self.labels == "hard" else ratings
        if self.activation == "normalised-relu":
            each_slice, inside = self.scope != "batch", present.any(dim=1)
            probability = normalised_relu(logits, each_slice=each_slice, inside=inside, over_sum=self.exclusion == "sum")
        else:
            probability = self.activate(logits)
        if self.loss_function == "dice-semimetric":
            return dice_semimetric_loss(probability, targets, present, smooth=self.smooth)
        total = logits.new_zeros(())
        if self.loss_function in ("dice", "dice-cross-entropy"):
            total = soft_dice_loss(probability, targets, present, smooth=self.smooth)
        if self.loss_function == "dice":
            return total
        mean = self._mean_over_voxels(logits, probability, targets, present)
        return total + (mean if self.reduction == "mean" else mean * present.sum())

    def _mean_over_voxels(
        self, logits: torch.Tensor, probability: torch.Tensor, targets: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """The loss function that looks at each voxel by itself, the mean over present (voxel, rater) pairs."""
        if self.loss_function in ("cross-entropy", "dice-cross-entropy"):
            if self.activation != "normalised-relu":
                return soft_cross_entropy(self._before_softmax(logits), targets, present)
            log_p = probability.clamp(min=FLOOR).log()
            return -(summed_votes(targets, present) * log_p).sum() / present.sum().clamp(min=1)
        predicted, wanted = probability[:, None, 1:], targets[:, :, 1:]
        if self.loss_function == "mse":
            each = (predicted - wanted).square()
        else:
            constants = {"omega": self.omega, "theta": self.theta, "epsilon": self.epsilon, "alpha": self.alpha}
            each = adaptive_wing(predicted, wanted, **constants)
        return masked_mean(each.sum(dim=2), present)

    def _before_softmax(self, logits: torch.Tensor) -> torch.Tensor:
        self.check_classes(logits.shape[1])
        return foreground_sigmoid_logits(logits) if self.activation == "sigmoid" else logits


class NamedComposition(Recipe):
    """A composition with a name of its own, and the parameters that are free in it."""

    listed = False

    @abstractmethod
    def composed(self) -> Composed:
        """The parts."""

    @property
    def makes_hard(self) -> bool:
        return self.composed().makes_hard

    @property
    def compares_voxels(self) -> bool:
        return self.composed().compares_voxels

    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        return self.composed().activate(logits)

    def loss(self, logits: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        return self.composed().loss(logits, ratings, present)


class SoftCrossEntropy(NamedComposition):
    """Softmax and cross-entropy on labels as they are, hard or soft; the mean over all present (voxel, rater) pairs."""

    def composed(self) -> Composed:
        return Composed()


class Conventional(NamedComposition):
    """Labels binarised after augmentation, softmax, Dice loss over the foreground classes (Lemay 2022, section 2.2).

    With two classes the softmax is the sigmoid of the difference of the logits. ``smooth`` is the thesis' missing constant
    of the published code (ivadomed). Ties of fused labels are broken by the rule of the fusion.
    """

    def __init__(self, *, smooth: Share = 1.0) -> None:
        self.smooth = smooth

    def composed(self) -> Composed:
        return Composed(labels="hard", ties="fusion", loss_function="dice", smooth=self.smooth)


class SoftSeg(NamedComposition):
    """Soft labels, normalised ReLU, adaptive wing loss (Gros, Lemay and Cohen-Adad 2021; Lemay 2022, chapter 4).

    Args:
        omega, theta, epsilon, alpha, scope, exclusion: as in ``Composed``.
    """

    name = "softseg"

    def __init__(
        self,
        *,
        omega: Positive = 8.0,
        theta: Positive = 0.5,
        epsilon: Positive = 1.0,
        alpha: Annotated[float, Range(1, without="low")] = 2.1,
        scope: Scope = "batch",
        exclusion: Exclusion = "rest",
    ) -> None:
        self.omega, self.theta, self.epsilon, self.alpha = omega, theta, epsilon, alpha
        self.scope, self.exclusion = scope, exclusion

    def composed(self) -> Composed:
        return Composed(activation="normalised-relu", loss_function="adaptive-wing", **self.get_params())


def make_hard(ratings: torch.Tensor, ties: Literal["foreground", "fusion"]) -> torch.Tensor:
    """The most probable class of ratings [B, R, K, *S], one-hot; ``ties`` as in ``Composed``."""
    if ties == "fusion":
        winner = ratings.argmax(dim=2)
    else:
        best = ratings >= ratings.amax(dim=2, keepdim=True) - SINGLE
        # The background comes last, so that the first of the best classes is a foreground class if there is one.
        winner = (best.roll(-1, dims=2).to(torch.uint8).argmax(dim=2) + 1) % ratings.shape[2]
    return functional.one_hot(winner, ratings.shape[2]).movedim(-1, 2).to(ratings.dtype)


RECIPES: Registry[Recipe] = Registry("recipe", Recipe, __package__ or "")
"""Every recipe by name."""
