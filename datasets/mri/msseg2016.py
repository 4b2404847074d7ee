"""Lesions of multiple sclerosis on MRI of three centres, drawn by seven raters: the MICCAI challenge of 2016 (MSSEG)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from ...errors import RaterbenchError
from ...parameters import check_arguments
from ..base import Card, Case, Dataset, Geometry, Preparation, index_table
from ..downloads import find_download
from ..label_files.label_values import LabelValues
from ..label_files.nifti_scan import find_nifti, needed_nifti, read_contrasts, read_grid, read_mask

Contrast = Literal["flair", "t1", "t1-gd", "t2", "pd"]

PLACES = ("msseg2016/Training", "msseg2016", "Training", ".")
"""Where the folders of the centres may lie within the data folder."""
FILES: Mapping[Contrast, str] = {"flair": "FLAIR", "t1": "T1", "t1-gd": "GADO", "t2": "T2", "pd": "DP"}
"""How the file of each contrast starts."""


class MSSEG2016(Dataset):
    """15 patients of 3 centres with 5 contrasts, whose lesions 7 raters drew on FLAIR.

    The training part is read in the layout in which it is given out since 2021:
    ``Center_XX/Patient_YY/Preprocessed_Data/{FLAIR,T1,GADO,T2,DP}_preprocessed.nii.gz`` (denoised, registered to FLAIR, without
    skull, bias corrected) and ``Masks/ManualSegmentation_1.nii.gz`` to ``_7``. A patient without some of the seven masks was
    not rated by those raters. ``Raw_Data`` has a grid for each contrast and is not read, nor are ``Masks/Brain_Mask.nii.gz``
    and ``Masks/Consensus.nii.gz``: the consensus is LOP-STAPLE of the raters, so neither a rater nor the truth.
    Centres have different voxels, and slices are cut along the last axis of the files, whichever way it lies in the head.

    Args:
        data: Folder of downloaded data, or the challenge's own; None reads the variable ``RATERBENCH_DATA``.
        contrasts: the image's channels, out of ``flair``, ``t1``, ``t1-gd`` (with gadolinium), ``t2`` and ``pd``.

    Raises:
        RaterbenchError: an option is unknown, or the scans are not there or do not belong together.
    """

    name = "msseg2016"
    classes = ("background", "lesion")
    raters = tuple(f"rater{k}" for k in range(1, 8))
    preparation = Preparation(slice_axis="z")
    labels = LabelValues(classes, {0: 0, 1: 1})
    card: ClassVar[Card] = Card(
        title="MICCAI 2016 multiple sclerosis lesion segmentation challenge (MSSEG), training part",
        citation="O. Commowick et al.: Multiple sclerosis lesions segmentation from multiple experts: the MICCAI 2016 "
        "challenge dataset. NeuroImage 244:118589, 2021",
        licence="given to those who register and sign a data usage agreement; no redistribution",
        source="https://portal.fli-iam.irisa.fr/msseg-challenge/",
    )

    def __init__(self, *, data: str | Path | None = None, contrasts: Sequence[Contrast] = ("flair",)) -> None:
        check_arguments(MSSEG2016, {"contrasts": contrasts}, "msseg2016")
        if not contrasts:
            raise RaterbenchError("msseg2016: contrasts is empty: name 'flair', 't1', 't1-gd', 't2' or 'pd'")
        self.contrasts = tuple(contrasts)
        self.path = find_download(
            data,
            PLACES,
            _patients,
            absent="the scans of msseg2016 are not there",
            get=f"register at {self.card.source} (they may not be passed on), put the folders Center_01, Center_07 and "
            f"Center_08 of the training part into <data>/{PLACES[0]}",
        )
        patients = _patients(self.path)
        rows = ((f"{centre}_{patient}", centre, self._rated(centre, patient)) for centre, patient in patients)
        self.index = index_table((case, case, centre, raters) for case, centre, raters in rows)

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> MSSEG2016:
        return cls(data=data, **options)

    def source_files(self) -> Mapping[str, Path]:
        files = []
        for case, raters in zip(self.index["case"], self.index["raters"], strict=True):
            folder = self._folder(case)
            files += [needed_nifti(stem) for stem in (*self._images(folder), *(_mask(folder, rater) for rater in raters))]
        return {file.relative_to(self.path).as_posix(): file for file in files}

    def fingerprint(self) -> str:
        # Of the order of the channels the index and the names of the files know nothing.
        return hashlib.sha256(f"{super().fingerprint()}|{self.contrasts}".encode()).hexdigest()[:16]

    def grid_at(self, position: int) -> tuple[tuple[int, ...], Geometry]:
        return read_grid(self._images(self._folder(self.index["case"].iloc[position]))[0])

    def load(self, position: int) -> Case:
        row = self.index.iloc[position]
        folder = self._folder(row["case"])
        image = read_contrasts(self._images(folder))
        ratings = {rater: read_mask(_mask(folder, rater), image, self.labels) for rater in row["raters"]}
        return Case(row["case"], row["subject"], row["centre"], image.pixels, ratings, image.geometry)

    def _rated(self, centre: str, patient: str) -> tuple[str, ...]:
        folder = self.path / centre / patient
        there = tuple(rater for rater in self.raters if find_nifti(_mask(folder, rater)))
        if not there:
            raise RaterbenchError(
                f"{folder} has no rating: Masks/ManualSegmentation_1.nii.gz to ManualSegmentation_7.nii.gz belong to the "
                "download"
            )
        return there

    def _folder(self, case: str) -> Path:
        centre, _, patient = case.partition("_Patient_")
        return self.path / centre / f"Patient_{patient}"

    def _images(self, folder: Path) -> list[Path]:
        return [folder / "Preprocessed_Data" / f"{FILES[contrast]}_preprocessed" for contrast in self.contrasts]


def _mask(folder: Path, rater: str) -> Path:
    return folder / "Masks" / f"ManualSegmentation_{rater[-1]}"


def _patients(training: Path) -> list[tuple[str, str]]:
    """Centre and patient of each folder such as ``Center_01/Patient_02``, in order; each centre counts its own patients."""
    folders = sorted(folder for folder in training.glob("Center_[0-9][0-9]/Patient_[0-9][0-9]") if folder.is_dir())
    return [(folder.parent.name, folder.name) for folder in folders]
