"""``declaration.json``: what was declared before anything ran, with its hash and time, and every later change of it."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import RaterbenchError, shown
from ...text_files import LARGEST_WRITTEN, parse_json, read_text
from ..experiment.experiment import Experiment
from ..experiment.settings import build, canonical, check_table
from .completeness import not_a_file
from .results import Results
from .run_file import write_json
from .units import read_training

FILE = "declaration.json"
TEST = "model t, with Holm’s correction over the candidates"
"""The confirmatory test."""
NEW_FOLDER = "To declare anew, run into another folder."


@dataclass(frozen=True)
class Declaration:
    """What was declared, when (UTC), and how many units were trained by then, of whatever settings."""

    time: str
    trained: int
    hash: str
    declared: Mapping[str, Any]

    def __post_init__(self) -> None:
        if self.hash != declaration_hash(self.declared):
            raise RaterbenchError("the hash is not that of what was declared")


def declared_part(experiment: Experiment, facts: Mapping[str, Any]) -> dict[str, Any]:
    """All that decides which comparison is confirmatory and how it ends, as plain values.

    What only adds to a report (other metrics and references, pictures) is no part of it. ``facts`` are those of the run.
    """
    declared, split = experiment.statistics, experiment.split
    candidates = {
        candidate.name: {"method": candidate.method, **candidate.options, "seed": candidate.seed}
        for candidate in experiment.candidates
    }
    plain: dict[str, Any] = parse_json(
        canonical({
            "primary metric": declared.primary_metric,
            "parameters of the primary metric": dict(experiment.metric_entries)[declared.primary_metric],
            "primary reference": declared.primary_reference,
            "baseline": experiment.baseline,
            "smallest difference": float(declared.smallest_difference),
            "alpha": float(declared.alpha),
            "test": TEST,
            "candidates": candidates,
            # Where a manifest lies says nothing; the folds that it made are in their hash.
            "split": {**dataclasses.asdict(split), "manifest": bool(split.manifest)},
            "folds": facts["split_hash"],
            "seed": experiment.seed,
            "budget": experiment.budget,
            # A declaration of an earlier version has no recipe of the experiment, and says the same.
            **({"recipe": experiment.recipe} if experiment.recipe else {}),
            "preparation": experiment.preparation,
            "data": facts["fingerprint"],
        }),
        FILE,
    )  # fmt: skip
    return plain


def declaration_hash(declared: Mapping[str, Any]) -> str:
    """SHA-256 of what was declared: of its JSON text with sorted keys and without spaces."""
    return hashlib.sha256(canonical(declared).encode()).hexdigest()


def read_declarations(folder: Path) -> list[Declaration]:
    """Every declaration of a results folder, the first one first; none in results of an earlier version.

    Raises:
        RaterbenchError: the file was changed or is damaged.
    """
    file = folder / FILE
    if not os.path.lexists(file):
        return []
    try:
        stored = parse_json(read_text(file, "results file", largest=LARGEST_WRITTEN), str(file))
        check_table(stored, str(file))
        listed = stored.get("declarations")
        if not isinstance(listed, list) or not listed:
            raise RaterbenchError(f"{file} has no list of declarations")
        return [build(Declaration, entry, str(file)) for entry in listed]
    except RaterbenchError as error:
        raise RaterbenchError(f"{file} was changed since raterbench wrote it ({error})") from error


def record_declaration(folder: Path, experiment: Experiment, facts: Mapping[str, Any]) -> None:
    """Store what is declared, with the time, unless it is what was declared last. For a run, before its first unit starts.

    Raises:
        RaterbenchError: the file was changed or is damaged.
    """
    before, declared = read_declarations(folder), declared_part(experiment, facts)
    if before and before[-1].hash == declaration_hash(declared):
        return
    time = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    new = Declaration(time, _trained(folder), declaration_hash(declared), declared)
    write_json(folder / FILE, {"declarations": [dataclasses.asdict(entry) for entry in (*before, new)]})


def _trained(folder: Path) -> int:
    """How many units are trained, under whatever settings: their results can be known."""
    paths = [path for path in folder.glob("units/*.trained.npz") if not not_a_file(path)]
    return sum(unit is not None and unit.status == "done" for unit in map(read_training, paths))


@dataclass(frozen=True)
class DeclarationState:
    """Whether the results are under what was declared before: ``words`` for the top of a report, empty where all is well.

    ``changed``: nothing is confirmatory, because another declaration came first. ``hash`` is that of the present one, and
    ``stored`` says in words since when it is known.
    """

    words: str
    changed: bool
    hash: str
    stored: str


def declaration_state(results: Results) -> DeclarationState:
    """Compare the declaration of some results with those that were stored.

    What counts is the last declaration that was stored before any unit was trained: until then nobody could know a result.
    """
    declared = declared_part(results.experiment, results.facts)
    present = declaration_hash(declared)
    try:
        entries = read_declarations(results.folder)
    except RaterbenchError:
        words = f"{FILE} was changed or is damaged, so it is not known what was declared before: nothing is confirmatory."
        return DeclarationState(f"DECLARATION: {words}", True, present, "damaged")
    if not entries:
        return DeclarationState("", False, present, "not stored")
    first = ([entry for entry in entries if not entry.trained] or entries[:1])[-1]
    if first.hash != present:
        last = next((entry for entry in reversed(entries) if entry.hash == present), None)
        when = f"on {last.time}, when {_units(last.trained)} trained" if last else "later, at a time that was not stored"
        changes = "; ".join(differences(first.declared, declared))
        words = (
            f"DECLARATION CHANGED: what was declared on {first.time} was changed {when}: {changes}. Nothing is confirmatory "
            f"under the new declaration. {NEW_FOLDER}"
        )
        return DeclarationState(words, True, present, "changed after the first unit was trained")
    if first.trained:
        words = (
            f"DECLARATION: it was stored on {first.time}, when {_units(first.trained)} trained already, so these results do "
            "not show that it came first."
        )
        return DeclarationState(words, False, present, "stored after the first unit was trained")
    return DeclarationState("", False, present, "stored before the first unit was trained")


def declaration_words(results: Results) -> str:
    """What a reader must know of the declaration before any number; empty where all is well."""
    return declaration_state(results).words


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Sequence[str]:
    """What differs between two declarations, in words."""
    found = []
    for key in dict.fromkeys((*before, *now)):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
            found.append(f"{key} {_value(old)}, now {_value(new)}")
            continue
        for name in dict.fromkeys((*old, *new)):
            if name not in new:
                found.append(f"{key}: {name} is gone")
            elif name not in old:
                found.append(f"{key}: {name} is new")
            elif old[name] != new[name]:
                found.append(f"{key}: {name} {_value(old[name])}, now {_value(new[name])}")
    return found


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value and len(value) < 40 else shown(value, 80)


def _units(n: int) -> str:
    return "1 unit was" if n == 1 else f"{n} units were"
