"""Simulated nuclei of two kinds, slice by slice, annotated with care or cheaply: every object and every error is known."""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar

import numpy as np

from ...errors import RaterbenchError
from ...parameters import Range, Seed, check_arguments
from ..base import Card, Case, Geometry, Instances
from ..simulation.cell_volume import DEPTH, CellVolume, Kind
from .two_qualities import HQ, Count, Errors, Pixels, Quality, Regime, TwoQualities

LEAST = 64
"""Pixels along a side at zoom 1."""


class Cells(TwoQualities):
    """Slices of volumes with large round nuclei and small lobed ones, of which one kind is the target.

    A case is a slice, a subject a volume, whose slices are as far from one another as they can be. The other kind are
    distractors: background that a careless rater takes in. The truth is what was drawn; the rater ``hq`` draws it as it is, and
    ``lq`` makes the errors that an option says. The last volumes are the test part. The same options always give the same bits.

    Made after the sets of HL60 nuclei, of granulocytes and of both that Vadineanu (2025, chapter 3) uses: the lobed nuclei
    cover about a quarter of the area of the round ones, and no threshold of the brightness separates a kind well.

    Args:
        volumes: Number of volumes.
        test: How many of them, the last, are the test part.
        slices: Number of slices of each volume.
        size: Height and width in pixels; cells stay as large, and there are more or fewer of them.
        zoom: How much larger cells are than by default, where a round one has a radius of about 11 pixels.
        target: The kind to segment.
        distractors: Whether the other kind is there at all.
        regime: Who annotates what: ``all``, ``split`` or ``shared`` (``two_qualities.Quality``).
        hq_cases: How many training slices ``hq`` annotates where the regime is not ``all``.
        hq_subjects: From how many training volumes they come; all by default.
        lq_errors: Parameters of the ``AnnotationErrors`` of ``lq``; by default 70 % omission.
        hq_errors: Those of ``hq`` on training slices; none by default.
        seed: Of everything that is drawn.

    Raises:
        RaterbenchError: an option is out of its range.
    """

    name = "cells"
    listed = True
    classes = ("background", "cell")
    truth_is_known = True
    card: ClassVar[Card] = Card(
        title="Simulated slices of volumes with two kinds of nuclei",
        citation="raterbench (drawn by the software itself)",
        licence="Apache-2.0",
        source="drawn when it is read; nothing is downloaded",
    )

    def __init__(
        self,
        *,
        volumes: Annotated[int, Range(1, 1000)] = 20,
        test: Annotated[int, Range(0, 1000)] = 5,
        slices: Annotated[int, Range(1, 64)] = 4,
        size: Annotated[int, Range(64, 1024)] = 128,
        zoom: Annotated[float, Range(0.5, 4)] = 1.0,
        target: Kind = "round",
        distractors: bool = True,
        regime: Regime = "all",
        hq_cases: Count = 10,
        hq_subjects: Count | None = None,
        lq_errors: Errors | None = None,
        hq_errors: Errors | None = None,
        seed: Seed = 0,
    ) -> None:
        check_arguments(Cells, locals(), self.name)
        if test > volumes:
            raise RaterbenchError(f"{self.name}: test = {test} must not be more than volumes = {volumes}")
        if size < LEAST * zoom:
            raise RaterbenchError(
                f"{self.name}: size = {size} must be at least {LEAST} x zoom = {zoom:g}, or it shows no whole cells"
            )
        self.slices, self.size, self.zoom, self.target, self.seed = slices, size, zoom, target, seed
        self.has_distractors = distractors
        self._drawn: dict[int, CellVolume] = {}
        self._cases: dict[int, Case] = {}
        names = [f"volume-{v + 1:03d}" for v in range(volumes) for _ in range(slices)]
        rows = [(f"{name}_slice-{i % slices + 1:02d}", name, "simulated") for i, name in enumerate(names)]
        test_part = range((volumes - test) * slices, volumes * slices)
        self.assign(rows, test_part, Quality(regime, hq_cases, hq_subjects, lq_errors, hq_errors, seed))

    def fingerprint(self) -> str:
        # The index knows none of these, and each changes every pixel or every label.
        text = f"{super().fingerprint()}|{self.size}|{self.zoom}|{self.target}|{self.has_distractors}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def load(self, position: int) -> Case:
        if position not in self._cases:
            self._cases[position] = super().load(position)
        return self._cases[position]

    def pixels(self, position: int) -> Pixels:
        number, slice_ = divmod(position, self.slices)
        volume, z = self._volume(number), (slice_ + 0.5) / self.slices * DEPTH
        classes = [0, *(nucleus.kind == self.target for nucleus in volume.nuclei)]
        image = volume.image(z, np.random.default_rng([self.seed, 1, number, slice_]))
        return Pixels(image[None], Instances(volume.numbers(z), np.array(classes, np.uint8), HQ), Geometry.axis_aligned(2))

    def __getstate__(self) -> dict[str, object]:
        # Another process draws its cases anew: that is quicker than sending them.
        return {**self.__dict__, "_cases": {}, "_drawn": {}}

    def _volume(self, number: int) -> CellVolume:
        if number not in self._drawn:
            drawn = CellVolume.draw(self.size, np.random.default_rng([self.seed, 0, number]), self.zoom)
            self._drawn[number] = drawn if self.has_distractors else drawn.only(self.target)
        return self._drawn[number]
