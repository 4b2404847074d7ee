"""Optic disc and cup drawn by five experts, each with a decision on glaucoma: Chákṣu."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from ...errors import RaterbenchError, shown
from ...parameters import check_arguments
from ..base import Card
from ..downloads import find_download
from ..images import Picture
from .disc_and_cup import PARTS, DiscAndCup, Eye, Mask, Part, Target, bright, child, photographs, table_rows

PLACES = ("chaksu", "chaksu/20123135", "20123135", "Chaksu", ".")
"""Where the folders Train and Test may lie within the data folder."""
CAMERAS = ("Bosch", "Forus", "Remidio")
PHOTOGRAPHS = "1.0_Original_Fundus_Images"
MASKS = "3.0_Doctors_Annotations_Binary_OD_OC"
DECISIONS = "6.0_Glaucoma_Decision"
PERSON = re.compile(r"(p\d+)[_-]", re.IGNORECASE)
"""How the names of some photographs begin, of which the same person may have several."""


class Chaksu(DiscAndCup):
    """1,345 fundus images of three cameras (1,009 to train, 336 to test) with five experts' disc, cup and decision.

    The two archives are read as they are: ``{Train,Test}/1.0_Original_Fundus_Images/<camera>/<image>.*``, masks
    ``3.0_Doctors_Annotations_Binary_OD_OC/Expert <n>/<camera>/{Disc,Cup}/<image>.tif``, white on black, and
    ``6.0_Glaucoma_Decision/Glaucoma_Decision_Comparison_<camera>_majority.csv``. Capitals differ between folders (``cup``),
    and two experts' decision is spelt ``GLAUCOMA  SUSUPECT``: both are read as what they mean. A few masks are known to be
    broken outlines (expert 2's disc of the training image 145 of the camera Bosch, for one); they are read as they are.

    A case's diagnosis is the published decision of the majority (``Majority Decision``, or ``Glaucoma Decision`` in two files
    of the test part); where there is none, the majority of the experts' own, which are the case's ``rater_diagnoses``. An image
    that no row names has neither. The official test part is ``Test``. A centre is a camera. Names such as ``P11_image_1`` name
    a person, who is the subject; every other image is a subject.

    The layout is what public code that reads the archives agrees on; the archives were not seen.

    Args:
        data: Folder of downloaded data, or the data set's own; None reads the variable ``RATERBENCH_DATA``.
        target: ``both``: rim and cup are classes; ``disc``: the disc with its cup; ``cup``: the cup alone.

    Raises:
        RaterbenchError: an option is unknown, or the images are not there or do not belong together.
    """

    name = "chaksu"
    listed = True
    raters = tuple(f"expert{k}" for k in range(1, 6))
    diagnoses = ("normal", "glaucoma suspect")
    card: ClassVar[Card] = Card(
        title="Chákṣu: a glaucoma-specific fundus image database",
        citation="J. R. H. Kumar et al.: Chákṣu: A glaucoma specific fundus image database. Scientific Data 10:70, 2023",
        licence="CC BY 4.0",
        source="https://doi.org/10.6084/m9.figshare.20123135",
    )

    def __init__(self, *, data: str | Path | None = None, target: Target = "both") -> None:
        check_arguments(Chaksu, {"target": target}, self.name)
        self.target = target
        self.path = find_download(
            data,
            PLACES,
            _halves,
            absent="the images of chaksu are not there",
            get=f"get Train.zip and Test.zip from {self.card.source}, unpack them into <data>/{PLACES[0]}",
        )
        eyes, tables = {}, []
        for half in _halves(self.path):
            for camera in CAMERAS:
                images = photographs(child(half / PHOTOGRAPHS, camera))
                if images:
                    tables.append(child(half / DECISIONS, f"Glaucoma_Decision_Comparison_{camera}_majority.csv"))
                    decided, drawn = _decisions(tables[-1]), _drawn(half / MASKS, camera)
                for stem, file in images.items():
                    case = f"{half.name.lower()}-{camera.lower()}-{file.stem}"
                    own = decided.get(stem, {})
                    person = PERSON.match(stem)
                    subject = f"{camera.lower()}-{person[1]}" if person else case
                    eyes[case] = Eye(
                        file, drawn.get(stem, {}), subject, camera, own.pop("", "") or _majority(own.values()), own
                    )
        self.assign(eyes, tables)
        self.official_test = tuple(i for i, case in enumerate(eyes) if case.startswith("test-"))

    def masks(self, files: Mapping[Part, Path], image: Picture) -> Mapping[Part, Mask]:
        return {part: bright(file, image) for part, file in files.items()}


def _halves(place: Path) -> list[Path]:
    return [half for half in (place / "Train", place / "Test") if (half / PHOTOGRAPHS).is_dir()]


def _drawn(masks: Path, camera: str) -> dict[str, dict[str, dict[Part, Path]]]:
    """The mask of each part by image (in small letters) and expert."""
    found: dict[str, dict[str, dict[Part, Path]]] = {}
    for k, rater in enumerate(Chaksu.raters, start=1):
        for part in PARTS["both"]:
            for stem, file in photographs(child(child(child(masks, f"Expert {k}"), camera), part)).items():
                found.setdefault(stem, {}).setdefault(rater, {})[part] = file
    return found


def _decisions(file: Path) -> dict[str, dict[str, str]]:
    """The decision of each expert, and under the empty name that of the majority, by image (in small letters).

    Images are called ``Image101.jpg-Image101-1.jpg``, whatever the ending of their file.

    Raises:
        RaterbenchError: the table is not there, or has a decision that is none.
    """
    known = {"NORMAL": "normal", "GLAUCOMA SUSPECT": "glaucoma suspect", "GLAUCOMA SUSUPECT": "glaucoma suspect", "": ""}
    found: dict[str, dict[str, str]] = {}
    for line, cells in table_rows(file):
        stem = Path(cells.get("Images", "").partition("-")[0]).stem.casefold()
        found[stem] = {}
        for column, cell in cells.items():
            number = re.fullmatch(r"Expert\W?([1-5])", column)
            if number or column in ("Majority Decision", "Glaucoma Decision"):
                decision = " ".join(cell.upper().split())
                if decision not in known:
                    raise RaterbenchError(
                        f"{file}, line {line}: {shown(cell)} in the column {column!r} is no decision, which is NORMAL or "
                        "GLAUCOMA SUSPECT: copy the file from the download again"
                    )
                found[stem][f"expert{number[1]}" if number else ""] = known[decision]
    return found


def _majority(decisions: Iterable[str]) -> str:
    """What more than half of those who decided say; empty where there is no such thing."""
    counts = Counter(decision for decision in decisions if decision)
    return next((decision for decision, count in counts.items() if 2 * count > counts.total()), "")
