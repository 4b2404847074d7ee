"""What is known of a model, as one typed JSON file: what it learned from, what it is, what was measured, what it is not for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from ...datasets.base import Dataset, Preparation, Unit
from ...errors import RaterbenchError
from ...text_files import LARGEST_WRITTEN, read_text
from .measured import Measured
from .seen_images import SeenImages, class_values

CARD = "model.json"
SCHEMA = 1
LIMITS = (
    "It is no medical device: nobody has shown that decisions which rest on it are safe. It must not be used for diagnosis or "
    "treatment.",
    "What was measured holds for images like those of the data set. On other scanners, protocols, species or findings it may "
    "be wrong without showing it.",
    "It knows the classes of the data set alone, and gives one of them to every voxel of any image.",
    "It learned from raters who disagree; it is no better than the reference against which it was measured.",
)
"""What every model must not be used for."""


@dataclass(frozen=True)
class DataFacts:
    """The data set that a model learned from.

    ``class_values`` are what its label files, and predictions, call the classes. ``options`` are those that the experiment gave
    the data set, such as which contrasts are the channels; a card from before they were kept has none.
    """

    name: str
    title: str
    citation: str
    licence: str
    source: str
    fingerprint: str
    cases: int
    subjects: int
    classes: tuple[str, ...]
    class_values: tuple[int, ...]
    raters: tuple[str, ...]
    anonymous_raters: bool
    unit: Unit
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Dataset, options: Mapping[str, Any]) -> DataFacts:
        """Those of a data set that is open."""
        return cls(
            name=dataset.name,
            **{key: getattr(dataset.card, key) for key in ("title", "citation", "licence", "source")},
            fingerprint=dataset.fingerprint(),
            cases=len(dataset),
            subjects=int(dataset.index["subject"].nunique()),
            classes=tuple(dataset.classes),
            class_values=class_values(dataset),
            raters=tuple(dataset.raters),
            anonymous_raters=dataset.anonymous_raters,
            unit=dataset.unit,
            options=dict(options),
        )

    @classmethod
    def stored(cls, facts: Mapping[str, Any], values: Sequence[int], options: Mapping[str, Any]) -> DataFacts:
        """Those that results keep."""
        same = ("title", "citation", "licence", "source", "fingerprint", "anonymous_raters", "unit")
        return cls(
            name=facts["dataset"],
            **{key: facts[key] for key in same},
            cases=facts["n_cases"],
            subjects=facts["n_subjects"],
            classes=tuple(facts["classes"]),
            class_values=tuple(values),
            raters=tuple(facts["raters"]),
            options=dict(options),
        )


@dataclass(frozen=True)
class SplitFacts:
    """How cases were divided where the candidate was measured; ``hash`` is that of ``splits.json``, empty if it was not."""

    policy: str
    repeats: int
    validation: float
    parameters: dict[str, Any]
    hash: str = ""


@dataclass(frozen=True)
class Member:
    """One fitted method of a model: its file, which fold it is of, and the threshold that makes labels of two classes.

    ``alarms`` and ``warnings`` are those of its training.
    """

    file: str
    repeat: int
    fold: int
    seed: int
    threshold: float
    train: int
    validation: int
    sha256: str = ""
    alarms: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Which one it is, in words."""
        return f"repeat {self.repeat}, fold {self.fold}"


@dataclass(frozen=True)
class ModelCard:
    """What a model folder holds beside the weights.

    Args:
        schema: the version of this file.
        name: of the candidate.
        kind: ``folds``, the fold models of a benchmark; or ``all cases``, one model that learned from all cases.
        method: the method with all its parameters (``factory.method_table``).
        sources: hashes of the method's classes outside the package, and of what these import; empty for one of the package.
        data: the data set.
        seen: the images that its members learned from.
        preparation: from a case to what the network sees; that of the fitted method where it has its own.
        split: how cases were divided.
        members: the fitted methods, whose probabilities are averaged.
        measured: what the benchmark measured of the candidate's fold models; None where nothing was measured.
        limits: what it must not be used for.
        versions: of raterbench and the libraries.
    """

    schema: int
    name: str
    kind: Literal["folds", "all cases"]
    method: dict[str, Any]
    sources: tuple[str, ...]
    data: DataFacts
    seen: SeenImages
    preparation: Preparation
    split: SplitFacts
    members: tuple[Member, ...]
    measured: Measured | None
    limits: tuple[str, ...]
    versions: dict[str, str]

    @property
    def threshold(self) -> float:
        """The mean over the members of the thresholds that were searched for them."""
        return math.fsum(member.threshold for member in self.members) / len(self.members)

    def text(self) -> str:
        """The content of ``model.json``."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode() + "\n"


def read_card(folder: Path) -> ModelCard:
    """The card in a model folder.

    Raises:
        RaterbenchError: there is none, or it is damaged or of another version.
    """
    file = folder / CARD
    text = read_text(file, "model card", largest=LARGEST_WRITTEN)
    try:
        card = msgspec.json.decode(text, type=ModelCard)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise RaterbenchError(
            f"{file} is no model card of this version of raterbench: {error}; train the model again"
        ) from error
    if card.schema != SCHEMA or not card.members:
        raise RaterbenchError(f"{file} is of version {card.schema}, and version {SCHEMA} is known: train the model again")
    if wrong := next((m.file for m in card.members if not _is_inside(m.file)), None):
        raise RaterbenchError(f"{file} names the weights {wrong!r}, which lead out of the folder: get the model again")
    return card


def _is_inside(name: str) -> bool:
    """Whether a path within a folder stays there: a card from a stranger may say anything."""
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name and path.suffix == ".safetensors"
