"""Cases annotated with care by one rater, and cheaply by another whose errors are known: what annotation studies need."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np

from ...errors import RaterbenchError
from ...parameters import Range, Seed
from ..base import Case, Dataset, Floats, Geometry, Instances, Truth, check_case, index_table
from ..simulation.annotation_errors import AnnotationErrors
from ..simulation.segments import find_segments

HQ, LQ = "hq", "lq"
"""The names of the careful rater and of the other: high and low quality."""
HQ_DRAWS, LQ_DRAWS = 0, 1
"""The streams of random numbers of the two raters."""

Regime = Literal["all", "split", "shared"]
Errors = Mapping[str, Any]
Count = Annotated[int, Range(0, 1_000_000)]
ROW_ERRORS: Errors = {"omission": 0.7}
"""The errors of the cheap rater by default: those of the first row of table 3.1 of Vadineanu (2025)."""


class Pixels(NamedTuple):
    """What a file, or a drawing, knows of a case: the image [C, *S], the true objects, and where the voxels lie."""

    image: Floats
    instances: Instances
    geometry: Geometry


@dataclass(frozen=True)
class Quality:
    """Who annotates which case, and with which errors: options that all data sets of this kind share.

    Args:
        regime: ``all``: both raters annotate each case. ``split``: ``hq`` annotates the chosen training cases alone, and ``lq``
            all other training cases alone. ``shared``: as ``split``, but ``lq`` also annotates the chosen cases, from which the
            errors of ``lq`` can be estimated. Test cases are annotated by both in each regime.
        hq_cases: how many training cases are chosen (``equidistant_cases``); no image decides about it.
        hq_subjects: from how many training subjects; None is all.
        lq_errors: the parameters of the ``AnnotationErrors`` of ``lq``, drawn once for each case.
        hq_errors: those of ``hq`` on training cases; by default it makes none. On test cases it never makes one.
        seed: of the errors; an annotation depends on it and on the name of its case, not on what else is in the data set.
    """

    regime: Regime = "all"
    hq_cases: Count = 10
    hq_subjects: Count | None = None
    lq_errors: Errors | None = None
    hq_errors: Errors | None = None
    seed: Seed = 0


class TwoQualities(Dataset):
    """Base of data sets with instance maps whose cases the rater ``hq`` annotates with care and the rater ``lq`` cheaply.

    A subclass sets ``name``, ``classes`` (the background and one more) and ``card``, calls ``assign``, and implements
    ``pixels``. ``instances`` of a case are those of ``hq``. They hold distractors where ``has_distractors`` says so, which only
    ``inclusion`` brings into an annotation.
    """

    listed = False
    raters = (HQ, LQ)
    unit = "pixel"
    n_axes = 2
    has_distractors = True
    truth_is_known = False
    """Whether the objects are the truth, as where they were drawn by a program, and not only an annotation."""

    @abstractmethod
    def pixels(self, position: int) -> Pixels:
        """Read or draw the case in row ``position``: its image, and its objects as an annotator without errors has them."""

    def assign(self, rows: Iterable[tuple[str, str, str]], test: Sequence[int], quality: Quality) -> None:
        """Make the index from (case, subject, centre) rows, of which those at ``test`` are the test part.

        Raises:
            RaterbenchError: more cases or subjects are to be chosen than there are, or the errors are wrong.
        """
        rows = list(rows)
        self.quality, self.official_test = quality, tuple(test)
        self.lq_errors = self._errors("lq_errors", ROW_ERRORS if quality.lq_errors is None else quality.lq_errors)
        self.hq_errors = self._errors("hq_errors", quality.hq_errors or {})
        train = sorted(set(range(len(rows))) - set(test))
        chosen = self._chosen([rows[i][1] for i in train])
        raters: list[tuple[str, ...]] = [self.raters] * len(rows)
        if quality.regime != "all":
            both = self.raters if quality.regime == "shared" else (HQ,)
            for place, position in enumerate(train):
                raters[position] = both if place in chosen else (LQ,)
        self.index = index_table((*row, who) for row, who in zip(rows, raters, strict=True))

    @property
    def rater_parameters(self) -> Mapping[str, AnnotationErrors]:
        """What each rater does, by name: the values that a method may try to recover."""
        return {HQ: self.hq_errors, LQ: self.lq_errors}

    def fingerprint(self) -> str:
        # The index knows who annotates a case, and nothing of their errors.
        errors = [sorted(errors.get_params().items()) for errors in (self.hq_errors, self.lq_errors)]
        return hashlib.sha256(f"{super().fingerprint()}|{errors}|{self.quality.seed}".encode()).hexdigest()[:16]

    def load(self, position: int) -> Case:
        row, (image, true, geometry) = self.index.iloc[position], self.pixels(position)
        is_test = position in self.official_test
        needs_segments = self.lq_errors.segments or (self.hq_errors.segments and not is_test)
        segments = find_segments(image) if needs_segments else None
        drawn = true if is_test else self.hq_errors.redraw(true, self._random(HQ_DRAWS, row["case"]), segments=segments)
        ratings = {}
        if HQ in row["raters"]:
            ratings[HQ] = drawn.labels
        if LQ in row["raters"]:
            ratings[LQ] = self.lq_errors.rate(true, self._random(LQ_DRAWS, row["case"]), segments=segments)
        truth = _certain(true, self.n_classes) if self.truth_is_known else None
        case = Case(row["case"], row["subject"], row["centre"], image, ratings, geometry, truth=truth, instances=drawn)
        return check_case(case, self.n_classes)

    def _errors(self, option: str, values: Errors) -> AnnotationErrors:
        errors = AnnotationErrors.from_table(values, f"{self.name}: {option}")
        if errors.inclusion and not self.has_distractors:
            raise RaterbenchError(
                f"{self.name}: {option}: inclusion = {errors.inclusion} is a share of distractors, and this data set has "
                "none: leave it out"
            )
        return errors

    def _chosen(self, subjects: Sequence[str]) -> set[int]:
        """The places of the training cases that ``hq`` annotates, of which the subjects are given."""
        quality, there = self.quality, len(set(subjects))
        if quality.regime == "all":
            return set()
        if quality.hq_subjects is not None and not 1 <= quality.hq_subjects <= there:
            raise RaterbenchError(
                f"{self.name}: hq_subjects = {quality.hq_subjects} must be from 1 to {there}, the number of training subjects"
            )
        return set(equidistant_cases(subjects, quality.hq_cases, quality.hq_subjects, f"{self.name}: hq_cases"))

    def _random(self, stream: int, case: str) -> np.random.Generator:
        return np.random.default_rng([self.quality.seed, stream, *case.encode()])


def equidistant_cases(subjects: Sequence[str], count: int, most: int | None = None, where: str = "count") -> list[int]:
    """The positions of ``count`` cases far from one another: one of each of ``count`` sections of the subjects, in turn.

    ``subjects`` [n] says whose each case is, those of a subject in the order of their slices; ``most`` takes the first subjects
    alone. Section i of ``count`` equal ones is looked for in subject i modulo their number, and its middle case is taken
    (Vadineanu, 2025, section 3.2.1).

    Raises:
        RaterbenchError: there are fewer cases; ``where`` says what asked for them.

    >>> equidistant_cases(["a"] * 6 + ["b"] * 6, 3)
    [1, 9, 5]
    """
    slices: dict[str, list[int]] = {}
    for position, subject in enumerate(subjects):
        slices.setdefault(subject, []).append(position)
    volumes = list(slices.values())[:most]
    there = sum(map(len, volumes))
    if count > there:
        raise RaterbenchError(f"{where} = {count} is more than the {there} training cases that can be chosen: choose fewer")
    found: list[int] = []
    for section in range(count):
        volume = volumes[section % len(volumes)]
        place = int((section + 0.5) * len(volume) / count)
        # Volumes of different lengths, or more sections than slices: the nearest case that is free, in the next that has one.
        free = [position for position in volume if position not in found] or [p for v in volumes for p in v if p not in found]
        found.append(min(free, key=lambda position: abs(position - volume[place])))
    return found


def _certain(instances: Instances, n_classes: int) -> Truth:
    labels = instances.labels
    classes = np.arange(n_classes).reshape(-1, *[1] * labels.ndim)
    return Truth(labels, np.equal(labels, classes).astype(np.float32))
