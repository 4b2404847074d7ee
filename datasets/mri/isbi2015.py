"""Lesions of multiple sclerosis on MRI, scanned over years and drawn by two raters: ISBI 2015, longitudinal challenge."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from ...errors import RaterbenchError
from ...parameters import Seed, check_arguments
from ..base import Card, Case, Dataset, Geometry, Labels, Preparation, Truth, index_table
from ..downloads import find_download
from ..label_files.label_values import LabelValues
from ..label_files.nifti_scan import find_nifti, needed_nifti, read_contrasts, read_grid, read_mask
from ..simulation.raters import LESION_RATERS

Raters = Literal["real", "simulated"]
Regime = Literal["all", "one"]
Contrast = Literal["flair", "mprage", "pd", "t2"]

PLACES = ("isbi2015/training", "isbi2015", "training", ".")
"""Where the folders of the patients may lie within the data folder."""
MASKS = {"rater1": "mask1", "rater2": "mask2"}


class ISBI2015(Dataset):
    """21 scans [181, 217, 181] of 5 patients at 4 or 5 times, 1 mm voxels, lesions drawn by two raters.

    The training part of the challenge is read as it is: its preprocessed images, and their masks. A scan without one of the
    masks was not rated by that rater. Lesions are about one voxel in a hundred or less, and slices are learned as they come.

    With ``raters = "simulated"`` the first rater's mask is taken for the truth, and the raters *good*, *over*, *under*,
    *wrong* and *blank* are made from it in each axial slice (``simulated_raters.LESION_RATERS``).

    Args:
        data: Folder of downloaded data, or the challenge's own; None reads the variable ``RATERBENCH_DATA``.
        raters: ``real`` or ``simulated``.
        regime: ``all``: everybody's ratings of each scan; ``one``: one rater each, drawn at random with ``seed``.
        seed: of the simulated rater *wrong*, and of who rates what in the regime ``one``; every scan has its own stream.
        contrasts: the image's channels, out of ``flair``, ``mprage``, ``pd`` and ``t2``.

    Raises:
        RaterbenchError: an option is unknown, or the scans are not there or do not belong together.
    """

    name = "isbi2015"
    classes = ("background", "lesion")
    preparation = Preparation(slice_axis="z")
    card: ClassVar[Card] = Card(
        title="ISBI 2015 longitudinal multiple sclerosis lesion segmentation challenge, training part",
        citation="A. Carass et al.: Longitudinal multiple sclerosis lesion segmentation: resource and challenge. "
        "NeuroImage 148:77-102, 2017",
        licence="given to those who register; no redistribution",
        source="https://smart-stats-tools.org/lesion-challenge-2015",
    )

    def __init__(
        self,
        *,
        data: str | Path | None = None,
        raters: Raters = "real",
        regime: Regime = "all",
        seed: Seed = 0,
        contrasts: Sequence[Contrast] = ("flair",),
    ) -> None:
        given = {"raters": raters, "regime": regime, "seed": seed, "contrasts": contrasts}
        check_arguments(ISBI2015, given, "isbi2015")
        if not contrasts:
            raise RaterbenchError("isbi2015: contrasts is empty: name 'flair', 'mprage', 'pd' or 't2'")
        self.simulated, self.regime, self.seed, self.contrasts = raters == "simulated", regime, seed, tuple(contrasts)
        self.path = _training(data)
        self.raters = tuple(r.name for r in LESION_RATERS) if self.simulated else tuple(MASKS)
        self.labels = LabelValues(self.classes, {0: 0, 1: 1})
        scans = _scans(self.path)
        self.index = index_table((scan, scan.partition("_")[0], "isbi2015", self._rated(scan)) for scan in scans)

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> ISBI2015:
        return cls(data=data, **options)

    def source_files(self) -> Mapping[str, Path]:
        files = []
        for scan, raters in zip(self.index["case"], self.index["raters"], strict=True):
            masks = ["rater1"] if self.simulated else raters
            stems = [self._image(scan, c) for c in self.contrasts] + [self._mask_stem(scan, rater) for rater in masks]
            files += [needed_nifti(stem) for stem in stems]
        return {file.relative_to(self.path).as_posix(): file for file in files}

    def fingerprint(self) -> str:
        # Of the seed of what is wrong, and of what the channels are, the index knows nothing.
        text = f"{super().fingerprint()}|{self.contrasts}|{self.seed if self.simulated else ''}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def grid_at(self, position: int) -> tuple[tuple[int, ...], Geometry]:
        return read_grid(self._image(self.index["case"].iloc[position], self.contrasts[0]))

    def load(self, position: int) -> Case:
        row = self.index.iloc[position]
        scan, subject = row["case"], row["subject"]
        image, truth = read_contrasts([self._image(scan, contrast) for contrast in self.contrasts]), None
        if self.simulated:
            mask = read_mask(self._mask_stem(scan, "rater1"), image, self.labels)
            truth = Truth(mask, np.stack([mask == 0, mask == 1]).astype(np.float32))
            ratings = {r.name: self._drawn(r.name, mask, scan) for r in LESION_RATERS if r.name in row["raters"]}
        else:
            ratings = {rater: read_mask(self._mask_stem(scan, rater), image, self.labels) for rater in row["raters"]}
        return Case(scan, subject, row["centre"], image.pixels, ratings, image.geometry, truth)

    def _rated(self, scan: str) -> tuple[str, ...]:
        """Who rates a scan; in the regime ``one`` the draw depends on the scan, those who rated it, and the seed."""
        there = self.raters if self.simulated else tuple(r for r in MASKS if find_nifti(self._mask_stem(scan, r)))
        if not there:
            raise RaterbenchError(f"scan {scan!r} has neither {self._mask_stem(scan, 'rater1')}.nii nor the other mask")
        return there if self.regime == "all" else (there[int(self._random(scan, 0).integers(len(there)))],)

    def _random(self, scan: str, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, purpose, *map(int, re.findall(r"\d+", scan))])

    def _drawn(self, name: str, mask: Labels, scan: str) -> Labels:
        """What a simulated rater makes of the truth [z, y, x], slice by slice."""
        rater = next(r for r in LESION_RATERS if r.name == name)
        random, drawn = self._random(scan, 1), np.zeros_like(mask)
        for z in np.flatnonzero(mask.any(axis=(1, 2))):
            drawn[z] = rater.rate(np.uint8(255) * mask[z], random)
        return drawn

    def _mask_stem(self, scan: str, rater: str) -> Path:
        return self.path / scan.partition("_")[0] / "masks" / f"{scan}_{MASKS[rater]}"

    def _image(self, scan: str, contrast: str) -> Path:
        return self.path / scan.partition("_")[0] / "preprocessed" / f"{scan}_{contrast}_pp"


def _scans(training: Path) -> list[str]:
    """Names such as ``training01_02`` of all scans that have an image, in order."""
    files = training.glob("training[0-9][0-9]/preprocessed/training*_pp.nii*")
    found = (re.match(r"(training\d\d_\d\d)_[a-z0-9]+_pp\.nii(\.gz)?$", file.name) for file in files)
    return sorted({match[1] for match in found if match})


def _training(data: str | Path | None) -> Path:
    return find_download(
        data,
        PLACES,
        _scans,
        absent="the scans of isbi2015 are not there",
        get=f"register at {ISBI2015.card.source} (they may not be passed on), put the folders training01 to training05 into "
        f"<data>/{PLACES[0]}",
    )
