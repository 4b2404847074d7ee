"""Contract checks of methods, for the suite's own classes and those of plug-ins; they take a few seconds a class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
import torch
from sklearn.base import clone

from ...datasets.base import IGNORE, Case, Floats
from ...datasets.case_list import CaseList
from ...methods.base import CaseFusion, Method, Need, Prediction
from ...methods.learning.budget import Budget
from ...methods.learning.network import NetworkMethod
from ...methods.networks.fused_labels import FusedLabels
from ...methods.networks.tuned import Tuned
from ...methods.quality.annotation_budget import AnnotationBudget
from ...methods.quality.chosen_raters import ChosenRaters
from ..models.weights_file import WeightsAbout, read_weights, write_weights
from .diagnosis import shortened
from .examples import make_dataset, reorder
from .losses import LOSS_CHECKS
from .parameters import parameters_are_stored
from .result import CheckResult, NotApplicableError, require, run_checks

SEED = 3
FORGOTTEN = (
    "restored from its weights and facts it predicts otherwise: name every fitted attribute that build or a prediction needs "
    "in predicts_with"
)
SMALL = [(32, 32)] * 4
ODD = [(37, 45), (32, 32), (37, 45), (30, 45), (37, 45)]
VOLUMES = [(3, 20, 28), (2, 20, 28), (3, 20, 28), (3, 17, 28), (3, 20, 28)]
VALIDATION = 2
"""The last cases of each data set are kept for validation."""
BACKBONE = "shallow"
"""The network of most fits: it takes a tenth of the time, and what a method does with raters and cases is the same."""


def check_method(method: Method | type[Method]) -> list[CheckResult]:
    """Run all checks on a method, or on a class of methods with its default parameters."""
    results = run_checks({"parameters are only stored": parameters_are_stored}, method)
    if not results[0].passed:
        return results
    instance: Any = method() if isinstance(method, type) else method
    built = small(instance, backbone=BACKBONE)
    with _as_in_a_run():
        if isinstance(built, NetworkMethod):
            results += run_checks(LOSS_CHECKS, built)
        return results + run_checks(CHECKS, built, Trained(built, small(instance)))


def small(method: Method, **changes: Any) -> Method:
    """A clone that is fitted in a second: few epochs, few trials, a small network, also in the methods that it holds.

    ``changes`` are further settings of the budget.
    """
    fresh: Method = clone(method)
    parameters = fresh.get_params(deep=False)
    if "budget" in parameters:
        budget: Budget = clone(parameters["budget"] or Budget())
        fresh.set_params(budget=budget.set_params(epochs=2, batch_size=4, features=(4, 4, 4, 8, 8, 4), **changes))
    fresh = shortened(fresh)
    if isinstance(fusion := parameters.get("fusion"), CaseFusion):
        fresh.set_params(fusion=shortened(fusion))
    if isinstance(fresh, Tuned):
        fresh.set_params(trials=2)
    if "segmenter" in parameters:
        fresh.set_params(segmenter=parameters["segmenter"] or FusedLabels())
    if {"hq", "lq"} <= parameters.keys():  # The raters of the data sets here have other names.
        fresh.set_params(hq=("rater 0",), lq=("rater 1",))
    if isinstance(fresh, AnnotationBudget):
        fresh.set_params(careful=1, cheap=None)
    if isinstance(fresh, ChosenRaters):
        fresh.set_params(raters=("rater 0", "rater 1"))
    held = {name: part for name, part in fresh.get_params(deep=False).items() if isinstance(part, Method)}
    fresh.set_params(**{name: small(part, **changes) for name, part in held.items()})
    return fresh


@contextmanager
def _as_in_a_run() -> Iterator[None]:
    """One thread and deterministic algorithms, as every unit of an experiment has them."""
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode("error")
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)


def fitted(method: Method, dataset: CaseList) -> Method:
    """A fresh clone, fitted to all but the last cases, which validate."""
    fresh: Method = clone(method)
    reason = fresh.skip_reason(dataset)
    require(reason is None or isinstance(reason, str), f"skip_reason gave {reason!r}: return a text, or None where it can run")
    if reason is not None:
        raise NotApplicableError(f"skip_reason says: {reason}")
    parts = range(len(dataset))[:-VALIDATION], range(len(dataset))[-VALIDATION:]
    train, validation = (dataset.subset(part, blind=True, needs=fresh.needs) for part in parts)
    require(fresh.fit(train, validation, seed=SEED, device="cpu") is fresh, "fit must return self")
    return fresh


def predict(method: Method, case: Case, n_classes: int) -> Prediction:
    """The prediction of a case without labels, after a check of its probability."""
    prediction = method.predict(case.unlabelled())
    require(isinstance(prediction, Prediction), f"predict gave a {type(prediction).__name__}: return a Prediction")
    p = prediction.probability
    require(isinstance(p, np.ndarray), f"predict_proba gave a {type(p).__name__}: return a NumPy array")
    expected = (n_classes, *case.shape)
    require(
        p.shape == expected and p.dtype == np.float32,
        f"predict_proba gave {p.dtype} {p.shape} for an image {case.image.shape} of {n_classes} classes: "
        f"return float32 {expected}, in the case's own geometry",
    )
    require(bool(np.isfinite(p).all()), "predict_proba gave NaN or infinite values")
    require(bool((p >= 0).all() and (p <= 1).all()), "predict_proba gave probabilities below 0 or above 1")
    low, high = (float(f(p.sum(axis=0))) for f in (np.min, np.max))
    require(
        abs(low - 1) < 1e-4 and abs(high - 1) < 1e-4,
        f"probabilities must sum to 1 over the classes at every voxel; here the sums reach from {low:.4g} to {high:.4g}",
    )
    return prediction


class Trained:
    """Fits that several checks look at, each made when the first of them asks for it.

    ``method`` has the backbone of most fits, and ``own`` the one that the method's budget names.
    """

    def __init__(self, method: Method, own: Method) -> None:
        self.method, self.own = method, own

    @cached_property
    def odd(self) -> tuple[Method, CaseList, list[Floats]]:
        """The method, with its own backbone, fitted to images of odd sizes; the data set; and the predictions of its cases."""
        dataset = make_dataset(shapes=ODD)
        done = fitted(self.own, dataset)
        return done, dataset, [predict(done, case, dataset.n_classes).probability for case in dataset]

    @cached_property
    def plain(self) -> tuple[list[Floats], CaseList]:
        """The predictions of a data set without peculiarities, and the data set as the method left it."""
        dataset = make_dataset(shapes=SMALL)
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002 - a method may use the global generators, and must not depend on them
        return _predicts(self.method, dataset), dataset


def _predicts(method: Method, dataset: CaseList) -> list[Floats]:
    done = fitted(method, dataset)
    return [predict(done, case, dataset.n_classes).probability for case in dataset]


def _difference(some: list[Floats], others: list[Floats]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(some, others, strict=True))


def _known_needs(method: Method, trained: Trained) -> None:
    del trained
    known, needs = get_args(Need), method.needs
    require(isinstance(needs, Set), f"needs is {needs!r}: give a frozenset of the words {', '.join(known)}")
    unknown = sorted(str(need) for need in needs if need not in known)
    require(not unknown, f"needs names {', '.join(unknown)}, which no case has: the words are {', '.join(known)}")


def _probabilities_2d(method: Method, trained: Trained) -> None:
    del method
    _ = trained.odd


def _probabilities_3d(method: Method, trained: Trained) -> None:
    del trained
    _predicts(method, make_dataset(shapes=VOLUMES, n_classes=3))


def _determinism(method: Method, trained: Trained) -> None:
    one, _ = trained.plain
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    difference = _difference(one, _predicts(method, make_dataset(shapes=SMALL)))
    require(
        difference == 0,
        f"fitted twice with the same seed it predicted differently (by up to {difference:.3g}): "
        "take every random number from a generator made from the seed that fit gets, and none in predict_proba",
    )


def _predicting_changes_nothing(method: Method, trained: Trained) -> None:
    del method
    done, dataset, (first, *_) = trained.odd
    again = predict(done, dataset[0], dataset.n_classes).probability
    sentence = "a case was predicted differently after other cases had been predicted: predict_proba must change nothing"
    require(np.array_equal(first, again), sentence)
    sentence = "predict and predict_proba gave different probabilities: give the same in both"
    require(np.array_equal(first, done.predict_proba(dataset[0].unlabelled())), sentence)


def _restored(method: Method, trained: Trained) -> None:
    """What results keep of a method is written to a file, and read by a method that was never fitted."""
    del method
    done, dataset, _ = trained.odd
    if done.facts() is None:
        raise NotApplicableError("it has no facts, so that no model can be made of its weights")
    with TemporaryDirectory() as folder:
        write_weights(Path(folder) / "it.safetensors", done, WeightsAbout())
        kept = read_weights(Path(folder) / "it.safetensors")
    again: Method = clone(done)
    again.restore(kept.weights, kept.about.facts or {})
    for case in dataset:
        require(predicts_alike(done, again, case), FORGOTTEN)


def predicts_alike(one: Method, other: Method, case: Case) -> bool:
    """Whether two methods predict the same bits of a case, but for diagnoses, which a restored method need not give."""
    before = one.predict(case.unlabelled(), samples=1, seed=SEED)
    try:
        after = other.predict(case.unlabelled(), samples=1, seed=SEED)
    except AttributeError:
        return False
    arrays: list[tuple[Any, Any]] = [(before.probability, after.probability), (before.samples, after.samples)]
    for a, b in ((before.rater_confusion, after.rater_confusion), (before.rater_reliability, after.rater_reliability)):
        arrays += [((a or {}).get(rater), (b or {}).get(rater)) for rater in {**(a or {}), **(b or {})}]
    return all(a is b is None or (a is not None and b is not None and np.array_equal(a, b, equal_nan=True)) for a, b in arrays)


def _input_is_left_alone(method: Method, trained: Trained) -> None:
    del method
    _, dataset = trained.plain
    for case, before in zip(dataset, make_dataset(shapes=SMALL), strict=True):
        require(np.array_equal(case.image, before.image), "it changed the image of a case: work on a copy")
        same = list(case.ratings) == list(before.ratings)
        same = same and all(np.array_equal(case.ratings[r], before.ratings[r]) for r in before.ratings)
        require(same, "it changed the ratings of a case: work on a copy")


def _order_in_a_case(method: Method, trained: Trained) -> None:
    dataset = make_dataset(shapes=SMALL)
    turned = reorder(dataset, dataset.raters[::-1])
    turned.raters = dataset.raters
    difference = _difference(trained.plain[0], _predicts(method, turned))
    require(
        difference < 1e-3,
        f"the order in which a case lists its raters changed predictions by {difference:.3g}: look raters up by name",
    )


def _missing_rater(method: Method, trained: Trained) -> None:
    del trained
    dataset = make_dataset(shapes=SMALL, absent=["ghost"])
    done = fitted(method, dataset)
    prediction = predict(done, dataset[0], dataset.n_classes)
    for rater, matrix in (prediction.rater_confusion or {}).items():
        one = (dataset.n_classes, dataset.n_classes)
        expected = f"it should be {one}, or {(*one, *dataset[0].shape)} with a matrix for every voxel"
        fits = matrix.shape in (one, (*one, *dataset[0].shape))
        require(fits, f"the confusion of {rater!r} has shape {matrix.shape}: {expected}")
        if rater == "ghost":
            sentence = "rater_confusion has numbers for a rater who rated no training case: give NaN"
            require(bool(np.isnan(matrix).all()), sentence)
        else:
            ones = bool(np.allclose(matrix.sum(axis=0), 1, atol=1e-4))
            require(ones, f"the columns of the confusion of {rater!r} must sum to 1: [i, j] = p(rater says i | truth is j)")
    for rater, reliability in (prediction.rater_reliability or {}).items():
        shape = dataset[0].shape
        require(reliability.shape == shape, f"the reliability of {rater!r} has shape {reliability.shape}: it should be {shape}")
        if rater == "ghost":
            sentence = "rater_reliability has numbers for a rater who rated no training case: give NaN"
            require(bool(np.isnan(reliability).all()), sentence)
        else:
            inside = bool(((reliability >= 0) & (reliability <= 1)).all())
            require(inside, f"the reliability of {rater!r} must be from 0 to 1 at every voxel")


def _unjudged_voxels(method: Method, trained: Trained) -> None:
    del trained

    def blank(labels: np.ndarray) -> np.ndarray:
        return np.where(np.arange(labels.shape[1]) < 9, IGNORE, labels).astype(np.uint8)

    _predicts(method, make_dataset(shapes=SMALL, change=blank))


def _empty_masks(method: Method, trained: Trained) -> None:
    del trained
    _predicts(method, make_dataset(shapes=SMALL, change=np.zeros_like))
    _predicts(method, make_dataset(shapes=SMALL, change=np.ones_like))


def _one_rater(method: Method, trained: Trained) -> None:
    del trained
    _predicts(method, make_dataset(shapes=SMALL, n_raters=1))


CHECKS: dict[str, Callable[[Method, Trained], None]] = {
    "it needs what a case can have": _known_needs,
    "probabilities of 2-D images of odd sizes": _probabilities_2d,
    "probabilities of 3-D volumes": _probabilities_3d,
    "determinism": _determinism,
    "predicting changes nothing": _predicting_changes_nothing,
    "a model of it predicts the same": _restored,
    "the cases are left as they are": _input_is_left_alone,
    "order of the raters in a case": _order_in_a_case,
    "a rater who rated nothing": _missing_rater,
    "training with voxels that nobody judged": _unjudged_voxels,
    "training with empty and with full masks": _empty_masks,
    "training with one rater": _one_rater,
}
