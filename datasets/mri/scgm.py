"""Grey and white matter of the cervical spinal cord on MRI of four sites, drawn by four raters: the challenge of 2016."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from ...parameters import check_arguments
from ..base import Card, Case, Dataset, Geometry, Preparation, index_table
from ..downloads import find_download
from ..label_files.label_values import LabelValues
from ..label_files.nifti_scan import find_nifti, needed_nifti, read_contrasts, read_grid, read_mask

Target = Literal["both", "grey matter"]

ARCHIVE = "training-data-gm-sc-challenge-ismrm16-v20160302b"
"""The name of the official training archive."""
PLACES = ("scgm", f"scgm/{ARCHIVE}", ARCHIVE, ".")
"""Where the files may lie within the data folder."""
TARGETS: Mapping[Target, LabelValues] = {
    "both": LabelValues(("background", "grey matter", "white matter"), {0: 0, 1: 1, 2: 2}),
    "grey matter": LabelValues(("background", "grey matter"), {0: 0, 1: 1, 2: 0}),
}
"""The classes of each target, and what the masks' values 0, 1 (grey matter) and 2 (white matter) are in them."""


class SCGM(Dataset):
    """40 T2*-weighted scans of healthy people, 10 from each of 4 sites, each drawn by 4 raters.

    The official training part is read as it is: ``siteN-scXX-image.nii.gz`` and ``siteN-scXX-mask-rR.nii.gz``, all in one
    folder; ``siteN-scXX-levels.txt``, the vertebral levels, are not needed. The masks of the 40 scans of the test part were not
    published: a scan without any mask is taken for one of them and left out, and a scan without some of the masks was not rated
    by those raters. A centre is a site: London (``site1``), Montreal, Zurich and Nashville, whose pixels measure 0.25 to
    0.5 mm. Slices are cut along the last axis of the files, across the cord.

    Args:
        data: Folder of downloaded data, or the challenge's own; None reads the variable ``RATERBENCH_DATA``.
        target: ``both``: grey and white matter are two classes; ``grey matter``: white matter is background.

    Raises:
        RaterbenchError: an option is unknown, or the scans are not there or do not belong together.
    """

    name = "scgm"
    raters = tuple(f"rater{k}" for k in range(1, 5))
    preparation = Preparation(slice_axis="z")
    card: ClassVar[Card] = Card(
        title="Spinal cord grey matter segmentation challenge (ISMRM 2016), training part",
        citation="F. Prados et al.: Spinal cord grey matter segmentation challenge. NeuroImage 152:312-329, 2017",
        licence="given to those who register, on the terms in the download; cite the article",
        source="http://niftyweb.cs.ucl.ac.uk/program.php?p=CHALLENGE",
    )

    def __init__(self, *, data: str | Path | None = None, target: Target = "both") -> None:
        check_arguments(SCGM, {"target": target}, "scgm")
        self.labels = TARGETS[target]
        self.classes = self.labels.classes
        self.path = find_download(
            data,
            PLACES,
            _rated_scans,
            absent="the rated scans of scgm are not there",
            get=f"register at {self.card.source}, unpack the training archive ({ARCHIVE}.zip) into <data>/{PLACES[0]}",
        )
        scans = _rated_scans(self.path)
        for scan in scans:
            needed_nifti(self._image(scan))
        rows = ((scan, tuple(r for r in self.raters if find_nifti(self._mask(scan, r)))) for scan in scans)
        self.index = index_table((scan, scan, scan.partition("-")[0], raters) for scan, raters in rows)

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> SCGM:
        return cls(data=data, **options)

    def source_files(self) -> Mapping[str, Path]:
        files = []
        for scan, raters in zip(self.index["case"], self.index["raters"], strict=True):
            files += [needed_nifti(stem) for stem in (self._image(scan), *(self._mask(scan, rater) for rater in raters))]
        return {file.relative_to(self.path).as_posix(): file for file in files}

    def grid_at(self, position: int) -> tuple[tuple[int, ...], Geometry]:
        return read_grid(self._image(self.index["case"].iloc[position]))

    def load(self, position: int) -> Case:
        row = self.index.iloc[position]
        scan, image = row["case"], read_contrasts([self._image(row["case"])])
        ratings = {rater: read_mask(self._mask(scan, rater), image, self.labels) for rater in row["raters"]}
        return Case(scan, row["subject"], row["centre"], image.pixels, ratings, image.geometry)

    def _image(self, scan: str) -> Path:
        return self.path / f"{scan}-image"

    def _mask(self, scan: str, rater: str) -> Path:
        return self.path / f"{scan}-mask-r{rater[-1]}"


def _rated_scans(folder: Path) -> list[str]:
    """Names such as ``site1-sc01`` of all scans that have a mask, in order."""
    found = (re.fullmatch(r"(site\d-sc\d\d)-mask-r[1-4]\.nii(\.gz)?", file.name) for file in folder.glob("site*-mask-*"))
    return sorted({match[1] for match in found if match})
