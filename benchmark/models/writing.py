"""A model as a folder: weights without pickles, and what is known of them for programs (JSON) and for people (Markdown)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from ...errors import RaterbenchError
from ...whole_files import replacing
from .card import CARD, ModelCard
from .model import Model, file_hash
from .readme import readme_text
from .weights_file import HEADER

README = "README.md"


def check_model_place(folder: Path) -> None:
    """See that a model can be written to a folder without replacing anything.

    Raises:
        RaterbenchError: something is there.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RaterbenchError(f"{folder} is there already, and a model never replaces another: give a new folder")


def write_model(model: Model, folder: str | Path) -> Path:
    """Write a model to a new folder: ``model.json``, ``README.md``, and the weights of each member; gives ``model.json``.

    The card is written last, so that a folder with a card is whole.

    Raises:
        RaterbenchError: something is there already, or it cannot be written.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    check_model_place(folder)
    members = []
    for member, kept in zip(model.card.members, model.weights, strict=True):
        name = f"members/r{member.repeat}.f{member.fold}.safetensors"
        with replacing(folder / name) as place:
            save_file(dict(kept.weights), place, metadata={HEADER: msgspec.json.encode(kept.about).decode()})
        members.append(replace(member, file=name, sha256=file_hash(folder / name)))
    return write_card(replace(model.card, members=tuple(members)), folder)


def write_card(card: ModelCard, folder: Path) -> Path:
    """Write what is known of a model beside its weights."""
    for name, text in ((README, readme_text(card)), (CARD, card.text())):
        with replacing(folder / name) as place:
            place.write_text(text, encoding="utf-8")
    return folder / CARD
