"""Optic disc and cup outlined by six ophthalmologists on images of three sources: RIGA."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from ...errors import RaterbenchError
from ...parameters import check_arguments
from ..base import IGNORE, Card, Labels
from ..downloads import find_download
from ..images import Picture, check_agreement, read_image
from .disc_and_cup import PHOTOGRAPHS, DiscAndCup, Eye, Mask, Part, Target
from .outlines import fill_outlines

Unclear = Literal["refuse", "ignore"]

PLACES = ("riga", "RIGA", ".")
"""Where the unpacked archives may lie within the data folder."""
SOURCES: Mapping[str, str] = {"BinRushed*": "BinRushed", "Magrabi*": "Magrabia", "MESSIDOR": "MESSIDOR"}
"""How the folder of each source is called (the archives add ``corrected``, or nest it in one of its own name)."""
FILE = re.compile(r"image\s*(?P<number>\d+)(?P<which>prime|-[1-6])", re.IGNORECASE)
REPLACED = ("BinRushed1", "BinRushed1-Corrected")
"""A folder with confused files, and the one that replaced it."""


class RIGA(DiscAndCup):
    """750 fundus images of three sources, each with the disc and the cup of six ophthalmologists.

    The three archives are read as they are, beside one another: images ``image<number>prime.{jpg,tif}``, and for each
    ophthalmologist a copy with both outlines drawn into it, ``image<number>-{1..6}.{jpg,tif}``, in ``MESSIDOR`` (460),
    ``BinRushed/BinRushed{1-Corrected,2,3,4}`` (195) and ``Magrabia/{MagrabiaMale,MagrabiFemale}`` (95), which are the centres.
    Capitals differ; ``BinRushed1`` is passed over where ``BinRushed1-Corrected`` is there, and so are drawings without their
    image (of one image of MagrabiFemale). A missing drawing is an absent rater. Patients are not published: each image is a
    subject. No diagnosis is published.

    What differs between a copy and its image are the outlines; ``fill_outlines`` fills them. A few are known to touch or to be
    faint. Layout and defects are what public code that reads the archives reports; the archives were not seen, so how many
    outlines are unclear could not be counted. That a number is the same person throughout is how published methods take it.

    Args:
        data: Folder of downloaded data, or the data set's own; None reads the variable ``RATERBENCH_DATA``.
        target: ``both``: rim and cup are classes; ``disc``: the disc with its cup; ``cup``: the cup alone.
        unclear: where the outlines enclose no disc with a cup, ``refuse``: an error names the file; ``ignore``: the
            ophthalmologist counts as having judged no pixel of the image.

    Raises:
        RaterbenchError: an option is unknown, or the images are not there or do not belong together.
    """

    name = "riga"
    listed = True
    raters = tuple(f"rater{k}" for k in range(1, 7))
    card: ClassVar[Card] = Card(
        title="RIGA: retinal fundus images for glaucoma analysis",
        citation="A. Almazroa et al.: Retinal fundus images for glaucoma analysis: the RIGA dataset. Proceedings of SPIE "
        "10579, Medical Imaging 2018, 105790B",
        licence="CC BY-NC 4.0",
        source="https://doi.org/10.7302/Z23R0R29",
    )

    def __init__(self, *, data: str | Path | None = None, target: Target = "both", unclear: Unclear = "refuse") -> None:
        check_arguments(RIGA, {"target": target, "unclear": unclear}, self.name)
        self.target, self.unclear = target, unclear
        self.path = find_download(
            data,
            PLACES,
            _files,
            absent="the images of riga are not there",
            get=f"get the three archives from {self.card.source}, unpack them into <data>/{PLACES[0]}",
        )
        images: dict[str, tuple[Path, str]] = {}
        drawn: dict[str, dict[str, dict[Part, Path]]] = {}
        for file, source in _files(self.path):
            found = FILE.fullmatch(file.stem)
            if found is None:
                continue
            folder = source if file.parent.name == source else f"{source}-{file.parent.name}"
            case = f"{folder}-{int(found['number']):03}"
            if found["which"].lower() == "prime":
                images[case] = file, source
            else:
                drawn.setdefault(case, {})[f"rater{found['which'][1:]}"] = {"disc": file, "cup": file}
        self.assign({case: Eye(file, drawn.get(case, {}), case, source) for case, (file, source) in sorted(images.items())})

    def fingerprint(self) -> str:
        # Of what becomes of unclear outlines the index knows nothing.
        return hashlib.sha256(f"{super().fingerprint()}|{self.unclear}".encode()).hexdigest()[:16]

    def masks(self, files: Mapping[Part, Path], image: Picture) -> Mapping[Part, Mask]:
        (file,) = set(files.values())
        copy = read_image(file)
        check_agreement(image, copy._replace(pixels=copy.pixels[0]))
        labels = fill_outlines(image.pixels, copy.pixels)
        if labels is None:
            raise UnclearError(
                f"{file} differs from {image.file.name} in no two outlines, one within the other: look at it, and take it away "
                'so that this rater is absent from this image, or set unclear = "ignore"'
            )
        return {"disc": labels > 0, "cup": labels == 2}

    def rating(self, files: Mapping[Part, Path], image: Picture) -> Labels:
        try:
            return super().rating(files, image)
        except UnclearError:
            if self.unclear == "refuse":
                raise
            return np.full(image.pixels.shape[1:], IGNORE, np.uint8)


class UnclearError(RaterbenchError):
    """The outlines of a file enclose no disc with a cup."""


def _files(place: Path) -> list[tuple[Path, str]]:
    """The image files of each source with its name; of two for one thing the TIFF comes last."""
    found = []
    for pattern, source in SOURCES.items():
        for folder in sorted(place.glob(pattern)):
            files = (file for file in folder.rglob("*") if file.suffix.lower() in PHOTOGRAPHS and not file.name.startswith("."))
            found += [(file, source) for file in sorted(files, key=lambda file: (file.suffix.lower(), file.as_posix()))]
    folders = {file.parent.name for file, _ in found}
    replaced = {REPLACED[0]} if REPLACED[1] in folders else set()
    return [(file, source) for file, source in found if file.parent.name not in replaced]
