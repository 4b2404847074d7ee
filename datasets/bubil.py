"""Cells under the microscope, each outlined by experts and by crowd workers: BU-BIL, sets 1 and 4."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from ..errors import RaterbenchError
from ..parameters import check_arguments
from .base import Card, Case, Dataset, Labels, Preparation, index_table
from .downloads import find_download
from .images import Picture, check_agreement, read_image

Raters = Literal["experts", "crowd", "both", "worker"]

PLACES = ("bubil/BU-BIL_Dataset{set}", "BU-BIL_Dataset{set}", "bubil/Dataset{set}", ".")
"""Where a set may lie within the data folder."""
EXPERTS = {
    1: tuple(f"Person{k}_{tool}" for k in range(1, 6) for tool in ("Amira", "ImageJ")),
    4: ("Expert1", "Expert2", "Expert3"),
}
CROPPED_BY = {1: "Person2_Amira", 4: "Expert1"}
"""The expert around whose object the crowd's crops were cut. It is written nowhere: this one's box gives every crop's size."""
CROWD = tuple(f"crowd_{k}" for k in range(1, 8))
WORKER = "crowd"
"""The rater who stands for the crowd: on each image the worker in the first place."""
HALF = 128
"""Masks are black on white; a few have grey pixels from being drawn smoothly, and the darker half of them is object."""

Window = tuple[slice, slice]


class BUBIL(Dataset):
    """35 phase-contrast images of rat smooth muscle cells (set 1) or 61 fluorescence crops of melanoma cells (set 4).

    One cell an image. Set 1 has five experts with two tools each, who are ten raters; set 4 has three. Seven crowd workers
    outlined each cell on a crop around it; their numbers are places, not persons (``anonymous_raters``). The published gold
    standard is the work or the majority of the experts, so neither a rater nor the truth. Pixel sizes are not published:
    distances are in pixels.

    Args:
        data: Folder of downloaded data, or the set's own; None reads the variable ``RATERBENCH_DATA``.
        set: 1 or 4.
        raters: ``experts`` (set 1: on the full frame), ``crowd`` or ``both`` (on the crop, all of set 4 is), or ``worker``: the
            experts, and one worker an image as the rater ``crowd``. That is another person in each image, so what is learned of
            this rater is learned of the crowd.

    Raises:
        RaterbenchError: the images are not there, or do not belong together.
    """

    name = "bubil"
    classes = ("background", "cell")
    unit = "pixel"
    n_axes = 2
    card: ClassVar[Card] = Card(
        title="BU-BIL: cells outlined by experts and by the crowd",
        citation="D. Gurari et al.: How to collect segmentations for biomedical images? A benchmark evaluating the "
        "performance of experts, crowdsourced non-experts, and algorithms. WACV 2015",
        licence="BSD-style, in the download's README.txt; cite the article",
        source="Boston University Biomedical Image Library (the cited paper says where)",
    )

    def __init__(self, *, data: str | Path | None = None, set: Literal[1, 4] = 1, raters: Raters = "experts") -> None:
        check_arguments(BUBIL, {"set": set, "raters": raters}, "bubil")
        self.name = f"bubil-{set}-{raters}"
        self.set, self.path = set, _set_folder(data, set)
        self.preparation = Preparation(size=(256, 256) if set == 1 else (96, 96))
        self.anonymous_raters = raters in ("crowd", "both")
        self.cropped = (set, raters) != (1, "experts")
        experts = EXPERTS[set]
        groups = {"experts": experts, "crowd": CROWD, "both": experts + CROWD, "worker": (*experts, WORKER)}
        self.raters = groups[raters]
        self._images = _by_case(self.path / "RawImages")
        needed = (*self.raters, *([CROPPED_BY[set]] if self.cropped else []))
        self._masks = {rater: _by_case(self._folder(rater)) for rater in dict.fromkeys(needed)}
        rows = ((f.stem, tuple(r for r in self.raters if c in self._masks[r])) for c, f in self._images.items())
        self.index = index_table((case, case, f"set {set}", who) for case, who in rows)

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> BUBIL:
        return cls(data=data, **options)

    def source_files(self) -> Mapping[str, Path]:
        masks = [mask for files in self._masks.values() for case, mask in files.items() if case in self._images]
        return {file.relative_to(self.path).as_posix(): file for file in (*self._images.values(), *masks)}

    def load(self, position: int) -> Case:
        row = self.index.iloc[position]
        key = row["case"].lower()
        image = read_image(self._images[key])
        image = image._replace(pixels=image.pixels[:1])  # grey, some of it saved in three equal channels
        window = self._window(key) if self.cropped else None
        if window is not None and self.set == 1:
            image = image._replace(pixels=np.ascontiguousarray(image.pixels[(slice(None), *window)]))
        ratings = {}
        for rater in row["raters"]:
            mask = _shown(self._masks[rater][key])
            if window is not None and rater in EXPERTS[self.set]:
                mask = mask._replace(pixels=np.ascontiguousarray(mask.pixels[window]))
            ratings[rater] = _object(check_agreement(image, mask))
        pixels = (image.pixels / np.float32(255)).astype(np.float32)
        return Case(row["case"], row["subject"], row["centre"], pixels, ratings, image.geometry)

    def _folder(self, rater: str) -> Path:
        if rater in (*CROWD, WORKER):
            place = 1 if rater == WORKER else CROWD.index(rater) + 1
            return self.path / "CrowdsourcedAnnotations" / f"mturk_annotation{self.set}-{place}"
        return self.path / "ExpertsAnnotations" / rater

    def _window(self, case: str) -> Window:
        """The crop that the crowd saw, in the full frame: half the object's height and width around it, as far as it goes."""
        files = self._masks[CROPPED_BY[self.set]]
        if case not in files:
            raise RaterbenchError(f"{self._folder(CROPPED_BY[self.set])} has no mask of {case!r}, from which its crop is known")
        drawn = _object(_shown(files[case]))
        if not drawn.any():
            raise RaterbenchError(f"{files[case]} has no object, so the crop of {case!r} is unknown")
        rows, columns = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
        return _around(rows, drawn.shape[0]), _around(columns, drawn.shape[1])


def _around(span: Any, length: int) -> slice:
    half = math.ceil((span[-1] - span[0] + 1) / 2)
    return slice(max(0, int(span[0]) - half - 1), min(length, int(span[-1]) + half + 1))


def _shown(file: Path) -> Picture:
    """A mask [H, W] as it is seen: some have a palette, in which black and white are numbers like any others."""
    seen = read_image(file)
    return seen._replace(pixels=seen.pixels[0])


def _object(mask: Picture) -> Labels:
    labels: Labels = (mask.pixels < HALF).astype(np.uint8)
    return labels


def _by_case(folder: Path) -> dict[str, Path]:
    """Files by case; names differ in case and in whether they start with ``seg_``."""
    files = {f.stem.lower().removeprefix("seg_"): f for f in sorted(folder.glob("[!.]*.png"))}
    if not files:
        raise RaterbenchError(f"{folder} is missing or has no PNG: it belongs to the download")
    return dict(sorted(files.items()))


def _set_folder(data: str | Path | None, number: int) -> Path:
    places = [place.format(set=number) for place in PLACES]
    return find_download(
        data,
        places,
        lambda found: (found / "RawImages").is_dir() and (found / "ExpertsAnnotations").is_dir(),
        absent=f"set {number} of bubil is not there",
        get=f"get it from the {BUBIL.card.source}, unpack it to <data>/{places[0]}",
    )
