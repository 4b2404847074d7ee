"""The contracts of this folder: ``Fusion`` merges label maps, ``Method`` learns to segment from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from ..datasets.base import Case, Dataset, Floats, Geometry, Labels
from ..errors import RaterbenchError
from ..parameters import check_stored
from .fit_report import Control, FitReport

if TYPE_CHECKING:
    import torch

Ratings = Mapping[str, npt.NDArray[Any]] | Sequence[npt.NDArray[Any]] | npt.NDArray[Any]
"""A rater's name to hard labels [*S] uint8 (``IGNORE`` where not judged) or soft labels [K, *S] float.

Raters without names: a sequence of such arrays, or one array of hard labels [R, *S] or soft labels [R, K, *S]. They are then
called ``rater 1``, ``rater 2`` ... in the order in which they come.
"""

Need = Literal["truth", "diagnosis", "instances"]
"""What a method may ask to see of training cases beyond images and ratings."""

Status = Literal["ok", "degenerate", "not converged", "not identified"]
"""How an estimate of the raters ended; ``Consensus`` says what the words mean."""


@dataclass(frozen=True, eq=False)
class Consensus:
    """What a fusion says about one case.

    ``probability`` [K, *S] float32 sums to 1. ``labels`` [*S] uint8, ``IGNORE`` where nobody judged, and where ``ties`` is
    "undecided" and classes tie: there the probability is that of the tied classes, and only the ratings tell the two apart.
    ``tied`` is the number of judged voxels whose best classes are equal, so that the rule for ties gave the label, or none.
    ``confusion`` [R, K, K] float64 in the order of ``raters``: ``[r, i, j] = p(rater says i | truth is j)``, columns sum to 1,
    NaN where it cannot be estimated; None for fusions that estimate no rater.
    A spatial fusion may give the confusion of every voxel, [R, K, K, *S]. ``log_likelihood`` has one value per iteration: what
    the fusion maximises. ``region`` says in words which voxels it looked at; ``weights`` [R] how much each rater counted,
    where raters count differently, and ``weight_maps`` [*S] float32 by rater how much at each voxel, where that differs.

    ``status``: "ok"; "degenerate" where raters agree everywhere or one is alone, so that nothing can be estimated;
    "not identified" where other estimates of the raters explain the votes as well (two raters with a sensitivity and a
    specificity each), so that ``confusion`` depends on the start; "not converged" where the last iteration came first.
    """

    probability: Floats
    labels: Labels
    raters: tuple[str, ...]
    confusion: npt.NDArray[np.float64] | None = None
    log_likelihood: tuple[float, ...] = ()
    iterations: int = 0
    status: Status = "ok"
    region: str = "image"
    weights: npt.NDArray[np.float64] | None = None
    tied: int = 0
    weight_maps: Mapping[str, Floats] | None = None


class Fusion(BaseEstimator, ABC):
    """Merges the label maps of one case into a consensus. It sees no image.

    ``__init__`` only stores keyword parameters. A pooled fusion learns the raters' performance over all cases in ``fit``.
    """

    @property
    def needs_rater_identity(self) -> bool:
        """Whether ``fit`` learns of a rater from several cases; it means nothing where raters are anonymous."""
        return False

    def check_parameters(self) -> None:
        """Check the parameters against their type hints, before there are ratings; ``fit`` and ``fuse`` begin with it.

        Raises:
            RaterbenchError: a parameter is no known word, not finite, or out of range.
        """
        check_stored(self)

    def min_raters(self) -> int:
        """How many raters must have judged a case on which they disagree; ``fuse`` refuses fewer."""
        return 1

    def fit(self, cases: Iterable[Case], n_classes: int) -> Self:
        """Learn from the ratings of many cases; most fusions have nothing to learn."""
        del cases, n_classes
        return self

    @abstractmethod
    def fuse(self, ratings: Ratings, n_classes: int, *, geometry: Geometry | None = None) -> Consensus:
        """Merge the ratings of one case.

        Raises:
            RaterbenchError: there is no rating, or fewer than the fusion needs; shapes differ, a label is no class, or a
                parameter is out of range.
        """


class CaseFusion(BaseEstimator, ABC):
    """Merges the label maps of one case into a consensus, and may look at its image and at what it declares in ``needs``.

    ``__init__`` only stores keyword parameters; fitted attributes end in ``_``.
    """

    @property
    def needs(self) -> frozenset[Need]:
        """What it must see of cases beyond images and ratings; the method that uses it needs the same."""
        return frozenset()

    def check_parameters(self) -> None:
        """Check the parameters against their type hints; ``fit`` begins with it.

        Raises:
            RaterbenchError: a parameter is no known word, not finite, or out of range.
        """
        check_stored(self)

    def skip_reason(self, dataset: Dataset) -> str | None:
        """Why this fusion cannot run on the data set, in words; None if it can."""
        del dataset
        return None

    @abstractmethod
    def fit(self, cases: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Learn from training cases. The same arguments give the same fitted fusion, bit for bit on the CPU."""

    @abstractmethod
    def fuse_cases(self, cases: Dataset) -> Sequence[Consensus]:
        """The consensus of each case, training cases of ``fit`` or others.

        Raises:
            RaterbenchError: a case has no rating, or lacks what the fusion needs.
        """


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a fitted method says about one case, everything in the case's own geometry except ``prepared``.

    Args:
        probability: [K, *S] float32, sums to 1 over K.
        rater_confusion: the estimated confusion of each rater, by name: [K, K], or of every voxel [K, K, *S]; columns sum to
            1, NaN for a rater who was never seen in training. None for methods that estimate no rater.
        rater_reliability: the estimated probability that each rater is right at each voxel, by name: [*S] in 0..1, NaN for
            a rater who was never seen. None for methods that estimate none.
        samples: plausible segmentations [n, K, *S] float32, where they were asked for and the method can draw them.
        diagnosis: the probability of each diagnosis of the data set, [D] float64 that sums to 1, by the name of the network
            (or rule) that gave it, for methods that diagnose.
        prepared: [n, K, h, w] float32, the probabilities of the slices before they were resampled to the case. Results store
            these, because they are what the network gave; None where a method works in the case's geometry.
    """

    probability: Floats
    rater_confusion: Mapping[str, npt.NDArray[np.float64]] | None = None
    rater_reliability: Mapping[str, Floats] | None = None
    samples: Floats | None = None
    diagnosis: Mapping[str, npt.NDArray[np.float64]] | None = None
    prepared: Floats | None = None


@dataclass(frozen=True, eq=False)
class DiagnosedLabels:
    """What diagnosis networks say about the fused labels of one case.

    A fusion that uses the diagnosis can write it into its labels, so that the networks only read it back. The control says what
    was done against that: nothing (``as published``: the fusion's network has seen the training cases that it fuses, and
    networks of the same kind read the labels); ``cross-fitted`` (no network has seen the case that it helps to fuse, and
    networks of another architecture and seed read the labels); ``permuted`` (as cross-fitted, but with the diagnoses permuted
    among subjects before cases are fused and networks learn to read their labels: an area under the curve above .5 is leak. The
    fusion's own network has learned from the true ones, or it would not know how to write a diagnosis into labels).

    Args:
        case: the case's name.
        control: as above. A fusion that does not use the diagnosis has no ``as published``.
        labels: the fused labels [*S] uint8.
        diagnosis: the diagnosis that counts as true: the case's own, or the one that the permutation gave it.
        probability: the probability of each diagnosis, [D] float64 that sums to 1, by the name of the network (or rule).
        weights: how much each rater counted at each voxel, [*S] in 0..1 by name, where a fusion weighs voxels.
    """

    case: str
    control: Control
    labels: Labels
    diagnosis: int
    probability: Mapping[str, npt.NDArray[np.float64]]
    weights: Mapping[str, Floats] | None = None


class Method(BaseEstimator, ABC):
    """A way of learning to segment from several raters, by the conventions of scikit-learn.

    ``__init__`` only stores keyword parameters, fitted attributes end in ``_``, ``sklearn.base.clone`` works. Parameters may
    be methods themselves, to any depth.

    A subclass implements ``fit`` and ``predict_proba``. One that gives more than a probability map overrides ``predict``, and
    one that reports on its training overrides ``fit_report``.
    """

    @property
    def needs(self) -> frozenset[Need]:
        """What the method must see of training cases beyond images and ratings.

        It gets this and nothing else of the kind, on training cases only, and the report says so.
        """
        return frozenset()

    @property
    def needs_rater_identity(self) -> bool:
        """Whether it learns of a rater from several cases; the harness skips it where raters are anonymous."""
        return False

    def check_parameters(self) -> None:
        """Check the parameters against their type hints, before there are data; ``fit`` begins with it.

        Raises:
            RaterbenchError: a parameter is no known word, not finite, or out of range.
        """
        check_stored(self)

    def skip_reason(self, dataset: Dataset) -> str | None:
        """Why this method cannot run on the data set, in words; None if it can."""
        del dataset
        return None

    def n_networks(self, n_raters: int) -> int:
        """How many networks ``fit`` trains, for estimates of time."""
        del n_raters
        return 1

    @abstractmethod
    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Learn. The same arguments give the same fitted method, bit for bit on the CPU."""

    @abstractmethod
    def predict_proba(self, case: Case) -> Floats:
        """Probability [K, *S] float32, summing to 1, in the case's own geometry. The case carries no labels."""

    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        """Everything that the method says about a case, in one pass. The case carries no labels.

        Args:
            case: the image.
            samples: how many plausible segmentations to draw, for methods that can.
            seed: of these draws.
        """
        del samples, seed
        return Prediction(self.predict_proba(case))

    def fit_report(self) -> FitReport:
        """The report of ``fit``; empty by default."""
        return FitReport()

    def repaired(self) -> Mapping[str, Mapping[str, Labels]]:
        """The labels [*S] that it learned from in place of a rater's own, by case and rater, for methods that repair labels."""
        return {}

    def repair(self, case: Case) -> Mapping[str, Labels]:
        """Better labels [*S] in place of ratings of a new case, by rater, for methods whose fit report has a ``repair``.

        The case has ratings of the raters that the report names. They change no prediction. Empty where a method can only
        repair what it learns from.
        """
        del case
        return {}

    def diagnose_labels(self, cases: Dataset) -> Sequence[DiagnosedLabels]:
        """What its diagnosis networks say about the fused labels of new cases, for methods that fuse and diagnose.

        The harness asks after the last prediction, and only a method that needs the diagnosis. The cases have their images,
        ratings and diagnoses; they change no prediction. Cases whose diagnosis is unknown, or that have no fused labels, are
        left out, and the same under each control.
        """
        del cases
        return ()

    def weights(self) -> Mapping[str, torch.Tensor]:
        """The fitted weights by name, which results keep if asked to; empty for a method without a network."""
        return {}

    def facts(self) -> Mapping[str, Any] | None:
        """What ``restore`` must know beside the parameters and the ``weights``: plain values of JSON by name.

        None, the default, for a method that cannot be restored. It names no case: models are given to others.
        """
        return None

    def restore(
        self, weights: Mapping[str, torch.Tensor], facts: Mapping[str, Any], *, device: str | torch.device = "cpu"
    ) -> Self:
        """Be as the fitted method was that gave these ``weights`` and ``facts``, without any case.

        It has the same parameters. Then it predicts the same bits on the same machine; its fit report is empty.

        Raises:
            RaterbenchError: weights and facts are not those of such a method, or it cannot be restored.
        """
        del weights, facts, device
        raise RaterbenchError(
            f"{type(self).__name__} cannot be restored from stored weights: its class must be a NetworkMethod, or implement "
            "facts and restore"
        )


class NestingMethod(Method):
    """Base of methods that fit another method and then predict, repair and report as that one does."""

    @property
    @abstractmethod
    def fitted_method(self) -> Method:
        """The method that was fitted."""

    def fit_report(self) -> FitReport:
        return self.fitted_method.fit_report()

    def predict_proba(self, case: Case) -> Floats:
        return self.fitted_method.predict_proba(case)

    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        return self.fitted_method.predict(case, samples=samples, seed=seed)

    def weights(self) -> Mapping[str, torch.Tensor]:
        return self.fitted_method.weights()

    def facts(self) -> Mapping[str, Any] | None:
        """Those of the fitted method; a subclass that can be restored implements ``restore``."""
        return None if type(self).restore is Method.restore else self.fitted_method.facts()

    def repaired(self) -> Mapping[str, Mapping[str, Labels]]:
        return self.fitted_method.repaired()

    def repair(self, case: Case) -> Mapping[str, Labels]:
        return self.fitted_method.repair(case)

    def diagnose_labels(self, cases: Dataset) -> Sequence[DiagnosedLabels]:
        return self.fitted_method.diagnose_labels(cases)
