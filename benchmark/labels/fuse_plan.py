"""Plans which files to fuse and where to write the results, from the paths that a user gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...datasets.images import READ_ONLY, WITH_GEOMETRY, stem_of, suffix_of
from ...datasets.label_files.label_values import LabelValues, parse_classes, with_threshold
from ...datasets.label_files.rating_files import find_cases, one_case
from ...datasets.layout.folder_layout import RatedFiles
from ...datasets.layout.folder_settings import read_settings
from ...errors import RaterbenchError

LABEL_ENDINGS = (".nii.gz", ".nii", ".mha", ".nrrd", ".png", ".tif", ".tiff")
"""Formats for a consensus: a single file with lossless compression or none, so not MHD, which needs two files."""
PROBABILITY_ENDINGS = (".nii.gz", ".nii", ".mha", ".nrrd", ".tif", ".tiff")
FIGURE_ENDINGS = (".png", ".pdf", ".svg")
FLAGS = "--threshold, --darker"


@dataclass(frozen=True)
class Places:
    """The output files of a case; None for those not wanted.

    Raises:
        RaterbenchError: a name has an ending that cannot be written.
    """

    consensus: Path
    probability: Path | None = None
    figure: Path | None = None

    def __post_init__(self) -> None:
        _check_ending(self.consensus, LABEL_ENDINGS, "a consensus")
        _check_ending(self.probability, PROBABILITY_ENDINGS, "a probability")
        _check_ending(self.figure, FIGURE_ENDINGS, "a figure")


@dataclass(frozen=True)
class FuseTask:
    """The input and output files of a case."""

    files: RatedFiles
    places: Places


@dataclass(frozen=True)
class FusePlan:
    """What to fuse.

    Args:
        tasks: the cases.
        raters: the file for the table of raters.
        classes: the values of the classes in the files; None to find them in the files.
        ignore: the value of voxels that were not judged.
        others: further files that are read.
        folder: the folder of the cases; None for the files of one case.
        anonymous_raters: a name may stand for different people in different cases.
    """

    tasks: tuple[FuseTask, ...]
    raters: Path | None = None
    classes: LabelValues | None = None
    ignore: int | None = None
    others: tuple[Path, ...] = field(default=())
    folder: Path | None = None
    anonymous_raters: bool = False

    @property
    def fractions(self) -> bool:
        """Whether values need not be whole numbers."""
        return self.classes is not None and self.classes.threshold is not None

    def __post_init__(self) -> None:
        _check_ending(self.raters, (".csv",), "the table of the raters")


def fuse_plan(
    inputs: Sequence[Path],
    out: Path | None,
    *,
    probability: Path | None = None,
    figure: Path | None = None,
    raters: Path | None = None,
    image: Path | None = None,
    classes: str | None = None,
    ignore: int | None = None,
    threshold: float | None = None,
    darker: bool = False,
) -> FusePlan:
    """Plan the fusion of the label files of one case, or of a folder of cases; for a folder, outputs other than the table are
    folders.

    Raises:
        RaterbenchError: there is nothing to fuse or nowhere to write, or paths do not fit together.
    """
    if out is None:
        raise RaterbenchError("there is nowhere to write: give -o with the file (for a folder of cases, the folder) to make")
    named = parse_classes(classes, ignore) if classes else None
    folders = [path for path in inputs if path.is_dir()]
    if not folders:
        declared = with_threshold(named, threshold, darker, ignore, FLAGS)
        task = FuseTask(one_case(inputs, stem_of(out), image), Places(out, probability, figure))
        return FusePlan((task,), raters, declared, ignore)
    if len(inputs) > 1:
        raise RaterbenchError(f"{folders[0]} is a folder: give either one folder of cases, or the files of one case")
    if image:
        raise RaterbenchError(f"--image is for the files of one case: put the images of a folder into {folders[0] / 'images'}")
    tasks = _tasks(folders[0], out, probability, figure)
    _check_folders(folders[0], out=out, probability=probability, figure=figure)
    file = folders[0] / "dataset.toml"
    settings = read_settings(file)
    ignore = settings.ignore if ignore is None else ignore
    declared = with_threshold(named or settings.labels, threshold, darker, ignore, FLAGS)
    others = (file, folders[0] / "cases.csv")
    table, anonymous = raters or out / "raters.csv", settings.anonymous_raters
    return FusePlan(tuple(tasks), table, declared, ignore, others, folders[0], anonymous)


def _check_folders(folder: Path, **places: Path | None) -> None:
    """Raise a RaterbenchError if an output for a folder of cases has the name of a file and is no existing folder."""
    for place in places.values():
        ending = next((e for e in (*LABEL_ENDINGS, *FIGURE_ENDINGS) if place and place.name.lower().endswith(e)), "")
        if place and ending and not place.is_dir():
            shorter = place.with_name(place.name[: -len(ending)] or "out")
            raise RaterbenchError(
                f"{place} is called as a file is, and each case of {folder} gets a file of its own: give a folder, such as "
                f"{shorter}"
            )


def _tasks(folder: Path, out: Path, probability: Path | None, figure: Path | None) -> list[FuseTask]:
    """One task for each case. Outputs have the format of its first rating; NRRD for a probability if that cannot hold one."""
    for place in (out, probability, figure):
        for part, word in (("ratings", "rater"), ("images", "image")):
            if place and (folder / part).resolve() in (place.resolve(), *place.resolve().parents):
                raise RaterbenchError(f"{place} lies in {folder / part}, where it would be taken for a {word}: choose another")
    tasks = []
    for files in find_cases(folder):
        ending = suffix_of(next(iter(files.ratings.values()))) or ""
        ending = {".mhd": ".mha"}.get(ending, ".png" if ending in READ_ONLY else ending)
        real = ending if ending in WITH_GEOMETRY else ".nrrd"
        places = Places(
            out / f"{files.case}{ending}",
            probability / f"{files.case}{real}" if probability else None,
            figure / f"{files.case}.png" if figure else None,
        )
        tasks.append(FuseTask(files, places))
    return tasks


def _check_ending(file: Path | None, endings: Sequence[str], what: str) -> None:
    if file and not file.name.lower().endswith(tuple(endings)):
        raise RaterbenchError(f"{file} has an ending that {what} cannot have: give one of {', '.join(endings)}")
