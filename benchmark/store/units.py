"""Units on disk. A training unit and a measuring unit are one file each, side by side, under one name.

A *training unit* is a method fitted on one fold: what it predicts for the test cases, what it believes of the raters, and what
its training has to tell. A *measuring unit* holds what was measured of it, in parts that can be added later without training.
Rows that need no network (raters, fused labels) are measuring units alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from ...errors import RaterbenchError
from ...methods.fit_report import FitReport, ThresholdSearch
from ...paths import path_kind, unreachable
from .archive import Archive, DamagedError, write_archive
from .diagnoses import Diagnoses
from .predictions import VALUE_BINS, StoredPrediction

T = TypeVar("T")
SCHEMA = 2

Status = Literal["done", "failed", "skipped"]
Kind = Literal["method", "raters", "fusion"]
"""Whose rows a unit gives: a candidate's, the raters', or those of one fusion's labels."""

RATER = "rater:"
"""What stands before the name of a rater who is a reference."""
SEARCHED, HALF = "searched", "half"
"""The two thresholds of two classes: the one that validation cases chose, and one half."""
UNIT, ESTIMATES = "unit", "estimates"
"""The parts of every unit, and of training units, that have one name."""


@dataclass(frozen=True)
class PlannedUnit:
    """A unit of the plan. ``name`` is the candidate's in tables, the fused row's, or ``raters``; ``stem`` begins its files."""

    key: str
    name: str
    kind: Kind
    repeat: int
    fold: int
    stem: str

    @property
    def place(self) -> str:
        """Which unit of its candidate it is, in words."""
        return f"repeat {self.repeat} fold {self.fold}"

    @property
    def owner(self) -> str:
        """Whose unit it is, in words."""
        return {"method": self.name, "raters": "raters", "fusion": f"fused labels {self.name}"}[self.kind]


@dataclass(frozen=True)
class Origin:
    """Where a number comes from.

    Args:
        seconds: how long it took.
        peak_memory_mb: the largest memory of the process meanwhile; 0 where it was not measured.
        peak_gpu_memory_mb: the largest that it had of a GPU; 0 on the CPU.
        versions: of Python and the libraries that compute.
        hardware: processor, its vector instructions, system and GPU.
        code: a hash of the package's source, as far as it decides about results.
        printed: what a method printed.
        traceback: where an error came from.
    """

    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    hardware: str = ""
    code: str = ""
    printed: str = ""
    traceback: str = ""
    peak_gpu_memory_mb: float = 0.0

    def deciding(self) -> dict[str, str]:
        """What must be the same of all units that are compared: the code and the versions, of Python without the last part."""
        python = ".".join(self.versions.get("python", "").split(".")[:2])
        return {"raterbench's code": self.code, **self.versions, "python": python}


@dataclass(frozen=True, eq=False)
class Estimates:
    """What a candidate believes of the raters of one case.

    ``confusion`` [R, K, K] in the order of ``raters``: ``[r, i, j] = p(rater says i | truth is j)``. A confusion that varies
    over voxels is given as its mean over the voxels of each true class, and over all voxels where no true class is known.
    """

    raters: tuple[str, ...]
    confusion: npt.NDArray[np.float64]


@dataclass(frozen=True)
class TrainingUnit:
    """A fitted method on one fold, without its predictions, which ``read_predictions`` gives one by one.

    ``assignment`` has one bit for each training case and rater: who rated what (``store.assignment``). ``predicted`` names the
    test cases. ``threshold`` is None for more than two classes, ``diagnoses`` where nothing was diagnosed.
    """

    schema: int
    key: str
    status: Status
    reason: str = ""
    method: str = ""
    report: FitReport = field(default_factory=FitReport)
    threshold: ThresholdSearch | None = None
    n_train: int = 0
    n_validation: int = 0
    n_test: int = 0
    assignment: npt.NDArray[np.uint8] | None = None
    predicted: tuple[str, ...] = ()
    origin: Origin = Origin()
    diagnoses: Diagnoses | None = None


@dataclass(frozen=True)
class CaseName:
    """A case, its subject, and its centre, by name."""

    case: str
    subject: str
    centre: str


@dataclass(frozen=True)
class MeasuringUnit:
    """The head of what was measured on one fold: which cases, of whom (``names``), and which parts could not be measured."""

    schema: int
    key: str
    cases: tuple[CaseName, ...]
    names: tuple[str, ...]
    failed: dict[str, str] = field(default_factory=dict)
    origin: Origin = Origin()


@dataclass(frozen=True, eq=False)
class Rows:
    """One metric against one reference.

    ``values`` [names, cases, classes, thresholds], ``measured`` [names, cases] is False where a case has no such reference.
    ``classes`` is ``("all",)`` for metrics of all classes together, ``thresholds`` is ``("",)`` where none makes the labels.
    """

    metric: str
    parameters: str
    reference: str
    classes: tuple[str, ...]
    thresholds: tuple[str, ...]
    values: npt.NDArray[np.float64]
    measured: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.values.shape[2:] != (len(self.classes), len(self.thresholds)) or self.measured.shape != self.values.shape[:2]:
            raise ValueError(f"values {self.values.shape} do not fit classes, thresholds, or measured {self.measured.shape}")


@dataclass(frozen=True, eq=False)
class SingleRaters:
    """One metric against each single rater: an entry for each segmentation, case and rater of the case.

    ``places`` [n, 3]: the segmentation among the unit's names, the case among its cases, the rater among ``raters``. ``values``
    [n, classes, thresholds], with ``classes`` and ``thresholds`` as in ``Rows``.
    """

    metric: str
    parameters: str
    raters: tuple[str, ...]
    classes: tuple[str, ...]
    thresholds: tuple[str, ...]
    places: npt.NDArray[np.int32]
    values: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        n = len(self.values)
        if self.places.shape != (n, 3) or self.values.shape != (n, len(self.classes), len(self.thresholds)):
            raise ValueError(f"places {self.places.shape} do not fit values {self.values.shape}, classes and thresholds")
        if n and not (self.places.min() >= 0 and self.places[:, 2].max() < len(self.raters)):
            raise ValueError(f"places are not those of {len(self.raters)} raters")


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibration counts against one reference: [cases, regions, bins, 3] of voxels, right ones, and summed confidences."""

    reference: str
    regions: tuple[str, ...]
    counts: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.counts.ndim != 4 or self.counts.shape[1::2] != (len(self.regions), 3):
            raise ValueError(f"counts {self.counts.shape} must be [cases, {len(self.regions)} regions, bins, 3]")


@dataclass(frozen=True, eq=False)
class ValueCounts:
    """How many voxels have which predicted probability [cases, foreground classes, 22], as ``StoredPrediction`` counts."""

    classes: tuple[str, ...]
    counts: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.counts.shape[1:] != (len(self.classes), VALUE_BINS + 2):
            raise ValueError(f"counts {self.counts.shape} must be [cases, {len(self.classes)} classes, {VALUE_BINS + 2}]")


@dataclass(frozen=True, eq=False)
class Pooled:
    """A metric of all cases of the fold together: its ``counts`` of each case [cases, ...], and the ``value`` of their sum."""

    metric: str
    parameters: str
    reference: str
    counts: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RaterErrors:
    """Each rater's confusion as estimated and as it was, over all cases of the fold and case by case.

    ``estimate`` and ``truth`` [R, K, K]; ``references`` says for each rater what the truth is: ``truth``, ``others`` (the
    majority of the other raters) or ``none``. ``by_case`` [cases, R, 2, K, K], estimate before truth, NaN for raters who are
    not on a case; None where it would be too large.
    """

    raters: tuple[str, ...]
    references: tuple[str, ...]
    estimate: npt.NDArray[np.float64]
    truth: npt.NDArray[np.float64]
    by_case: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        n = len(self.raters)
        if {n} != {len(self.references), len(self.estimate), len(self.truth)} or self.estimate.shape != self.truth.shape:
            raise ValueError(f"estimates {self.estimate.shape} and truth {self.truth.shape} are not of {n} raters")


@dataclass(frozen=True, eq=False)
class Picture:
    """A kept case: ``image`` [*S] of 0..255, ``ratings`` [R, *S], ``truth`` [*S] where it is known; ``why`` it was kept."""

    case: str
    why: str
    image: npt.NDArray[np.uint8]
    raters: tuple[str, ...]
    ratings: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class PredictedPicture:
    """What a candidate predicts for a kept case: ``probability`` [K, *S] and the ``reliability`` [R, *S] of 0..255.

    ``repaired`` are the labels [R, *S] in place of those of ``repaired_raters``, of candidates that repair annotations.
    ``samples`` are the labels [n, *S] of the segmentations that a candidate sampled, None where it drew none.
    """

    case: str
    probability: npt.NDArray[np.uint8]
    raters: tuple[str, ...] = ()
    reliability: npt.NDArray[np.uint8] | None = None
    repaired_raters: tuple[str, ...] = ()
    repaired: npt.NDArray[np.uint8] | None = None
    samples: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Pictures:
    """The kept cases of a fold, for measuring units of raters."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class PredictedPictures:
    """What a candidate predicts for the kept cases of a fold."""

    pictures: tuple[PredictedPicture, ...]


PART_KINDS: Mapping[str, type] = {
    "rows": Rows,
    "single": SingleRaters,
    "calibration": Calibration,
    "values": ValueCounts,
    "pooled": Pooled,
    "raters": RaterErrors,
    "pictures": Pictures,
    "predicted": PredictedPictures,
}
"""The kind of a part of a measuring unit, by the first word of its name."""


def stem(name: str, repeat: int, fold: int, key: str) -> str:
    """How the files of a unit begin: for people what it is, and the start of the key, which makes it unique."""
    safe = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-").lower()[:60] or "unit"
    tag = "" if safe == name else f"-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    return f"{safe}{tag}.r{repeat}.f{fold}.{key[:12]}"


def training_path(folder: Path, unit: PlannedUnit) -> Path:
    """Where a training unit lies."""
    return folder.joinpath("units", f"{unit.stem}.trained.npz")


def measuring_path(folder: Path, unit: PlannedUnit) -> Path:
    """Where a measuring unit lies."""
    return folder.joinpath("units", f"{unit.stem}.measured.npz")


def weights_path(folder: Path, unit: PlannedUnit) -> Path:
    """Where the weights of a training unit lie, if they are kept."""
    return folder.joinpath("units", f"{unit.stem}.safetensors")


def write_training(
    path: Path, unit: TrainingUnit, predictions: Sequence[StoredPrediction], estimates: Mapping[str, Estimates]
) -> None:
    """Write a training unit with its predictions, and with the ``estimates`` of the raters by case.

    Raises:
        TypeError: something in it cannot be stored.
    """
    parts = {_prediction_part(prediction.case): prediction for prediction in predictions}
    write_archive(path, {UNIT: unit, ESTIMATES: dict(estimates), **parts})


def _prediction_part(case: str) -> str:
    return f"prediction/{quote(case, safe='')}"


def read_training(path: Path, *, whole: bool = False) -> TrainingUnit | None:
    """The training unit in ``path``; ``whole`` checks every byte of its predictions, too. None if it is damaged or not there.

    Raises:
        PermissionError: the file must not be read, which says nothing about the unit.
        RaterbenchError: a folder is in its place.
    """

    def read(archive: Archive) -> TrainingUnit | None:
        if whole:
            archive.verify()
            archive.read(ESTIMATES, dict[str, Estimates])
        unit = archive.read(UNIT, TrainingUnit)
        expected = {UNIT, ESTIMATES, *map(_prediction_part, unit.predicted)}
        return unit if unit.schema == SCHEMA and set(archive.parts) == expected else None

    return _read(path, read)


def read_estimates(path: Path) -> dict[str, Estimates]:
    """What a training unit believes of the raters, by case.

    Raises:
        DamagedError: the file is damaged.
    """
    with Archive(path) as archive:
        return archive.read(ESTIMATES, dict[str, Estimates])


def read_predictions(path: Path, cases: Sequence[str]) -> Iterator[StoredPrediction]:
    """The predictions of a training unit for these cases, one by one.

    Raises:
        DamagedError: the file is damaged, or has none for a case.
    """
    with Archive(path) as archive:
        for case in cases:
            yield archive.read(_prediction_part(case), StoredPrediction)


def write_measuring(path: Path, unit: MeasuringUnit, parts: Mapping[str, object]) -> None:
    """Write a measuring unit with all its parts, in place of the one that was there."""
    write_archive(path, {UNIT: unit, **parts})


def read_measuring(path: Path, wanted: Sequence[str] | None = None) -> tuple[MeasuringUnit, dict[str, object]] | None:
    """A measuring unit and its parts, those ``wanted`` or all; every byte is checked. None if it is damaged or not there.

    Raises:
        PermissionError: the file must not be read, which says nothing about the unit.
        RaterbenchError: a folder is in its place.
    """

    def read(archive: Archive) -> tuple[MeasuringUnit, dict[str, object]] | None:
        archive.read_all()
        unit = archive.read(UNIT, MeasuringUnit)
        names = [name for name in archive.parts if name != UNIT and (wanted is None or name in wanted)]
        parts: dict[str, object] = {name: archive.read(name, PART_KINDS[name.partition("/")[0]]) for name in names}
        shape = len(unit.names), len(unit.cases)
        fit = all(part.values.shape[:2] == shape for part in parts.values() if isinstance(part, Rows))
        singles = [part for part in parts.values() if isinstance(part, SingleRaters)]
        fit &= all((part.places[:, :2] < shape).all() for part in singles)
        fit &= all(
            len(part.counts) == shape[1] for part in parts.values() if isinstance(part, Calibration | ValueCounts | Pooled)
        )
        return (unit, parts) if unit.schema == SCHEMA and fit else None

    return _read(path, read)


def read_measuring_head(path: Path) -> MeasuringUnit | None:
    """A measuring unit without its parts, which is quick and says nothing about their state; None as for ``read_measuring``."""

    def read(archive: Archive) -> MeasuringUnit | None:
        unit = archive.read(UNIT, MeasuringUnit)
        return unit if unit.schema == SCHEMA else None

    return _read(path, read)


def _read(path: Path, read: Callable[[Archive], T | None]) -> T | None:
    """What ``read`` gives of the archive in ``path``; None if it is damaged or not there."""
    kind = path_kind(path)
    if kind == "nothing":
        return None
    if kind == "folder":
        raise RaterbenchError(f"{path} is a folder, where the file of a unit is needed: move it elsewhere")
    try:
        with Archive(path) as archive:
            return read(archive)
    except OSError as error:
        raise unreachable(path, error) from error
    except (DamagedError, KeyError):
        return None
