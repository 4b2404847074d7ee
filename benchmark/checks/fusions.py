"""Checks of the contract of a fusion, for any class: of this package or of a plug-in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
from sklearn.base import clone

from ...datasets.base import IGNORE, Case, Geometry, Labels
from ...errors import RaterbenchError
from ...methods.base import Consensus, Fusion, Ratings
from ...methods.fusion.engine.ties import Ties
from ...voxel_counts import one_hot
from .result import BrokenContractError, CheckResult, require, run_checks


@dataclass(frozen=True, eq=False)
class Example:
    """Ratings to check a fusion with."""

    ratings: dict[str, Labels]
    n_classes: int
    _fused: list[tuple[Fusion, Consensus]] = field(default_factory=list, repr=False)

    def fused_by(self, fusion: Fusion) -> Consensus:
        """What the fusion makes of the ratings, computed once for all checks; that it repeats itself is one of them."""
        for known, fused in self._fused:
            if known is fusion:
                return fused
        self._fused.append((fusion, _fuse(fusion, self.ratings, self.n_classes)))
        return self._fused[-1][1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape *S."""
        return next(iter(self.ratings.values())).shape


def make_example(seed: int, *, n_raters: int, n_classes: int, shape: tuple[int, ...], missing: float = 0.0) -> Example:
    """Ratings of a random truth with an error at one voxel in eight; a share ``missing`` of the voxels is not judged.

    The votes tie at no voxel, so the rule for ties does not matter.
    """
    random = np.random.default_rng(seed)
    truth = random.integers(n_classes, size=shape)
    slips = np.where(random.random((n_raters, *shape)) < 1 / 8, random.integers(1, n_classes, size=(n_raters, *shape)), 0)
    labels = (truth + slips) % n_classes
    labels[random.random(labels.shape) < missing] = IGNORE
    votes = np.sort([(labels == k).sum(axis=0) for k in range(n_classes)], axis=0)
    labels[:, votes[-1] == votes[-2]] = truth[votes[-1] == votes[-2]]
    return Example({f"rater {r}": label.astype(np.uint8) for r, label in enumerate(labels)}, n_classes)


def check_fusion(fusion: Fusion | type[Fusion]) -> list[CheckResult]:
    """Check a fusion, or a class with its default parameters, against the whole contract."""
    results = run_checks({"it can be built without arguments and cloned": _can_be_cloned}, fusion)
    if not results[0].passed:
        return results
    built = fusion() if isinstance(fusion, type) else fusion
    flat = make_example(1, n_raters=5, n_classes=2, shape=(9, 11))
    volume = make_example(2, n_raters=4, n_classes=3, shape=(4, 6, 5), missing=0.1)
    results += run_checks({f"{name} (2-D, two classes)": check for name, check in CHECKS.items()}, built, flat)
    return results + run_checks({f"{name} (3-D, three classes)": check for name, check in CHECKS.items()}, built, volume)


def _can_be_cloned(fusion: Fusion | type[Fusion]) -> None:
    built = fusion() if isinstance(fusion, type) else fusion
    copy = clone(built)
    same = type(copy) is type(built) and str(copy.get_params()) == str(built.get_params())
    require(same, "a clone differs from the original: __init__ must store its keyword parameters unchanged, and nothing else")


def _fitted(fusion: Fusion, ratings: Mapping[str, Labels], n_classes: int) -> Fusion:
    shape = next(iter(ratings.values())).shape
    image = np.zeros((1, *shape), dtype=np.float32)
    fresh: Fusion = clone(fusion)
    return fresh.fit([Case("case", "subject", "centre", image, ratings, Geometry.axis_aligned(len(shape)))], n_classes)


def _fuse(fusion: Fusion, ratings: Mapping[str, Labels], n_classes: int) -> Consensus:
    return _fitted(fusion, ratings, n_classes).fuse(ratings, n_classes)


def _same(one: Consensus, other: Consensus) -> bool:
    close = np.allclose(one.probability, other.probability, rtol=0, atol=1e-5)
    ordered = np.sort(one.probability, axis=0)
    clear = ordered[-1] - ordered[-2] > 1e-3
    return close and np.array_equal(one.labels[clear], other.labels[clear])


def _is_exactly(fused: Consensus, labels: Labels, n_classes: int) -> bool:
    return np.array_equal(fused.labels, labels) and np.array_equal(fused.probability, one_hot(labels, n_classes))


def _returns_a_consensus(fusion: Fusion, example: Example) -> None:
    before = {rater: labels.copy() for rater, labels in example.ratings.items()}
    fused = _fuse(fusion, example.ratings, example.n_classes)
    probability, labels = fused.probability, fused.labels
    expected = (example.n_classes, *example.shape)
    require(
        probability.shape == expected and probability.dtype == np.float32,
        f"probability is {probability.dtype} {probability.shape} and should be float32 {expected}",
    )
    in_range = bool((probability >= 0).all() and (probability <= 1).all())
    require(in_range, "probability has values below 0, above 1, or NaN")
    require(np.allclose(probability.sum(axis=0), 1, atol=1e-5), "probability does not sum to 1 over the classes")
    require(
        labels.shape == example.shape and labels.dtype == np.uint8,
        f"labels are {labels.dtype} {labels.shape} and should be uint8 {example.shape}",
    )
    require(bool(((labels < example.n_classes) | (labels == IGNORE)).all()), "labels hold values that are no class")
    require(sorted(fused.raters) == sorted(example.ratings), f"raters are {fused.raters}: all raters given, and no other")
    untouched = all(np.array_equal(before[rater], labels) for rater, labels in example.ratings.items())
    require(untouched, "fuse changed the ratings it was given: work on a copy")


def _confusion_is_one(fusion: Fusion, example: Example) -> None:
    fused = example.fused_by(fusion)
    if fused.confusion is None:
        return
    expected = (len(fused.raters), example.n_classes, example.n_classes)
    require(fused.confusion.shape[:3] == expected, f"confusion is {fused.confusion.shape} and should start with {expected}")
    total = fused.confusion.sum(axis=1)
    require(bool((np.isnan(total) | np.isclose(total, 1)).all()), "a column of a confusion matrix neither sums to 1 nor is NaN")


def _rater_order(fusion: Fusion, example: Example) -> None:
    fused = example.fused_by(fusion)
    turned = _fuse(fusion, dict(reversed(example.ratings.items())), example.n_classes)
    require(_same(fused, turned), "the raters in another order give another consensus")


def _renamed_classes(fusion: Fusion, example: Example) -> None:
    if fusion.get_params().get("ties") in get_args(Ties):
        fusion = clone(fusion).set_params(ties="undecided")  # all other rules depend on the numbers of the classes
    order = np.arange(IGNORE + 1)
    # The background keeps its number, because unions treat it differently.
    order[1 : example.n_classes] = order[1 : example.n_classes][::-1]
    renamed = {rater: order[labels].astype(np.uint8) for rater, labels in example.ratings.items()}
    fused, other = example.fused_by(fusion), _fuse(fusion, renamed, example.n_classes)
    back = Consensus(other.probability[order[: example.n_classes]], order[other.labels].astype(np.uint8), other.raters)
    require(_same(fused, back), "classes with other numbers give another consensus, although nothing is tied")


def _soft_ratings(fusion: Fusion, example: Example) -> None:
    soft = {}
    for rater, labels in example.ratings.items():
        shares = one_hot(labels, example.n_classes)
        shares[:, labels == IGNORE] = np.nan
        soft[rater] = shares
    soft_fused = _fitted(fusion, example.ratings, example.n_classes).fuse(soft, example.n_classes)
    require(
        _same(example.fused_by(fusion), soft_fused),
        "one-hot soft ratings [K, *S] and the same hard ratings give different results",
    )


def _rater_who_judged_nothing(fusion: Fusion, example: Example) -> None:
    idle = {**example.ratings, "idle": np.full(example.shape, IGNORE, dtype=np.uint8)}
    fused, other = example.fused_by(fusion), _fuse(fusion, idle, example.n_classes)
    require(_same(fused, other), "a rater who judged no voxel changes the consensus: leave such entries out")


def _unjudged_voxels(fusion: Fusion, example: Example) -> None:
    truth = np.where((first := next(iter(example.ratings.values()))) == IGNORE, 0, first).astype(np.uint8)
    ratings = {rater: truth.copy() for rater in example.ratings}
    for r, labels in enumerate(ratings.values()):
        labels.reshape(-1)[r :: len(ratings)] = IGNORE
    if len(ratings) > 1:
        fused = _fuse(fusion, ratings, example.n_classes)
        sentence = "where one rater did not judge a voxel and the others agree, the consensus is not exactly theirs"
        require(_is_exactly(fused, truth, example.n_classes), sentence)


def _nobody_judged(fusion: Fusion, example: Example) -> None:
    ratings = {rater: labels.copy() for rater, labels in example.ratings.items()}
    for labels in ratings.values():
        labels.reshape(-1)[:3] = IGNORE
    fused = _fuse(fusion, ratings, example.n_classes)
    uniform = fused.probability.reshape(example.n_classes, -1)[:, :3]
    require(np.allclose(uniform, 1 / example.n_classes), "a voxel that nobody judged must get a uniform probability")
    require(bool((fused.labels.reshape(-1)[:3] == IGNORE).all()), f"a voxel that nobody judged must get the label {IGNORE}")


def _unanimous(fusion: Fusion, example: Example) -> None:
    for k in range(example.n_classes):
        everywhere = np.full(example.shape, k, dtype=np.uint8)
        fused = _fuse(fusion, dict.fromkeys(example.ratings, everywhere), example.n_classes)
        sentence = f"all raters say class {k} everywhere, and the consensus is not exactly that: probability 0 or 1"
        require(_is_exactly(fused, everywhere, example.n_classes), sentence)


def _one_rater(fusion: Fusion, example: Example) -> None:
    rater, labels = next(iter(example.ratings.items()))
    fused = _fuse(fusion, {rater: labels}, example.n_classes)
    judged = labels != IGNORE
    same = np.array_equal(fused.labels, labels)
    same = same and np.array_equal(fused.probability[:, judged], one_hot(labels, example.n_classes)[:, judged])
    require(same, "with one rater the consensus is not exactly that rater")


def _repeats_itself(fusion: Fusion, example: Example) -> None:
    fused, again = example.fused_by(fusion), _fuse(fusion, example.ratings, example.n_classes)
    same = np.array_equal(fused.probability, again.probability) and np.array_equal(fused.labels, again.labels)
    require(same, "the same ratings give another consensus the second time: derive any randomness from a parameter")


def _bad_input(fusion: Fusion, example: Example) -> None:
    fine = example.ratings["rater 0"]
    fitted = _fitted(fusion, example.ratings, example.n_classes)
    bad: Mapping[str, tuple[Ratings, str]] = {
        "no rating at all": ({}, ""),
        "labels of different shapes": ({"rater 0": fine, "rater 1": fine[1:]}, "rater 1"),
        "a label that is no class": ({"rater 0": fine, "rater 1": np.full_like(fine, example.n_classes)}, "rater 1"),
    }
    for what, (ratings, culprit) in bad.items():
        try:
            fitted.fuse(ratings, example.n_classes)
        except RaterbenchError as error:
            require(culprit in str(error), f"the error about {what} does not name the rater: {error}")
        else:
            raise BrokenContractError(f"{what} must raise a RaterbenchError")


Check = Callable[[Fusion, Example], None]


def _with_enough_raters(check: Check) -> Check:
    """The check if the example has as many raters as the fusion needs, else a check that it raises a clear error."""

    def checked(fusion: Fusion, example: Example) -> None:
        if 1 < len(example.ratings) < fusion.min_raters():
            _too_few_raters(fusion, example)
        else:
            check(fusion, example)

    return checked


def _too_few_raters(fusion: Fusion, example: Example) -> None:
    ratings = np.stack(list(example.ratings.values()))
    highest = np.where(ratings == IGNORE, 0, ratings).max(axis=0)
    if (ratings.min(axis=0) >= highest).all():  # IGNORE is above every class, so all raters who judged agree
        return
    try:
        _fuse(fusion, example.ratings, example.n_classes)
    except RaterbenchError as error:
        needed = str(fusion.min_raters())
        require(needed in str(error), f"the error about too few raters does not say that {needed} are needed: {error}")
    else:
        raise BrokenContractError(
            f"min_raters says {fusion.min_raters()}, and {len(ratings)} raters who disagree were fused: raise a RaterbenchError"
        )


_LAWS: dict[str, Check] = {
    "it returns a probability that sums to 1, labels, and the raters": _returns_a_consensus,
    "columns of its confusion matrices sum to 1 or are NaN": _confusion_is_one,
    "the order of the raters does not matter": _rater_order,
    "the numbers of the classes do not matter": _renamed_classes,
    "soft ratings are taken": _soft_ratings,
    "a rater who judged nothing does not matter": _rater_who_judged_nothing,
    "voxels that a rater did not judge are left out": _unjudged_voxels,
    "voxels that nobody judged are uniform and ignored": _nobody_judged,
    "raters who agree everywhere are followed exactly": _unanimous,
    "one rater is followed exactly": _one_rater,
    "it repeats itself": _repeats_itself,
    "bad input raises a clear error": _bad_input,
}
CHECKS: dict[str, Check] = {name: _with_enough_raters(check) for name, check in _LAWS.items()}
