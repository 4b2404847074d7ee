"""What ``raterbench predict`` and ``raterbench train`` print: what was done, what was measured, and what is doubtful."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from ...benchmark.models.card import CARD, ModelCard
from ...benchmark.models.predicting import TABLE, PredictedImage
from ...benchmark.models.readme import about_ensemble, about_volumes, measured_lines
from ..page.escaping import terminal_text
from ..tables.wording import count_of

MOST_ROWS = 20
"""Images that are listed one by one; the table on the disk has all."""


def print_predicted(card: ModelCard, found: Sequence[PredictedImage], sizes: str, folder: Path, console: Console) -> None:
    """Print each image with the size of what was found, what was measured of the model, and where the files are."""
    table = RichTable()
    table.add_column("Image", overflow="fold")
    for name in card.data.classes[1:]:
        table.add_column(terminal_text(f"{name} ({sizes})"), justify="right")
    for one in found[:MOST_ROWS]:
        table.add_row(terminal_text(one.places.image.name), *map(_size, one.sizes.values()))
    console.print(table)
    if len(found) > MOST_ROWS:
        _say(console, f"and {count_of(len(found) - MOST_ROWS, 'more image')}")
    for one in found:
        if one.failed:
            _say(console, f"NOT PREDICTED {one.places.image}: {one.failed}", "bold red")
        for warning in one.warnings:
            _say(console, f"PLEASE CHECK {one.places.image}: {warning}", "bold red")
    if alarmed := sum(bool(one.alarms) for one in card.members):
        _say(console, f"Trainings with alarms: {alarmed} of {len(card.members)}; {CARD} has them.", "bold red")
    print_measured(card, console)
    if failed := sum(bool(one.failed) for one in found):
        _say(console, f"{failed} of {count_of(len(found), 'image')} could not be predicted; {TABLE} says why", "bold red")
    _say(console, f"written: {folder}")


def print_trained(card: ModelCard, folder: Path, console: Console) -> None:
    """Print what a model learned from, what was measured, and where it is."""
    member, *others = card.members
    if others:
        _say(console, f"{card.name}: {count_of(len(card.members), 'fold model')}, whose mean is predicted")
    else:
        _say(console, f"{card.name}: learned from {count_of(member.train, 'case')}, {member.validation} more validated")
    if volumes := about_volumes(card):
        _say(console, volumes)
    for alarm in dict.fromkeys(alarm for one in card.members for alarm in one.alarms):
        _say(console, f"ALARM: {alarm}", "bold red")
    for warning in dict.fromkeys(warning for one in card.members for warning in one.warnings):
        _say(console, f"warning: {warning}")
    print_measured(card, console)
    _say(console, f"model: {folder}")


def print_measured(card: ModelCard, console: Console) -> None:
    """Print what a benchmark measured of the candidate, and how that relates to this model."""
    for line in measured_lines(card.measured):
        _say(console, line)
    if card.measured is not None:
        _say(console, about_ensemble(card))


def _size(size: float) -> str:
    return "not known" if math.isnan(size) else f"{size:.5g}"


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(terminal_text(text, style), soft_wrap=True)
