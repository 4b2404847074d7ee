"""Gliomas on MRI of many centres, outlined once for each scan: BraTS 2018 and 2019."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from ...errors import RaterbenchError, nearest
from ...parameters import check_arguments
from ..base import Card, Case, Dataset, Geometry, Preparation, index_table
from ..downloads import find_download
from ..label_files.label_values import LabelValues
from ..label_files.nifti_scan import needed_nifti, read_contrasts, read_grid, read_mask

Contrast = Literal["t1", "t1ce", "t2", "flair"]
Target = Literal["regions", "whole tumour", "tumour core"]

YEARS = ("MICCAI_BraTS_2019_Data_Training", "MICCAI_BraTS_2018_Data_Training")
"""The names of the official training archives, the later first: it holds the patients of the earlier."""
PLACES = ("brats", *(f"brats/{year}" for year in YEARS), *YEARS, ".")
"""Where the folders HGG and LGG may lie within the data folder."""
TARGETS: Mapping[Target, LabelValues] = {
    "regions": LabelValues(("background", "necrotic core", "oedema", "enhancing tumour"), {0: 0, 1: 1, 2: 2, 4: 3}),
    "whole tumour": LabelValues(("background", "whole tumour"), {0: 0, 1: 1, 2: 1, 4: 1}),
    "tumour core": LabelValues(("background", "tumour core"), {0: 0, 1: 1, 2: 0, 4: 1}),
}
"""The classes of each target, and what the values 0, 1 (necrotic and not enhancing), 2 (oedema), 4 (enhancing) are in them."""
NAME = re.compile(r"Brats\d\d_(?P<centre>[A-Za-z0-9]+)_(?P<patient>[A-Za-z0-9]+)_\d+", re.IGNORECASE)


class BraTS(Dataset):
    """Scans [155, 240, 240] of gliomas with 4 contrasts, 1 mm voxels; 285 in the training part of 2018, 335 in that of 2019.

    The training part of either year is read as it is: ``HGG`` or ``LGG`` (high or low grade, the extra column ``grade`` of the
    index), a folder for each scan, and in it ``<scan>_{t1,t1ce,t2,flair,seg}.nii.gz``. A scan is called
    ``BraTS19_<centre>_<patient>_<number>``: all scans of a patient are one subject, and the centre is what the name says, which
    is an institution, a part of a collection, or the year of an earlier challenge. One to four experts made one segmentation
    together: it is the only rater.

    Args:
        data: Folder of downloaded data, or the challenge's own; None reads the variable ``RATERBENCH_DATA``.
        target: ``regions``: necrotic core, oedema and enhancing tumour are classes; ``whole tumour``: all of them are one;
            ``tumour core``: necrotic core and enhancing tumour are one, and oedema is background.
        contrasts: the image's channels, out of ``t1``, ``t1ce`` (with gadolinium), ``t2`` and ``flair``.
        subjects: patients to keep, such as ``CBICA_AAG``, whose names are the same in both years; empty keeps all.

    Raises:
        RaterbenchError: an option is unknown, or the scans are not there or do not belong together.
    """

    name = "brats"
    raters = ("experts",)
    preparation = Preparation(slice_axis="z")
    card: ClassVar[Card] = Card(
        title="Multimodal brain tumour segmentation challenge (BraTS) 2018 or 2019, training part",
        citation="B. H. Menze et al.: The multimodal brain tumor image segmentation benchmark (BRATS). IEEE Transactions on "
        "Medical Imaging 34(10):1993-2024, 2015; S. Bakas et al.: Advancing The Cancer Genome Atlas glioma MRI collections "
        "with expert segmentation labels and radiomic features. Scientific Data 4:170117, 2017",
        licence="given to those who register; cite the articles",
        source="https://www.med.upenn.edu/cbica/brats2019/registration.html",
    )

    def __init__(
        self,
        *,
        data: str | Path | None = None,
        target: Target = "regions",
        contrasts: Sequence[Contrast] = ("t1", "t1ce", "t2", "flair"),
        subjects: Sequence[str] = (),
    ) -> None:
        check_arguments(BraTS, {"target": target, "contrasts": contrasts, "subjects": subjects}, "brats")
        if not contrasts:
            raise RaterbenchError("brats: contrasts is empty: name 't1', 't1ce', 't2' or 'flair'")
        self.labels, self.contrasts = TARGETS[target], tuple(contrasts)
        self.classes, self.class_values = self.labels.classes, self.labels.written()
        self.path = find_download(
            data,
            PLACES,
            _folders,
            absent="the scans of brats are not there",
            get=f"register at {self.card.source}, put the folders HGG and LGG of {YEARS[0]} into <data>/{PLACES[0]}",
        )
        patients = {folder: _subject_and_centre(folder) for folder in _folders(self.path)}
        known = sorted({subject for subject, _ in patients.values()})
        for subject in subjects:
            if subject not in known:
                raise RaterbenchError(f"brats: the download has no subject {subject!r}{nearest(subject, known)}")
        kept = {folder: patient for folder, patient in patients.items() if not subjects or patient[0] in subjects}
        for folder in kept:
            needed_nifti(_file(folder, "seg"))
        self.index = index_table((folder.name, *patient, self.raters) for folder, patient in kept.items())
        self.index["grade"] = [folder.parent.name for folder in kept]

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> BraTS:
        return cls(data=data, **options)

    def source_files(self) -> Mapping[str, Path]:
        parts = (*self.contrasts, "seg")
        files = [needed_nifti(_file(self._folder(i), part)) for i in range(len(self)) for part in parts]
        return {file.relative_to(self.path).as_posix(): file for file in files}

    def fingerprint(self) -> str:
        # Of the order of the channels the index and the names of the files know nothing.
        return hashlib.sha256(f"{super().fingerprint()}|{self.contrasts}".encode()).hexdigest()[:16]

    def grid_at(self, position: int) -> tuple[tuple[int, ...], Geometry]:
        return read_grid(_file(self._folder(position), self.contrasts[0]))

    def load(self, position: int) -> Case:
        row, folder = self.index.iloc[position], self._folder(position)
        image = read_contrasts([_file(folder, contrast) for contrast in self.contrasts])
        ratings = {rater: read_mask(_file(folder, "seg"), image, self.labels) for rater in row["raters"]}
        return Case(row["case"], row["subject"], row["centre"], image.pixels, ratings, image.geometry)

    def _folder(self, position: int) -> Path:
        row = self.index.iloc[position]
        return self.path / str(row["grade"]) / str(row["case"])


def _folders(training: Path) -> list[Path]:
    """The folders of all scans, in order of their names."""
    found = (folder for folder in training.glob("[HL]GG/[!.]*") if folder.is_dir())
    return sorted(found, key=lambda folder: folder.name)


def _subject_and_centre(folder: Path) -> tuple[str, str]:
    """The patient, the same in both years, and where the scan comes from."""
    name = NAME.fullmatch(folder.name)
    if name is None:
        raise RaterbenchError(
            f"{folder} is no scan of the download, which is called BraTS19_<centre>_<patient>_<number>: move it elsewhere"
        )
    return f"{name['centre']}_{name['patient']}", name["centre"]


def _file(folder: Path, part: str) -> Path:
    return folder / f"{folder.name}_{part}"
