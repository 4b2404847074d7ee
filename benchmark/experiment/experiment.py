"""An experiment as one TOML file or Python object: what is compared, on which data, how often, and what was declared before."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from ...datasets.base import Preparation
from ...errors import RaterbenchError, nearest, shown
from ...methods.learning.budget import Budget
from ...parameters import Range, Seed
from .files import DATASET, OF_DATASET, read_values, without_policy, without_resampling
from .published import published_names
from .references import REFERENCE_NAMES, ReferenceEntry, reference_entry
from .settings import (
    MOST_UNITS,
    build,
    check_different,
    check_fields,
    check_folder_name,
    check_part,
    check_plain,
    check_table,
    read_setting,
)
from .splits import SPLITS, Split
from .splits.settings import SHARED_KEYS

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
DEFAULT_REFERENCES = REFERENCE_NAMES
REPLACED = {
    "surface_tolerance": 'metrics = [..., {{ name = "surface dice", tolerance = {} }}]',
    "surface_at_image_border": (
        'metrics = [..., {{ name = "surface dice", image_border = {0} }}, {{ name = "hd95", image_border = {0} }}]'
    ),
}
"""What to write in place of keys that experiments once had."""

LABELS = "labels"
"""The candidate name of units that measure raters and fused labels, without any network."""


@dataclass(frozen=True)
class Statistics:
    """What is declared before anything runs. ``auto`` picks the truth where it is known, else the single raters.

    ``baseline`` is the candidate that others are tested against, by default the first. ``smallest_difference`` is the smallest
    difference of the primary metric that is relevant, in its unit; with 0 no two candidates can be called equivalent.
    ``careful_cost`` is what a careful annotation costs, in cheap ones; only a figure of costs uses it.
    """

    primary_metric: str = "dice"
    primary_reference: str = "auto"
    baseline: str = ""
    smallest_difference: Annotated[float, Range(0, 1_000_000)] = 0.01
    alpha: Annotated[float, Range(0, 1, without="both")] = 0.05
    resamples: Annotated[int, Range(1, 20_000)] = 2000
    careful_cost: Annotated[float, Range(0, 1_000_000)] = 5.0

    def __post_init__(self) -> None:
        check_fields(self, "statistics")


@dataclass(frozen=True)
class Candidate:
    """A configured method: the name it has in tables, the method's registered name, its parameters.

    Candidates share initial weights and batch order on each fold, so that they are paired. One with its own ``seed`` does not:
    the same method under several seeds shows how far results differ by training alone.
    """

    name: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: Seed | None = None

    def __post_init__(self) -> None:
        check_fields(self, f"candidate {shown(self.name)}")
        if not self.name.strip() or self.name == LABELS:
            raise RaterbenchError(f"a candidate cannot be called {self.name!r}: rename it")


@dataclass(frozen=True)
class Experiment:
    """Everything that a unit's result depends on, and what the report needs to say what it shows.

    ``budget`` and ``recipe`` (a name, or a table with the name and parameters) go to every method that takes one and has none.
    ``references`` are words, names of fusions, or tables with a fusion and its parameters (``references.reference_entry``).
    ``published`` names a table of a paper that the report shows beside what was measured; no result depends on it.
    ``timeout`` is the longest that a unit may take, in seconds. ``keep_cases`` cases are shown as pictures; ``keep_weights``
    stores the weights of every network; ``samples`` segmentations are drawn for each test case by methods that can.
    ``search_threshold``: whether the threshold that makes labels of two classes is searched on validation cases; it is .5 else.
    """

    name: str
    candidates: tuple[Candidate, ...]
    description: str = ""
    dataset: str = DATASET
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    preparation: Mapping[str, Any] = field(default_factory=dict)
    split: Split = field(default_factory=Split)
    budget: Mapping[str, Any] = field(default_factory=dict)
    recipe: str | Mapping[str, Any] = ""
    metrics: tuple[str | Mapping[str, Any], ...] = DEFAULT_METRICS
    references: tuple[str | Mapping[str, Any], ...] = DEFAULT_REFERENCES
    fused_rows: tuple[str | Mapping[str, Any], ...] = ("majority-vote", "staple", "soft-average")
    keep_cases: Annotated[int, Range(0, 10_000)] = 4
    keep_weights: bool = False
    samples: Annotated[int, Range(0, 10_000)] = 0
    search_threshold: bool = True
    seed: Seed = 0
    timeout: Annotated[float, Range(0, 10**7, without="low")] | None = None
    statistics: Statistics = Statistics()
    plugins: tuple[str, ...] = ()
    published: str = ""

    def __post_init__(self) -> None:
        where = f"experiment {shown(self.name)}"
        check_folder_name(self.name, "name")
        check_fields(self, where)
        names = [c.name for c in self.candidates]
        if not names:
            raise RaterbenchError(f"{where} has no candidates: add a [[candidates]] table")
        for name in names:
            if names.count(name) > 1:
                raise RaterbenchError(f"{where} has two candidates called {name!r}: rename one")
        for key in ("metrics", "references", "fused_rows", "plugins"):
            check_different(getattr(self, key), f"{where}: {key}")
        check_different(self.reference_names, f"{where}: references")
        self._check_declared(names)
        check_part(self.budget, Budget, "budget")
        if isinstance(self.recipe, Mapping) and not {"name", "recipe"} & set(self.recipe):
            raise RaterbenchError(f'recipe: the table has no name: add recipe = "..." to {shown(dict(self.recipe))}')
        check_part(self.preparation, Preparation, "preparation")
        Preparation(**self.preparation)  # Refuses settings that exclude each other.
        if "data" in self.dataset_options:
            raise RaterbenchError(f"{where}: dataset_options has no 'data': the folder of downloaded data is given to the run")
        check_plain(self, where)
        if self.published and self.published not in published_names():
            near = nearest(self.published, published_names())
            raise RaterbenchError(f"published {self.published!r} is no table of a paper that is known here{near}")
        if self.split.policy in SPLITS.names():
            if not self.split.manifest:
                check_units(self.split.repeats * self.split.build().least_folds() * len(names), self.split)
        elif not self.plugins:  # Plug-ins are loaded when the experiment is planned, not when it is read.
            near = nearest(self.split.policy, SPLITS.names())
            raise RaterbenchError(f"{where}: there is no split.policy called {self.split.policy!r}{near}")

    def _check_declared(self, names: Sequence[str]) -> None:
        declared = self.statistics
        if declared.baseline and declared.baseline not in names:
            raise RaterbenchError(
                f"statistics.baseline {declared.baseline!r} is no candidate{nearest(declared.baseline, names)}"
            )
        listed = [name for name, _ in self.metric_entries]
        if declared.primary_metric not in listed:
            near = nearest(declared.primary_metric, listed)
            raise RaterbenchError(f"statistics.primary_metric {declared.primary_metric!r} is not among the metrics{near}")
        if listed.count(declared.primary_metric) > 1:
            raise RaterbenchError(
                f"statistics.primary_metric {declared.primary_metric!r} is listed more than once in metrics, with different "
                "parameters: list it once, or declare another metric"
            )

    @property
    def baseline(self) -> str:
        """The candidate that the others are tested against."""
        return self.statistics.baseline or self.candidates[0].name

    @property
    def metric_entries(self) -> list[tuple[str, dict[str, Any]]]:
        """The name and the parameters of each metric.

        Raises:
            RaterbenchError: an entry is a table without a name.
        """
        entries = []
        for entry in self.metrics:
            options = dict(entry) if isinstance(entry, Mapping) else {"name": entry}
            if not isinstance(name := options.pop("name", None), str):
                raise RaterbenchError(f'metrics: {shown(entry)} names no metric: write {{ name = "surface dice", ... }}')
            entries.append((name, options))
        return entries

    @property
    def reference_entries(self) -> list[ReferenceEntry]:
        """What each entry of ``references`` means.

        Raises:
            RaterbenchError: an entry is a table that names no fusion.
        """
        return [reference_entry(entry) for entry in self.references]

    @property
    def reference_names(self) -> tuple[str, ...]:
        """What each reference is called in tables."""
        return tuple(entry.name for entry in self.reference_entries)

    @property
    def primary_reference(self) -> str:
        """The declared primary reference as tables call it, or ``auto``."""
        return reference_entry(self.statistics.primary_reference).name

    def to_json(self) -> dict[str, Any]:
        """Plain values only: what is stored beside the results."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any], where: str = "experiment") -> Experiment:
        """Build from plain values (a parsed TOML or JSON file).

        Raises:
            RaterbenchError: a key is unknown; the nearest known key is given.
        """
        check_table(values, where)
        for key, instead in REPLACED.items():
            if key in values:
                raise RaterbenchError(
                    f"{where}: {key} is a parameter of a metric: write {instead.format(str(values[key]).lower())}"
                )
        values = dict(values)
        values["split"] = _split(values.get("split", {}), where)
        values["statistics"] = build(Statistics, values.get("statistics", {}), f"{where}: statistics")
        candidates = values.get("candidates", ())
        if not isinstance(candidates, list | tuple):
            raise RaterbenchError(f"{where}: candidates must be [[candidates]] tables, not {candidates!r}")
        values["candidates"] = tuple(_candidate(c, where) for c in candidates)
        try:
            return build(cls, values, where)
        except RaterbenchError as error:
            if str(error).startswith(where):
                raise
            raise RaterbenchError(f"{where}: {error}") from error

    def on(self, dataset: str) -> Experiment:
        """The same candidates on another data set, with that data set's own options; its name says so."""
        if dataset == self.dataset:
            return self
        name = f"{self.name}-{_short(dataset)}"
        return self.replace(name=name, dataset=dataset, description="", dataset_options={}, preparation={}, published="")

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
    method = values["method"]
    if {"name", "method", "options"} <= set(values) <= {"name", "method", "options", "seed"}:
        options = values["options"]
    else:
        options = {k: v for k, v in values.items() if k not in ("name", "method", "seed")}
    built = {"name": values.get("name", method), "method": method, "options": options, "seed": values.get("seed")}
    return build(Candidate, built, f"{where}: candidates")


def _split(values: Any, where: str) -> Split:
    if isinstance(values, Split):
        return values
    check_table(values, f"{where}: split")
    shared = {key: values[key] for key in SHARED_KEYS if key in values}
    stored = values.get("parameters", {})  # As to_json writes them; in a TOML file they stand beside the other keys.
    check_table(stored, f"{where}: split: parameters")
    own = {key: value for key, value in values.items() if key not in (*SHARED_KEYS, "parameters")}
    try:
        return Split(**shared, parameters={**stored, **own})
    except RaterbenchError as error:
        raise RaterbenchError(f"{where}: {error}") from error


def check_units(units: int, split: Split) -> None:
    """Raise a RaterbenchError if a plan has more than ``MOST_UNITS`` units."""
    if units > MOST_UNITS:
        raise RaterbenchError(
            f"split.repeats = {split.repeats} with split.policy = {split.policy!r} makes at least {units} units, "
            f"and {MOST_UNITS} are the most: lower split.repeats or split.folds"
        )


def _short(dataset: str) -> str:
    """A short name of a data set: its name, or that of its folder."""
    if dataset.startswith("folder:"):
        # The working directory alone tells what "." and ".." are called; a link keeps the name that the user gave it.
        return Path(os.path.normpath(Path.cwd() / dataset.removeprefix("folder:"))).name
    if "/" in dataset:
        raise RaterbenchError(f"{shown(dataset)} is no data set by name: for a folder of your own write folder:{dataset}")
    return dataset


def read_experiment(name: str, settings: Sequence[str] = (), dataset: str | None = None) -> Experiment:
    """A shipped experiment by name or a TOML file by path, on its own data set or another.

    ``settings`` are ``key=value`` (dotted keys, TOML values), applied last; the description then names them. Plug-ins and
    a split manifest that the file names are looked for beside it. The file may extend another one
    (``experiment_files.read_values``).

    Raises:
        RaterbenchError: no such experiment, the file is no TOML or extends itself, or a key is unknown.
    """
    values = read_values(name)
    if "\0" in (dataset or ""):
        raise RaterbenchError(f"dataset {shown(dataset)} holds a NUL character: write its name or folder:PATH")
    if dataset and dataset != values.get("dataset", Experiment.dataset):
        values = {key: value for key, value in values.items() if key not in OF_DATASET}
        values |= {"name": f"{values['name']}-{_short(dataset)}", "dataset": dataset}
    read = [read_setting(setting, "split.folds=3") for setting in settings]
    below = values.get("dataset", DATASET)
    if any(key == "dataset" and value != below for key, value in read):
        values = {key: value for key, value in values.items() if key not in OF_DATASET}
    for key, value in read:
        if key == "split.policy":
            values["split"] = without_policy(values.get("split"), value)
    prepared = {key.removeprefix("preparation."): value for key, value in read if key.startswith("preparation.")}
    if "preparation" in values:
        values["preparation"] = without_resampling(values["preparation"], prepared)
    for key, value in read:
        _apply(values, key, value)
    if read and values.get("description") and all(key != "description" for key, _ in read):
        values["description"] = f"{values['description']} Changed for this run: {', '.join(settings)}."
    return Experiment.from_json(values, where=name)


def _apply(values: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise RaterbenchError(f"--set {shown(key)}: {parent!r} is no table of settings")
    values[last] = value
