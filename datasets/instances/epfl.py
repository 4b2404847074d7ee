"""Mitochondria in electron microscopy of the hippocampus, drawn once: two volumes of the EPFL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from ...errors import RaterbenchError
from ...parameters import Range, Seed, check_arguments
from ..base import Card, Geometry
from ..downloads import find_download
from ..images.headers.tiff import read_pages
from ..label_files.label_values import LabelValues
from ..simulation.annotation_errors import components
from .stacks import Stacks
from .two_qualities import HQ, Count, Errors, Pixels, Quality, Regime, TwoQualities

PLACES = ("epfl-mitochondria", "epfl", ".")
"""Where the files may lie within the data folder."""
PARTS = ("training", "testing")


class EPFLMitochondria(TwoQualities):
    """Two volumes of 165 slices [768, 1024], 5 nm voxels, one for training and one for testing.

    The download is read as it is: ``training.tif``, ``training_groundtruth.tif``, ``testing.tif`` and
    ``testing_groundtruth.tif``; ``volumedata.tif`` is not needed. A case is a slice. Mitochondria have no numbers in the files:
    the connected parts of a slice are its objects, and there are no distractors. So that validation cases can be drawn, a
    subject is a block of neighbouring slices and not the volume; the slices at the ends of two blocks are much alike.

    Args:
        data: Folder of downloaded data, or the data set's own; None reads the variable ``RATERBENCH_DATA``.
        every: Keeps every n-th slice, from the first on.
        blocks: Number of blocks that each volume is cut into.
        regime, hq_cases, hq_subjects, lq_errors, hq_errors, seed: as in ``two_qualities.Quality``; a subject is a block.

    Raises:
        RaterbenchError: an option is out of its range, or the files are not there.
    """

    name = "epfl-mitochondria"
    listed = True
    classes = ("background", "mitochondrion")
    has_distractors = False
    card: ClassVar[Card] = Card(
        title="EPFL electron microscopy of the CA1 hippocampus: mitochondria",
        citation="A. Lucchi, Y. Li, P. Fua: Learning for structured prediction using approximate subgradient descent with "
        "working sets. CVPR 2013",
        licence="on the terms of the page; cite the article",
        source="https://www.epfl.ch/labs/cvlab/data/data-em/",
    )

    def __init__(
        self,
        *,
        data: str | Path | None = None,
        every: Annotated[int, Range(1, 1000)] = 1,
        blocks: Annotated[int, Range(1, 100)] = 5,
        regime: Regime = "all",
        hq_cases: Count = 10,
        hq_subjects: Count | None = None,
        lq_errors: Errors | None = None,
        hq_errors: Errors | None = None,
        seed: Seed = 0,
    ) -> None:
        check_arguments(EPFLMitochondria, locals(), self.name)
        self.labels, self._stacks = LabelValues(self.classes, {0: 0, 255: 1}), Stacks()
        self.class_values = self.labels.written()
        self.path = find_download(
            data,
            PLACES,
            lambda folder: (folder / "training_groundtruth.tif").is_file(),
            absent=f"the volumes of {self.name} are not there",
            get=f"download the four TIFF files of {self.card.source} into <data>/{PLACES[0]}",
        )
        rows, self._slices = [], []
        for part in PARTS:
            there = [len(read_pages(file)) for file in self._files(part)]
            if there[0] != there[1]:
                image, labels = self._files(part)
                raise RaterbenchError(f"{image} has {there[0]} slices and {labels} has {there[1]}: copy them anew")
            kept = range(0, there[0], every)
            for place, z in enumerate(kept):
                block = place * min(blocks, len(kept)) // len(kept) + 1
                rows.append((f"{part}_slice-{z + 1:03d}", f"{part}-{block}", part))
                self._slices.append((part, z))
        test = [i for i, (part, _) in enumerate(self._slices) if part == "testing"]
        self.assign(rows, test, Quality(regime, hq_cases, hq_subjects, lq_errors, hq_errors, seed))

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> EPFLMitochondria:
        return cls(data=data, **options)

    def source_files(self) -> Mapping[str, Path]:
        return {file.name: file for part in PARTS for file in self._files(part)}

    def pixels(self, position: int) -> Pixels:
        part, z = self._slices[position]
        image, labels = self._stacks.pair(*self._files(part))
        objects = components(self.labels.indices(labels[z], self._files(part)[1]), HQ)
        return Pixels((image[z][None] / np.float32(255)).astype(np.float32), objects, Geometry.axis_aligned(2))

    def _files(self, part: str) -> tuple[Path, Path]:
        """The image and the labels of a part.

        Raises:
            RaterbenchError: one of them is missing.
        """
        files = self.path / f"{part}.tif", self.path / f"{part}_groundtruth.tif"
        for file in files:
            if not file.is_file():
                raise RaterbenchError(f"{file} is missing: it belongs to the download")
        return files
