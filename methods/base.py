"""The two contracts of this folder: a fusion merges label maps, a method learns from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from ..datasets.base import Case, Dataset, Floats, Geometry, Labels

if TYPE_CHECKING:
    import torch

Ratings = Mapping[str, npt.NDArray[Any]]
"""A rater's name to hard labels [*S] uint8 (``IGNORE`` where not judged) or soft labels [K, *S] float."""


@dataclass(frozen=True, eq=False)
class Consensus:
    """What a fusion says about one case.

    ``probability`` [K, *S] float32 sums to 1; ``labels`` [*S] uint8, ``IGNORE`` where nobody judged.
    ``confusion`` [R, K, K] float64 in the order of ``raters``: ``[r, i, j] = p(rater says i | truth is j)``, columns sum to 1,
    NaN where it cannot be estimated; None for fusions that estimate no rater.
    A spatial fusion may give the confusion of every voxel, [R, K, K, *S]. ``log_likelihood`` has one value per iteration: what
    the fusion maximises. ``region`` says in words which voxels it looked at; ``weights`` [R] how much each rater counted,
    where raters count differently.
    """

    probability: Floats
    labels: Labels
    raters: tuple[str, ...]
    confusion: npt.NDArray[np.float64] | None = None
    log_likelihood: tuple[float, ...] = ()
    iterations: int = 0
    status: Literal["ok", "degenerate", "not converged"] = "ok"
    region: str = "image"
    weights: npt.NDArray[np.float64] | None = None


class Fusion(BaseEstimator, ABC):
    """Merges the label maps of one case into a consensus. It sees no image.

    ``__init__`` only stores keyword parameters. A pooled fusion learns the raters' performance over all cases in ``fit``.
    """

    def check_parameters(self) -> None:
        """Raise a RaterbenchError if a parameter is out of its range; nothing to check by default."""

    def fit(self, cases: Iterable[Case], n_classes: int) -> Self:
        """Learn from the ratings of many cases; most fusions have nothing to learn."""
        del cases, n_classes
        return self

    @abstractmethod
    def fuse(self, ratings: Ratings, n_classes: int, *, geometry: Geometry | None = None) -> Consensus:
        """Merge the ratings of one case.

        Raises:
            RaterbenchError: there is no rating, shapes differ, or a label is no class.
        """


class Method(BaseEstimator, ABC):
    """A way of learning to segment from several raters, after scikit-learn's habits.

    ``__init__`` only stores keyword parameters, fitted attributes end in ``_``, ``sklearn.base.clone`` works.
    """

    needs_truth: ClassVar[bool] = False
    """True only for oracles: the harness then leaves the truth in the training cases, and the report says so."""

    def check_parameters(self) -> None:
        """Raise a RaterbenchError if a parameter is out of its range; nothing to check by default."""

    def skip_reason(self, dataset: Dataset) -> str | None:
        """Why this method cannot run on the data set, in words; None if it can."""
        del dataset
        return None

    @abstractmethod
    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Learn. The same arguments give the same fitted method, bit for bit on the CPU."""

    @abstractmethod
    def predict_proba(self, case: Case) -> Floats:
        """Probability [K, *S] float32, summing to 1, in the case's own geometry. The case may carry no labels."""

    def rater_confusion(self, case: Case) -> dict[str, npt.NDArray[np.float64]] | None:
        """Each rater's estimated confusion on this case, or None.

        [K, K], or of every voxel [K, K, *S] in the case's own geometry; columns sum to 1, NaN for a rater never seen.
        """
        del case
        return None

    def rater_reliability(self, case: Case) -> dict[str, Floats] | None:
        """How far each rater is believed at each voxel of this case, [*S] in 0..1 (NaN for a rater never seen), or None."""
        del case
        return None

    def sample(self, case: Case, n: int) -> Floats | None:
        """``n`` plausible probability maps [n, K, *S], or None for a method that gives just one."""
        del case, n
        return None
