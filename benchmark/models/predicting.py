"""Predict image files into a folder: label maps and probabilities on the images' own grids, and a table of what was found."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ...datasets.images import image_form, stem_of, suffix_of, write_labels, write_probability
from ...errors import RaterbenchError
from ...paths import folder_entries, path_kind
from ...steps import counted_step
from ...whole_files import naming, replacing
from ..labels.csv_text import spreadsheet_bytes
from .card import CARD
from .model import CasePrediction, Model

ENDINGS = (".nii.gz", ".nii", ".mha", ".nrrd")
"""Formats that hold labels and probabilities, and say where a voxel lies."""
TABLE = "predictions.csv"
FLAT = 2
"""Spatial axes of an image that is no volume."""


@dataclass(frozen=True)
class Places:
    """Where an image is, and where what is predicted of it goes."""

    image: Path
    labels: Path
    probability: Path


@dataclass(frozen=True)
class PredictedImage:
    """One image that was predicted: where, how large each class is, and how it differs from the training images.

    ``sizes`` has for each foreground class its area or volume in mm (or pixels, where the size of a pixel is not known).
    """

    places: Places
    sizes: dict[str, float]
    warnings: tuple[str, ...]


def plan_predictions(
    model: Model, images: Sequence[Path], folder: Path, *, ending: str = ENDINGS[0], overwrite: bool = False
) -> list[Places]:
    """Where each image is and where its predictions go; of a folder among ``images``, all images in it.

    Everything that can be wrong is found here, before anything is predicted.

    Raises:
        RaterbenchError: there is no image, two have one name, an image has other channels or axes than the model knows, or an
            output would replace an image, or, unless ``overwrite``, anything else but what a run of the same model left that
            was stopped.
    """
    if ending not in ENDINGS:
        raise RaterbenchError(f"predictions are not written as {ending!r}: give one of {', '.join(ENDINGS)}")
    plan: dict[str, Places] = {}
    for image in _image_files(images):
        name = stem_of(image)
        if name in plan:
            raise RaterbenchError(f"{plan[name].image} and {image} have the same name, as their predictions would: rename one")
        model.check_form(*image_form(image), image)
        plan[name] = Places(image, folder / "labels" / f"{name}{ending}", folder / "probability" / f"{name}{ending}")
    read = {os.path.realpath(places.image) for places in plan.values()}
    written = [file for places in plan.values() for file in (places.labels, places.probability)]
    for file in written:
        if os.path.realpath(file) in read:
            raise RaterbenchError(f"{file} is one of the images, and would be replaced: give another folder")
    there = [file for file in (*written, folder / TABLE, folder / CARD) if os.path.lexists(file)]
    if there and not overwrite and not _was_stopped(model, folder):
        more = f" and {len(there) - 1} more files are" if len(there) > 1 else " is"
        raise RaterbenchError(f"{there[0]}{more} there already: give another folder, or allow to overwrite them")
    return list(plan.values())


def predict_files(model: Model, plan: Sequence[Places], folder: Path) -> list[PredictedImage]:
    """Predict each image and write labels, as the data set's files have them, and probabilities, on the image's own grid.

    The probability of two classes is that of the second; of more, each class is a channel. The model's card is written beside
    them first, and a table of all images last.

    Raises:
        RaterbenchError: an image cannot be read, or an output cannot be written.
    """
    found = []
    with naming(folder / TABLE):
        (folder / TABLE).unlink(missing_ok=True)
    _write(folder / CARD, model.card.text().encode())
    for places in counted_step(f"predicting {len(plan)} images", plan):
        predicted = model.predict_image(places.image)
        for part in (places.labels.parent, places.probability.parent):
            with naming(part):
                part.mkdir(parents=True, exist_ok=True)
        write_labels(places.labels, predicted.labels, predicted.geometry, model.card.data.class_values)
        p = predicted.probability
        write_probability(places.probability, p[1:] if len(p) == 2 else p, predicted.geometry)
        found.append(PredictedImage(places, _sizes(model, predicted), predicted.warnings))
    _write(folder / TABLE, _table(model, found))
    return found


def _was_stopped(model: Model, folder: Path) -> bool:
    """Whether the folder holds what a run of this model left that did not come to its end: the card, and no table."""
    card = folder / CARD
    if os.path.lexists(folder / TABLE) or card.is_symlink() or path_kind(card) != "file":
        return False
    return card.read_bytes() == model.card.text().encode()


def _write(file: Path, content: bytes) -> None:
    with replacing(file) as place:
        place.write_bytes(content)


def size_words(model: Model) -> str:
    """What ``PredictedImage.sizes`` are, and in which unit: ``volume, mm^3``."""
    (dims, *_), unit = model.card.seen.dims, model.card.data.unit
    what = "area" if dims == FLAT else "volume"
    return f"{what}, mm^{dims}" if unit == "mm" else f"{what}, {'pixels' if dims == FLAT else 'voxels'}"


def _sizes(model: Model, predicted: CasePrediction) -> dict[str, float]:
    """The area or volume of each foreground class, in the unit of the model's data set."""
    voxel = math.prod(predicted.geometry.spacing) if model.card.data.unit == "mm" else 1.0
    return {name: int((predicted.labels == k).sum()) * voxel for k, name in enumerate(model.card.data.classes) if k}


def _table(model: Model, found: Sequence[PredictedImage]) -> bytes:
    """A row for each image."""
    rows = [
        {
            "image": str(one.places.image),
            "labels": str(one.places.labels),
            "probability": str(one.places.probability),
            **{f"{name} ({size_words(model)})": size for name, size in one.sizes.items()},
            "warnings": "; ".join(one.warnings),
        }
        for one in found
    ]
    return spreadsheet_bytes(pd.DataFrame(rows))


def _image_files(images: Sequence[Path]) -> list[Path]:
    """The files, and in place of a folder the images that it holds.

    Raises:
        RaterbenchError: there is none, or one is no image.
    """
    found: list[Path] = []
    for image in images:
        kind = path_kind(image)
        if kind == "nothing":
            raise RaterbenchError(f"{image} is not there: check the path")
        files = [file for file in folder_entries(image) if suffix_of(file)] if kind == "folder" else [image]
        if not files:
            raise RaterbenchError(f"{image} holds no image: give image files, or a folder with some")
        found += files
    return found
