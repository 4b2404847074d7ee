"""``experiment.json``: the experiment, what is known of its data, and the plan; all of it is checked when it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ...datasets.base import Unit
from ...errors import RaterbenchError
from ...parameters import check_values
from ...text_files import LARGEST_WRITTEN, parse_json, read_text
from ...whole_files import replacing
from ..experiment.settings import build, check_table
from .metric_facts import MetricFacts
from .units import PlannedUnit

Names = tuple[str, ...]

FACTS: Mapping[str, Any] = {
    **dict.fromkeys(("dataset", "title", "citation", "licence", "source", "fingerprint", "split_hash"), str),
    "unit": Unit,
    **dict.fromkeys(("n_cases", "n_subjects", "n_centres", "keep_cases", "n_repeats"), int),
    "classes": Names,
    "raters": Names,
    **dict.fromkeys(("oracles", "questions", "warnings"), Names),
    "ratings_per_case": float,
    **dict.fromkeys(("truth_known", "anonymous_raters"), bool),
    "case_shape": tuple[int, ...],
    **dict.fromkeys(("n_folds", "n_tested"), tuple[int, ...]),
    "validation_share": tuple[float, ...],
    "pictures": Mapping[str, str],
    "preparation": Mapping[str, Any],
    "metrics": Mapping[str, Mapping[str, Any]],
}
"""What every run says of the data set, the folds and the metrics."""


def write_json(path: Path, values: Any) -> None:
    """Write a JSON file whole or not at all."""
    text = json.dumps(values, indent=1) + "\n"
    with replacing(path) as file:
        file.write_text(text, encoding="utf-8")


def read_run_file(folder: Path) -> dict[str, Any]:
    """The contents of ``experiment.json``: ``experiment``, ``facts``, and the ``units`` and ``parts`` of the present plan.

    Raises:
        RaterbenchError: the folder holds no such file, or one that this version of ``raterbench run`` did not write.
    """
    file = folder / "experiment.json"
    if not os.path.lexists(file):
        raise RaterbenchError(f"{folder} holds no experiment.json: give the folder that 'raterbench run' wrote")
    stored = parse_json(read_text(file, "results file", largest=LARGEST_WRITTEN), str(file))
    check_run_file(stored, str(file))
    return dict(stored)


def check_run_file(stored: Any, where: str) -> None:
    """Check the parts of ``experiment.json``.

    Raises:
        RaterbenchError: a part is missing or of another kind; the key and the mend are named.
    """
    mend = "it was not written by this version of 'raterbench run': run the experiment again"
    try:
        check_table(stored, where)
        for part in ("experiment", "facts", "units", "parts"):
            if part not in stored:
                raise RaterbenchError(f"{where} has no {part!r}")
        hints = {"experiment": Mapping, "facts": Mapping, "units": tuple[Mapping[str, Any], ...], "parts": Mapping[str, Names]}
        check_values(stored, hints, where)
        planned_units(stored, where)
        check_values(stored["facts"], FACTS, f"{where}: facts")
        for fact in FACTS:
            if fact not in stored["facts"]:
                raise RaterbenchError(f"{where}: facts has no {fact!r}")
        for name, facts in stored["facts"]["metrics"].items():
            build(MetricFacts, facts, f"{where}: facts: metrics: {name}")
    except RaterbenchError as error:
        raise RaterbenchError(f"{error}; {mend}") from error


def planned_units(stored: Mapping[str, Any], where: str) -> list[PlannedUnit]:
    """The units of the plan.

    Raises:
        RaterbenchError: one of them is not what this version writes.
    """
    try:
        units = [msgspec.convert(dict(unit), PlannedUnit) for unit in stored["units"]]
    except msgspec.ValidationError as error:
        raise RaterbenchError(f"{where}: a unit of the plan is wrong: {error}") from error
    if any(not set("/\\\0").isdisjoint(unit.stem) or unit.stem.startswith(".") for unit in units):
        raise RaterbenchError(f"{where}: the name of a unit's file leads out of the folder")
    return units
