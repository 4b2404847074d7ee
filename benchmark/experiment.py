"""An experiment: what is compared, on what, how often, and what was declared before anything ran. One TOML file."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from ..datasets.errors import RaterbenchError, nearest
from ..methods.budget import Budget

T = TypeVar("T")

DEFAULT_METRICS = (
    "dice",
    "precision",
    "recall",
    "rvd",
    "avd",
    "false positive volume",
    "surface dice",
    "hd95",
    "brier",
    "brier foreground",
    "entropy",
    "entropy error",
)
DEFAULT_REFERENCES = ("truth", "raters", "majority", "staple", "soft average")
POLICIES = ("folds", "leave-one-centre-out", "holdout")


@dataclass(frozen=True)
class Split:
    """How cases are split. Subjects are never split; validation subjects come out of the training part.

    ``policy``: ``folds`` (repeated cross-validation grouped by subject), ``leave-one-centre-out``, or ``holdout`` (the data
    set's own test part). ``validation`` is the share of the training subjects. ``manifest`` names a ``splits.json`` to reuse.
    """

    policy: str = "folds"
    folds: int = 5
    repeats: int = 1
    validation: float = 0.2
    manifest: str = ""


@dataclass(frozen=True)
class Statistics:
    """What is declared before anything runs. ``auto`` picks the truth where it is known, else the single raters.

    ``baseline`` is the candidate that others are tested against, by default the first.
    """

    primary_metric: str = "dice"
    primary_reference: str = "auto"
    baseline: str = ""
    alpha: float = 0.05
    resamples: int = 2000


@dataclass(frozen=True)
class Candidate:
    """A configured method: the name it has in tables, the method's registered name, its parameters."""

    name: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """Everything that a unit's result depends on, and what the report needs to say what it shows."""

    name: str
    candidates: tuple[Candidate, ...]
    description: str = ""
    dataset: str = "phantom"
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    preparation: Mapping[str, Any] = field(default_factory=dict)
    split: Split = Split()
    budget: Mapping[str, Any] = field(default_factory=dict)
    metrics: tuple[str, ...] = DEFAULT_METRICS
    references: tuple[str, ...] = DEFAULT_REFERENCES
    fused_rows: tuple[str | Mapping[str, Any], ...] = ("majority-vote", "staple", "soft-average")
    keep_cases: int = 4
    surface_tolerance_mm: float = 1.0
    seed: int = 0
    statistics: Statistics = Statistics()
    plugins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [c.name for c in self.candidates]
        if not names:
            raise RaterbenchError(f"experiment {self.name!r} has no candidates: add a [[candidates]] table")
        for name in names:
            if names.count(name) > 1:
                raise RaterbenchError(f"experiment {self.name!r} has two candidates called {name!r}: rename one")
        if self.split.policy not in POLICIES:
            raise RaterbenchError(f"split.policy {self.split.policy!r} is unknown{nearest(self.split.policy, POLICIES)}")
        if self.split.folds < 2 or self.split.repeats < 1 or not 0 < self.split.validation < 1:
            raise RaterbenchError("split needs folds >= 2, repeats >= 1 and a validation share between 0 and 1")
        if self.statistics.baseline and self.statistics.baseline not in names:
            raise RaterbenchError(
                f"statistics.baseline {self.statistics.baseline!r} is no candidate{nearest(self.statistics.baseline, names)}"
            )
        check_keys(self.budget, Budget().get_params(deep=False), "budget")

    @property
    def baseline(self) -> str:
        """The candidate that the others are tested against."""
        return self.statistics.baseline or self.candidates[0].name

    def to_json(self) -> dict[str, Any]:
        """Plain values only: what is stored beside the results."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any], where: str = "experiment") -> Experiment:
        """Build from plain values (a parsed TOML or JSON file).

        Raises:
            RaterbenchError: a key is unknown; the nearest known key is given.
        """
        values = dict(values)
        values["split"] = build(Split, values.get("split", {}), f"{where}: split")
        values["statistics"] = build(Statistics, values.get("statistics", {}), f"{where}: statistics")
        values["candidates"] = tuple(_candidate(c, where) for c in values.get("candidates", ()))
        return build(cls, values, where)

    def on(self, dataset: str) -> Experiment:
        """The same candidates on another data set, with that data set's own options; its name says so."""
        short = Path(dataset.removeprefix("folder:").rstrip("/")).name if dataset.startswith("folder:") else dataset
        name = self.name if dataset == self.dataset else f"{self.name}-{short}"
        options = self.dataset_options if dataset == self.dataset else {}
        return self.replace(name=name, dataset=dataset, dataset_options=options)

    def replace(self, **changes: Any) -> Experiment:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)


def build(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    """An instance of a dataclass from plain values; lists become tuples, unknown and missing keys are errors."""
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    check_keys(values, fields, where)
    try:
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except TypeError as error:
        raise RaterbenchError(f"{where}: {error}") from error


def check_keys(values: Mapping[str, Any], known: Mapping[str, Any], where: str) -> None:
    """Raise a RaterbenchError that names the nearest known key, for the first unknown one."""
    for key in values:
        if key not in known:
            raise RaterbenchError(f"{where}: unknown key {key!r}{nearest(key, known)}")


def _candidate(values: Mapping[str, Any] | Candidate, where: str) -> Candidate:
    if isinstance(values, Candidate):
        return values
    if "method" not in values:
        raise RaterbenchError(f'{where}: candidate {values.get("name", "")!r} names no method: add method = "..."')
    method = str(values["method"])
    if set(values) == {"name", "method", "options"}:
        return Candidate(str(values["name"]), method, dict(values["options"]))
    options = {k: v for k, v in values.items() if k not in ("name", "method")}
    return Candidate(str(values.get("name", method)), method, options)


def shipped() -> list[str]:
    """Names of the experiments that come with raterbench."""
    return sorted(
        p.name.removesuffix(".toml") for p in (files(__package__) / "experiments").iterdir() if p.name.endswith(".toml")
    )


def read_experiment(name: str, settings: Sequence[str] = ()) -> Experiment:
    """A shipped experiment by name or a TOML file by path, with ``key=value`` settings (dotted keys, TOML values) on top.

    Raises:
        RaterbenchError: no such experiment, the file is no TOML, or a key is unknown.
    """
    path = Path(name)
    if name in shipped():
        text = (files(__package__) / "experiments" / f"{name}.toml").read_text(encoding="utf-8")
    elif path.suffix == ".toml" and path.is_file():
        text = path.read_text(encoding="utf-8")
    else:
        raise RaterbenchError(f"{name!r} is neither a shipped experiment nor a TOML file{nearest(name, shipped())}")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RaterbenchError(f"{name} is not valid TOML: {error}") from error
    values.setdefault("name", path.stem)
    for setting in settings:
        _apply(values, setting)
    return Experiment.from_json(values, where=name)


def _apply(values: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    if not equals:
        raise RaterbenchError(f"--set {setting!r} has no '=': write --set key=value, for example --set split.folds=3")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.strip().split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise RaterbenchError(f"--set {setting!r}: {parent!r} is no table of settings")
    values[last] = value


def canonical(values: Any) -> str:
    """One text for equal values, to hash: sorted keys, no spaces."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
