"""A model that predicts: the fold models of a candidate as an ensemble, or one that learned from all cases."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...datasets.base import Case, Floats, Geometry, Labels
from ...datasets.images import image_form, read_image, stem_of
from ...errors import RaterbenchError
from ...methods.base import Method
from ...methods.thresholds import hard_labels
from ...paths import path_kind
from ..experiment.factory import load_plugins, method_from_table, sources_within
from .card import CARD, Member, ModelCard, read_card
from .preparations import fitted_preparations
from .seen_images import Span, orientation
from .weights_file import KeptWeights, read_weights

if TYPE_CHECKING:
    import torch

NEAR = 1e-3
"""By which share a spacing may be outside what was seen without a warning: headers round."""


@dataclass(frozen=True, eq=False)
class CasePrediction:
    """What a model says about one image.

    Args:
        case: its name, that of the file without the ending.
        probability: [K, *S] float32 in the image's own geometry, sums to 1.
        labels: [*S] uint8 class indices; ``ModelCard.data.class_values`` says what files call them.
        geometry: of the image, as it is in its file.
        warnings: how the image differs from those that the model learned from, in sentences.
    """

    case: str
    probability: Floats
    labels: Labels
    geometry: Geometry
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Model:
    """Fitted methods whose probabilities are averaged, and what is known of them.

    ``weights`` holds what each member was restored from, so that the model can be written.
    """

    card: ModelCard
    methods: Sequence[Method]
    weights: Sequence[KeptWeights]

    def predict_proba(self, case: Case) -> Floats:
        """Probability [K, *S] float32 of a case, in its own geometry; its labels are not looked at.

        A ``UserWarning`` says where the image is unlike those that the model learned from.

        Raises:
            RaterbenchError: the image has another number of channels or of spatial axes than the model knows.
        """
        for doubt in self.doubts(case):
            warnings.warn(doubt, UserWarning, stacklevel=2)
        return self._mean(case)

    def predict_image(self, file: str | Path) -> CasePrediction:
        """Predict the image in a file, as data sets of a folder read it.

        Raises:
            RaterbenchError: it cannot be read, or has another number of channels or of spatial axes than the model knows.
        """
        file = Path(file)
        self.check_form(*image_form(file), file)
        pixels, geometry, _ = read_image(file)
        known = geometry
        if self.card.data.unit == "pixel":
            known = Geometry.axis_aligned(len(geometry.spacing))
        name = stem_of(file)
        case = Case(name, name, "", pixels, {}, known)
        doubts = self.doubts(case)
        probability = self._mean(case)
        return CasePrediction(name, probability, self.labels_of(probability), geometry, doubts)

    def labels_of(self, probability: Floats) -> Labels:
        """Class indices [*S] of probabilities [K, *S]: for two classes at the members' mean threshold, else the likeliest."""
        return hard_labels(probability, self.card.threshold)

    def check_form(self, channels: int, dims: int, where: object) -> None:
        """See that an image has the channels and axes that the model knows; ``where`` it is.

        Raises:
            RaterbenchError: it has others.
        """
        seen = self.card.seen
        for found, known, word in ((dims, seen.dims, "spatial axes"), (channels, seen.channels, "channels")):
            if found not in known:
                numbers = " or ".join(map(str, known))
                raise RaterbenchError(
                    f"{where} has {found} {word}, but the images that {self.card.name!r} learned from have {numbers}: give "
                    f"images like those of {self.card.data.name!r}"
                )

    def doubts(self, case: Case) -> tuple[str, ...]:
        """How the image of a case differs from those that the model learned from, in sentences.

        Raises:
            RaterbenchError: it has another number of channels or of spatial axes; or the model resamples to voxels of a size,
                and the voxels of this image or of the training images are of unknown size.
        """
        self.check_form(len(case.image), len(case.shape), f"case {case.id!r}")
        seen, geometry, found = self.card.seen, case.geometry, []
        if geometry.unit != seen.unit:
            self._check_size(case)
            found.append(f"its lengths are in {geometry.unit}, those of the training images in {seen.unit}")
        elif seen.unit == "mm" and _is_outside(geometry.spacing, seen.spacing):
            known = " x ".join(_span(span) for span in seen.spacing)
            mine = " x ".join(f"{step:.4g}" for step in geometry.spacing)
            found.append(f"its spacing is {mine} mm, that of the training images {known} mm (in the order of the array)")
        turned = orientation(geometry)
        if turned and seen.orientations and turned not in seen.orientations:
            known = ", ".join(seen.orientations)
            found.append(f"its axes point to {turned}, those of the training images to {known}: the model may see it turned")
        return tuple(found)

    def _check_size(self, case: Case) -> None:
        """Refuse a case whose unit is not that of the training images where voxels are resampled to a size in this unit."""
        from ...methods.learning.preparation import size_setting  # Only here: it needs torch, which no reader of a card needs.

        fitted = [one for kept in self.weights for one in fitted_preparations(kept.about.facts)]
        for preparation in fitted or [self.card.preparation]:
            if not (setting := size_setting(case.shape, preparation)):
                continue
            if case.geometry.unit == "pixel":
                raise RaterbenchError(
                    f"case {case.id!r} says nothing of the size of its voxels, and the model resamples to {setting} mm: give a "
                    "file with a spacing in mm, such as NIfTI or MHA"
                )
            raise RaterbenchError(
                f"the images that {self.card.name!r} learned from say nothing of the size of their voxels, and the model "
                f"resamples to {setting} pixels, but the lengths of case {case.id!r} are in mm: give its geometry in pixels, "
                "or train on images with a spacing in mm"
            )

    def _mean(self, case: Case) -> Floats:
        """The mean of the members' probabilities, each with the seed of its fold, as the benchmark predicted."""
        # Only here: it needs the runner, which no reader of a card needs.
        from ..runner.train import checked_prediction

        total = np.zeros((len(self.card.data.classes), *case.shape), np.float64)
        for method, member in zip(self.methods, self.card.members, strict=True):
            total += checked_prediction(method, case, len(total), seed=member.seed).probability
        probability: Floats = (total / len(self.methods)).astype(np.float32)
        return probability


def load_model(
    path: str | Path,
    *,
    candidate: str | None = None,
    repeat: int | None = None,
    fold: int | None = None,
    plugins: Sequence[str | Path] = (),
    device: str | torch.device = "cpu",
) -> Model:
    """A model from the folder that ``raterbench train`` wrote, or from results that kept their weights.

    No code that the folder names is run: the file of a plug-in's method is given in ``plugins``.

    Args:
        path: the model folder, or a results folder.
        candidate: of results, whose fold models are wanted; a model folder has one alone.
        repeat: only the members of this repeat; all by default.
        fold: only the members of this fold; all by default.
        plugins: files that define the method or its parts.
        device: where to compute.

    Raises:
        RaterbenchError: there is no model, its weights were not kept, or it is another version's or another plug-in's.
    """
    folder = Path(path)
    load_plugins(tuple(map(str, plugins)))
    if path_kind(folder / CARD) == "file":
        card = read_card(folder)
        if candidate is not None and candidate != card.name:
            raise RaterbenchError(f"{folder} is the model of {card.name!r}, not of {candidate!r}")
        weights = [_checked_weights(folder, member) for member in card.members]
    elif path_kind(folder / "experiment.json") == "file":
        from .from_results import kept_models

        card, weights = kept_models(folder, candidate)
    else:
        raise RaterbenchError(
            f"{folder} holds no model ({CARD}) and no results (experiment.json): give what 'raterbench train' or 'raterbench "
            "run' wrote"
        )
    chosen = [
        (m, w) for m, w in zip(card.members, weights, strict=True) if repeat in (None, m.repeat) and fold in (None, m.fold)
    ]
    if not chosen:
        known = "; ".join(member.name for member in card.members)
        asked = ", ".join(f"{word} {n}" for word, n in (("repeat", repeat), ("fold", fold)) if n is not None)
        raise RaterbenchError(f"the model of {card.name!r} has no member of {asked}: it has {known}")
    members, kept = (tuple(parts) for parts in zip(*chosen, strict=True))
    card = replace(card, members=members)
    return Model(card, [restored(card, one, device) for one in kept], kept)


def restored(card: ModelCard, kept: KeptWeights, device: str | torch.device) -> Method:
    """One fitted method of a model.

    Raises:
        RaterbenchError: its class is not known here, or another one; or the weights do not fit it.
    """
    where = f"the model of {card.name!r}"
    try:
        method = method_from_table(card.method, where)
    except RaterbenchError as error:
        mend = "; it came from a plug-in: give its file" if card.sources else ""
        raise RaterbenchError(f"{error}{mend}") from error
    if tuple(sources_within(method)) != kept.about.sources:
        raise RaterbenchError(
            f"{where}: the plug-in is not the one that it was trained with, so that it may predict otherwise: give the file as "
            "it was, or train again"
        )
    if kept.about.facts is None:
        raise not_restorable(card.name, type(method).__name__)
    try:
        return method.restore(kept.weights, kept.about.facts, device=device)
    except (KeyError, TypeError, AttributeError) as error:
        raise RaterbenchError(f"{where} cannot be restored ({type(error).__name__}: {error}): train it again") from error


def not_restorable(candidate: str, kind: str) -> RaterbenchError:
    """The error for a method of which no model can be made."""
    return RaterbenchError(
        f"{candidate!r} cannot be a model: {kind} cannot be restored from its weights; a class that is no NetworkMethod must "
        "implement facts and restore"
    )


def _checked_weights(folder: Path, member: Member) -> KeptWeights:
    file = folder / member.file
    kept = read_weights(file)
    if file_hash(file) != member.sha256:
        raise RaterbenchError(f"{file} is not the file that {folder / CARD} describes: get the model again")
    return kept


def file_hash(file: Path) -> str:
    """The SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_outside(spacing: Sequence[float], seen: Sequence[Span]) -> bool:
    pairs = zip(spacing, seen, strict=True) if len(spacing) == len(seen) else ()
    return any(not low * (1 - NEAR) <= step <= high * (1 + NEAR) for step, (low, high) in pairs)


def _span(span: Span) -> str:
    low, high = span
    return f"{low:.4g}" if f"{low:.4g}" == f"{high:.4g}" else f"{low:.4g}-{high:.4g}"
