"""Real images with five real raters: cFOS-positive nuclei under a fluorescence microscope."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ..errors import RaterbenchError
from .base import Card, Case, Dataset, Labels, Preparation, index_table
from .downloads import find_download
from .images import check_agreement, read_image, read_labels
from .label_files.label_values import LabelValues

LABORATORY = "lab-wue1"

PLACES = (f"deepflash/train_data/{LABORATORY}", f"train_data/{LABORATORY}", LABORATORY, ".")
"""Where the laboratory's folder may lie within the data folder."""


class DeepFlash(Dataset):
    """36 images [1024, 1024] of the laboratory Wuerzburg 1, each segmented by five experts.

    The download is read as it is. ``est_GT``, which it also holds, is STAPLE of the experts, so neither a rater nor the truth;
    ``published_estimate`` gives it. The extra column ``group`` of the index is the biological group of an image.
    Pixel sizes are not published with the images: distances are in pixels.

    Args:
        data: Folder of downloaded data, or the laboratory's own; None reads the variable ``RATERBENCH_DATA``.

    Raises:
        RaterbenchError: the images are not there, or do not belong together.
    """

    name = "deepflash"
    classes = ("background", "nucleus")
    raters = tuple(f"expert_{k}" for k in range(1, 6))
    preparation = Preparation(size=(256, 256))
    unit = "pixel"
    n_axes = 2
    card: ClassVar[Card] = Card(
        title="DeepFLaSH: cFOS-positive nuclei, laboratory Wuerzburg 1",
        citation="D. Segebarth et al.: On the objectivity, reliability, and validity of deep learning enabled bioimage "
        "analyses. eLife 9:e59780, 2020",
        licence="Apache-2.0 (repository); cite the article",
        source="https://doi.org/10.5061/dryad.4b8gtht9d",
    )

    def __init__(self, *, data: str | Path | None = None) -> None:
        self.path = _laboratory(data)
        self.labels = LabelValues(self.classes, {0: 0, 255: 1})
        self.class_values = self.labels.written()
        cases = sorted(file.stem for file in (self.path / "images").glob("[!.]*.png"))
        rated = {case: tuple(r for r in self.raters if self._rating(r, case).is_file()) for case in cases}
        self.index = index_table((case, case, LABORATORY, rated[case]) for case in cases)
        self.index["group"] = self._groups(cases)

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> DeepFlash:
        return cls(data=data, **options)

    def source_files(self) -> Mapping[str, Path]:
        files = []
        for case, raters in zip(self.index["case"], self.index["raters"], strict=True):
            files += [self._image(case), *(self._rating(rater, case) for rater in raters)]
        return {file.relative_to(self.path).as_posix(): file for file in files}

    def load(self, position: int) -> Case:
        row = self.index.iloc[position]
        image = read_image(self._image(row["case"]))
        ratings = {}
        for rater in row["raters"]:
            rating = check_agreement(image, read_labels(self._rating(rater, row["case"])))
            ratings[rater] = self.labels.indices(rating.pixels, rating.file)
        pixels = (image.pixels / np.float32(255)).astype(np.float32)
        return Case(row["case"], row["subject"], row["centre"], pixels, ratings, image.geometry)

    def published_estimate(self, case: str) -> Labels:
        """The authors' STAPLE estimate [1024, 1024] of a case: a reference output for an implementation, no truth."""
        estimate = read_labels(self._rating("est_GT", case))
        return self.labels.indices(estimate.pixels, estimate.file)

    def _image(self, case: str) -> Path:
        return self.path / "images" / f"{case}.png"

    def _rating(self, rater: str, case: str) -> Path:
        return self.path / "labels" / rater / f"{case}_cFOS.png"

    def _groups(self, cases: list[str]) -> list[str]:
        file = self.path / "groups_wue1.csv"
        if not file.is_file():
            raise RaterbenchError(f"{file} is missing: it belongs to the download")
        table = pd.read_csv(file, dtype=str)
        if not {"file_id", "group_id"} <= set(table.columns):
            raise RaterbenchError(f"{file} must have the columns file_id and group_id")
        groups = dict(zip(table["file_id"], table["group_id"], strict=True))
        for case in cases:
            if case not in groups:
                raise RaterbenchError(f"{file} has no row for the image {case!r}")
        return [groups[case] for case in cases]


def _laboratory(data: str | Path | None) -> Path:
    return find_download(
        data,
        PLACES,
        lambda found: any((found / "images").glob("[!.]*.png")) and (found / "labels").is_dir(),
        absent="the images of deepflash are not there",
        get=f"download them from {DeepFlash.card.source}, put the folder {LABORATORY} at <data>/{PLACES[0]}",
    )
