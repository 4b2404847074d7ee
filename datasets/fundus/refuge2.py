"""Optic disc and cup drawn by seven glaucoma specialists, and whether the eye has glaucoma: REFUGE, multi-rater."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from ...errors import RaterbenchError, shown
from ...parameters import check_arguments
from ...paths import folder_entries
from ..base import Card
from ..downloads import find_download
from ..images import Picture
from .disc_and_cup import PARTS, DiscAndCup, Eye, Mask, Part, Target, bright, table_rows

ARCHIVE = "REFUGE-Multirater"
PLACES = ("refuge2", f"refuge2/{ARCHIVE}", ARCHIVE, "REFUGE-MultiRater", ".")
"""Where the folders of the three parts may lie within the data folder."""
CAMERAS: Mapping[str, str] = {"Training": "Zeiss Visucam 500", "Validation": "Canon CR-2", "Test": "Canon CR-2"}
"""The parts, ``<part>-400`` each, and the camera of each."""


class REFUGE2(DiscAndCup):
    """1,200 fundus images, 400 each for training, validation and test, on which seven specialists drew disc and cup.

    The images are those of REFUGE (2018), which REFUGE2 contains. The archive with the drawings of every specialist is read as
    it is: ``{Training,Validation,Test}-400/<number>/``, in it
    ``<number>.jpg`` and ``<number>_seg_{disc,cup}_{1..7}.png``, white on black. The merged annotation of an eighth specialist
    (``<number>_{disc,cup}.bmp``) is neither a rater nor the truth, and is not read. A specialist who did not draw the target is
    not among the raters of a case.

    Tables ``REFUGE*.csv`` say in the column ``label`` whether the eye in ``multimaskName`` (``.../Test-400/0544/...``) has
    glaucoma (1) or not (0); an eye without a row has no diagnosis. It comes from clinical records, not from the image alone.
    The index has the extra column ``part``; the official test part is ``Test-400``. A centre is a camera. Patients are
    not published: each image is a subject.

    The layout, the columns and what black and white mean are those that public code which reads the archive agrees on; the
    archive was not seen. That a number is the same specialist in all images is how the published methods take it, and could not
    be verified.

    Args:
        data: Folder of downloaded data, or the data set's own; None reads the variable ``RATERBENCH_DATA``.
        target: ``both``: rim and cup are classes; ``disc``: the disc with its cup; ``cup``: the cup alone.

    Raises:
        RaterbenchError: an option is unknown, or the images are not there or do not belong together.
    """

    name = "refuge2"
    listed = True
    raters = tuple(f"rater{k}" for k in range(1, 8))
    diagnoses = ("no glaucoma", "glaucoma")
    card: ClassVar[Card] = Card(
        title="REFUGE with the annotations of all seven raters",
        citation="J. I. Orlando et al.: REFUGE Challenge: a unified framework for evaluating automated methods for glaucoma "
        "assessment from fundus photographs. Medical Image Analysis 59:101570, 2020; H. Fang et al.: REFUGE2 challenge: a "
        "treasure trove for multi-dimension analysis and evaluation in glaucoma screening. 2022, arXiv:2202.08994",
        licence="Apache-2.0 by the page of the download; the challenge gave the images for research",
        source="https://huggingface.co/datasets/realslimman/REFUGE-MultiRater (challenge: https://refuge.grand-challenge.org)",
    )

    def __init__(self, *, data: str | Path | None = None, target: Target = "both") -> None:
        check_arguments(REFUGE2, {"target": target}, self.name)
        self.target = target
        self.path = find_download(
            data,
            PLACES,
            _parts,
            absent="the images of refuge2 are not there",
            get=f"get {ARCHIVE}.zip from {self.card.source}, unpack it into <data>/{PLACES[0]}",
        )
        tables = sorted(self.path.glob("REFUGE*.csv"))
        labels = _labels(tables)
        eyes = {}
        for part in _parts(self.path):
            for folder in (entry for entry in folder_entries(self.path / f"{part}-400") if entry.is_dir()):
                case = f"{part.lower()}-{folder.name}"
                eyes[case] = _eye(folder, case, CAMERAS[part], labels.get((part, folder.name), ""))
        self.assign(eyes, tables)
        self.index["part"] = [case.partition("-")[0] for case in eyes]
        self.official_test = tuple(i for i, part in enumerate(self.index["part"]) if part == "test")

    def masks(self, files: Mapping[Part, Path], image: Picture) -> Mapping[Part, Mask]:
        return {part: bright(file, image) for part, file in files.items()}


def _parts(place: Path) -> list[str]:
    """The parts whose folders are there."""
    return [part for part in CAMERAS if (place / f"{part}-400").is_dir()]


def _eye(folder: Path, case: str, camera: str, diagnosis: str) -> Eye:
    image, drawn = folder / f"{folder.name}.jpg", {}
    if not image.is_file():
        raise RaterbenchError(f"{image} is missing: it belongs to the download")
    for k, rater in enumerate(REFUGE2.raters, start=1):
        files = {part: folder / f"{folder.name}_seg_{part}_{k}.png" for part in PARTS["both"]}
        drawn[rater] = {part: file for part, file in files.items() if file.is_file()}
    return Eye(image, drawn, case, camera, diagnosis)


def _labels(tables: list[Path]) -> dict[tuple[str, str], str]:
    """The diagnosis by part and number, from the tables that have the columns; rows of images without folder are passed over.

    Raises:
        RaterbenchError: a label is neither 0 nor 1, or two tables say different things.
    """
    found: dict[tuple[str, str], str] = {}
    for file in tables:
        for line, cells in table_rows(file):
            place = re.search(r"(Training|Validation|Test)-400/(\d+)/", cells.get("multimaskName", ""))
            if place is None or "label" not in cells:
                continue
            label = cells["label"].removesuffix(".0")
            if label not in ("0", "1"):
                raise RaterbenchError(f"{file}, line {line}: label = {shown(cells['label'])} must be 0 or 1 (glaucoma)")
            key, diagnosis = (place[1], place[2]), REFUGE2.diagnoses[int(label)]
            if found.setdefault(key, diagnosis) != diagnosis:
                raise RaterbenchError(
                    f"{file}, line {line}: {place[0]} has {diagnosis!r}, but another row says {found[key]!r}: "
                    "keep the tables of one download only"
                )
    return found
