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

    ``sizes`` has for each foreground class its area or volume in the unit of the model's data set (``size_words``), NaN where
    the image does not say how large its voxels are. ``failed`` says why nothing was predicted; it is empty else.
    """

    places: Places
    sizes: dict[str, float]
    warnings: tuple[str, ...]
    failed: str = ""


def plan_predictions(
    model: Model, images: Sequence[Path], folder: Path, *, ending: str = ENDINGS[0], overwrite: bool = False
) -> list[Places]:
    """Where each image is and where its predictions go; of a folder among ``images``, all images in it.

    What names and headers say is checked here, before anything is predicted; pixels are only read by ``predict_files``.

    Raises:
        RaterbenchError: there is no image, two have one name, a header cannot be read, an image has other channels or axes than
            the model knows, or an output would replace an image, or, unless ``overwrite``, anything else but what a run of the
            same model left that was stopped.
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

    The probability of two classes is that of the second; of more, each class is a channel. What an earlier table lists is first
    removed. The model's card is then written, and a table of all images last. An image that cannot be read or predicted has the
    reason in its row, and the others are predicted.

    Raises:
        RaterbenchError: an output cannot be written.
    """
    found = []
    _remove_earlier(folder, plan)
    _write(folder / CARD, model.card.text().encode())
    for places in counted_step(f"predicting {len(plan)} images", plan):
        try:
            predicted = model.predict_image(places.image)
        except RaterbenchError as error:
            found.append(PredictedImage(places, dict.fromkeys(model.card.data.classes[1:], math.nan), (), str(error)))
            _remove(places.labels, places.probability)  # A run that was stopped may have left them.
            continue
        for part in (places.labels.parent, places.probability.parent):
            with naming(part):
                part.mkdir(parents=True, exist_ok=True)
        write_labels(places.labels, predicted.labels, predicted.geometry, model.card.data.class_values)
        p = predicted.probability
        write_probability(places.probability, p[1:] if len(p) == 2 else p, predicted.geometry)
        found.append(PredictedImage(places, _sizes(model, predicted), predicted.warnings))
    _write(folder / TABLE, _table(model, found))
    return found


def _remove_earlier(folder: Path, plan: Sequence[Places]) -> None:
    """Remove the table of an earlier run, and the files in the folder that it lists, which may be of other images.

    So nothing of another model stands beside the card. No image that is to be predicted is removed.
    """
    table, read = folder / TABLE, {os.path.realpath(places.image) for places in plan}
    if table.is_file():
        for file in _listed_files(table):
            if os.path.realpath(file) not in read and Path(os.path.realpath(file.parent)).is_relative_to(folder.resolve()):
                _remove(file)
    _remove(table)


def _remove(*files: Path) -> None:
    for file in files:
        with naming(file):
            file.unlink(missing_ok=True)


def _listed_files(table: Path) -> list[Path]:
    """The predictions that a table lists, where they are now: the folder may have been moved. None of another kind of table."""
    with naming(table):
        try:
            rows = pd.read_csv(table, dtype=str, keep_default_na=False).fillna("")
        except ValueError:  # It is damaged, or no table.
            return []
    parts = [part for part in ("labels", "probability") if part in rows]
    names = [(part, Path(name).name) for part in parts for name in rows[part]]
    return [table.parent / part / name for part, name in names if name.endswith(ENDINGS)]


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
    """The area or volume of each foreground class in the unit of the model's data set; NaN in mm where the image has none."""
    voxel = 1.0
    if model.card.data.unit == "mm":
        voxel = math.prod(predicted.geometry.spacing) if predicted.geometry.unit == "mm" else math.nan
    return {name: int((predicted.labels == k).sum()) * voxel for k, name in enumerate(model.card.data.classes) if k}


def _table(model: Model, found: Sequence[PredictedImage]) -> bytes:
    """A row for each image; one that was not predicted names no file, and says why."""
    rows = [
        {
            "image": str(one.places.image),
            "labels": "" if one.failed else str(one.places.labels),
            "probability": "" if one.failed else str(one.places.probability),
            **{f"{name} ({size_words(model)})": size for name, size in one.sizes.items()},
            "warnings": "; ".join(one.warnings),
            "failed": one.failed,
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
