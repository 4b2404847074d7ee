"""An experiment: what is compared, on what, how often, and what was declared before anything ran. One TOML file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..datasets.errors import RaterbenchError, nearest
from ..methods.budget import Budget
from .experiment_files import DATASET, OF_DATASET, read_values
from .published import published_names
from .settings import build, check_keys, read_setting

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
    "confusion rmse",
)
DEFAULT_REFERENCES = ("truth", "raters", "majority", "staple", "soft average")
POLICIES = ("folds", "leave-one-centre-out", "holdout")

LABELS = "labels"
"""The candidate name of units that measure raters and fused labels, without any network."""


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
    """Everything that a unit's result depends on, and what the report needs to say what it shows.

    ``published`` names a table of a paper that the report shows beside what was measured; no result depends on it.
    """

    name: str
    candidates: tuple[Candidate, ...]
    description: str = ""
    dataset: str = DATASET
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    preparation: Mapping[str, Any] = field(default_factory=dict)
    split: Split = Split()
    budget: Mapping[str, Any] = field(default_factory=dict)
    metrics: tuple[str, ...] = DEFAULT_METRICS
    references: tuple[str, ...] = DEFAULT_REFERENCES
    fused_rows: tuple[str | Mapping[str, Any], ...] = ("majority-vote", "staple", "soft-average")
    keep_cases: int = 4
    surface_tolerance: float = 1.0
    surface_at_image_border: bool = True
    seed: int = 0
    statistics: Statistics = Statistics()
    plugins: tuple[str, ...] = ()
    published: str = ""

    def __post_init__(self) -> None:
        names = [c.name for c in self.candidates]
        if not names:
            raise RaterbenchError(f"experiment {self.name!r} has no candidates: add a [[candidates]] table")
        for name in names:
            if names.count(name) > 1:
                raise RaterbenchError(f"experiment {self.name!r} has two candidates called {name!r}: rename one")
            if name in ("", LABELS):
                raise RaterbenchError(f"experiment {self.name!r}: a candidate cannot be called {name!r}: rename it")
        if self.split.policy not in POLICIES:
            raise RaterbenchError(f"split.policy {self.split.policy!r} is unknown{nearest(self.split.policy, POLICIES)}")
        if self.split.folds < 2 or self.split.repeats < 1 or not 0 < self.split.validation < 1:
            raise RaterbenchError("split needs folds >= 2, repeats >= 1 and a validation share between 0 and 1")
        declared = self.statistics
        if declared.baseline and declared.baseline not in names:
            raise RaterbenchError(
                f"statistics.baseline {declared.baseline!r} is no candidate{nearest(declared.baseline, names)}"
            )
        if declared.primary_metric not in self.metrics:
            near = nearest(declared.primary_metric, self.metrics)
            raise RaterbenchError(f"statistics.primary_metric {declared.primary_metric!r} is not among the metrics{near}")
        if not 0 < declared.alpha < 1 or declared.resamples < 1 or self.surface_tolerance <= 0 or self.keep_cases < 0:
            raise RaterbenchError(
                "statistics.alpha must be between 0 and 1, statistics.resamples and surface_tolerance greater than 0, "
                "and keep_cases not negative"
            )
        check_keys(self.budget, Budget().get_params(deep=False), "budget")
        if self.published and self.published not in published_names():
            near = nearest(self.published, published_names())
            raise RaterbenchError(f"published {self.published!r} is no table of a paper that is known here{near}")

    @property
    def baseline(self) -> str:
        """The candidate that the others are tested against."""
        return self.statistics.baseline or self.candidates[0].name

    @property
    def metric_options(self) -> dict[str, dict[str, Any]]:
        """The parameters of metrics that have some."""
        border = {"image_border": self.surface_at_image_border}
        return {"surface dice": {"tolerance": self.surface_tolerance, **border}, "hd95": border}

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
        candidates = values.get("candidates", ())
        if not isinstance(candidates, list | tuple):
            raise RaterbenchError(f"{where}: candidates must be [[candidates]] tables, not {candidates!r}")
        values["candidates"] = tuple(_candidate(c, where) for c in candidates)
        return build(cls, values, where)

    def on(self, dataset: str) -> Experiment:
        """The same candidates on another data set, with that data set's own options; its name says so."""
        if dataset == self.dataset:
            return self
        name = f"{self.name}-{_short(dataset)}"
        return self.replace(name=name, dataset=dataset, dataset_options={}, preparation={}, published="")

    def replace(self, **changes: Any) -> Experiment:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)


def _candidate(values: Mapping[str, Any] | Candidate, where: str) -> Candidate:
    if isinstance(values, Candidate):
        return values
    if not isinstance(values, Mapping):
        raise RaterbenchError(f"{where}: candidate {values!r} must be a [[candidates]] table with a name and a method")
    if "method" not in values:
        raise RaterbenchError(f'{where}: candidate {values.get("name", "")!r} names no method: add method = "..."')
    method = str(values["method"])
    if set(values) == {"name", "method", "options"} and isinstance(values["options"], Mapping):
        return Candidate(str(values["name"]), method, dict(values["options"]))
    options = {k: v for k, v in values.items() if k not in ("name", "method")}
    return Candidate(str(values.get("name", method)), method, options)


def _short(dataset: str) -> str:
    """A data set in a word: the name, or the folder's name."""
    return Path(dataset.removeprefix("folder:")).resolve().name if dataset.startswith("folder:") else dataset


def read_experiment(name: str, settings: Sequence[str] = (), dataset: str | None = None) -> Experiment:
    """A shipped experiment by name or a TOML file by path, on its own data set or another.

    ``settings`` are ``key=value`` (dotted keys, TOML values), applied last. Plug-ins and a split manifest that the file names
    are looked for beside it. The file may extend another one (``experiment_files.read_values``).

    Raises:
        RaterbenchError: no such experiment, the file is no TOML or extends itself, or a key is unknown.
    """
    values = read_values(name)
    if dataset and dataset != values.get("dataset", Experiment.dataset):
        values = {key: value for key, value in values.items() if key not in OF_DATASET}
        values |= {"name": f"{values['name']}-{_short(dataset)}", "dataset": dataset}
    for setting in settings:
        _apply(values, setting)
    return Experiment.from_json(values, where=name)


def _apply(values: dict[str, Any], setting: str) -> None:
    key, value = read_setting(setting, "split.folds=3")
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise RaterbenchError(f"--set {setting!r}: {parent!r} is no table of settings")
    values[last] = value


def canonical(values: Any) -> str:
    """One text for equal values, to hash: sorted keys, no spaces."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
