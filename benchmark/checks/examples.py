"""Small made-up data sets to try a class on: raters who err, miss cases, and leave voxels unjudged."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from ...datasets.base import IGNORE, Case, Geometry, Instances, Labels, Truth
from ...datasets.case_list import CaseList
from .fusions import make_example

Change = Callable[[Labels], Labels]


def make_dataset(
    *,
    shapes: Sequence[tuple[int, ...]],
    n_classes: int = 2,
    n_raters: int = 4,
    absent: Sequence[str] = (),
    change: Change | None = None,
) -> CaseList:
    """One case for each shape [*S], of two cases a subject. No voxel shows a voting tie.

    Each case lacks one rater (if there are several), and one voxel in twenty of every rating is not judged. ``absent``
    names raters of the data set who rated nothing; ``change`` is applied to every rating, and leaves the images as they are.
    The first rater also numbered the objects, in the cases that this rater rated. Every other case is ill.
    """
    names = [f"rater {r}" for r in range(n_raters)]
    cases = []
    for i, shape in enumerate(shapes):
        there = [name for r, name in enumerate(names) if n_raters == 1 or r != i % n_raters]
        example = make_example(i, n_raters=len(there), n_classes=n_classes, shape=shape, missing=0.05)
        ratings = dict(zip(there, example.ratings.values(), strict=True))
        cases.append(_case(i, ratings, n_classes, change))
    classes = ["background", *(f"class {k}" for k in range(1, n_classes))]
    return CaseList("made-up", cases, classes=classes, raters=[*names, *absent], diagnoses=("healthy", "ill"))


def reorder(dataset: CaseList, raters: Sequence[str]) -> CaseList:
    """The same data set, its raters in another order, in the data set and in each case."""
    cases = []
    for case in dataset.cases:
        ratings = {rater: case.ratings[rater] for rater in raters if rater in case.ratings}
        cases.append(dataclasses.replace(case, ratings=ratings))
    return CaseList(dataset.name, cases, dataset.classes, raters, dataset.diagnoses)


def renumber(dataset: CaseList, order: Sequence[int]) -> CaseList:
    """The same data set where class k has the number of what was class ``order[k]``, for raters and truth alike.

    Without instances: a class may become the background, which has no objects.
    """
    new = np.arange(256, dtype=np.uint8)
    new[list(order)] = np.arange(dataset.n_classes)
    cases = []
    for case in dataset.cases:
        assert case.truth is not None
        truth = Truth(new[case.truth.labels], case.truth.probability[list(order)])
        ratings = {rater: new[labels] for rater, labels in case.ratings.items()}
        cases.append(dataclasses.replace(case, ratings=ratings, truth=truth, instances=None))
    return CaseList(dataset.name, cases, dataset.classes, dataset.raters, dataset.diagnoses)


def _case(i: int, ratings: dict[str, Labels], n_classes: int, change: Change | None) -> Case:
    labels = next(iter(ratings.values()))
    truth = np.where(labels == IGNORE, 0, labels).astype(np.uint8)
    classes = np.arange(n_classes).reshape(-1, *[1] * truth.ndim)
    noise = np.random.default_rng(i).normal(size=(1, *truth.shape))
    image = (truth + noise).astype(np.float32)
    ratings = {rater: change(rating) for rater, rating in ratings.items()} if change else ratings
    return Case(
        id=f"case {i}",
        subject=f"subject {i // 2}",
        centre="nowhere",
        image=image,
        ratings=ratings,
        geometry=Geometry.axis_aligned(truth.ndim),
        truth=Truth(truth, np.equal(truth, classes).astype(np.float32)),
        diagnosis=i % 2,
        instances=_instances(ratings.get("rater 0"), n_classes),
    )


def _instances(labels: Labels | None, n_classes: int) -> Instances | None:
    """Objects of the first rater's labels [*S]: what is of one class in eight columns, and one voxel that is a distractor."""
    if labels is None:
        return None
    strip = np.arange(labels.shape[-1]) // 8
    marked = np.where(labels == IGNORE, 0, labels)
    numbers = np.where(marked > 0, strip * (n_classes - 1) + marked, 0).astype(np.int32)
    classes = np.append(0, 1 + np.arange((strip[-1] + 1) * (n_classes - 1)) % (n_classes - 1))
    numbers.flat[np.flatnonzero(numbers == 0)[:1]] = len(classes)
    return Instances(numbers, np.append(classes, 0).astype(np.uint8), "rater 0")
