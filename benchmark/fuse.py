"""Label files in, consensus files out: one case or a batch, checked before, and written completely or not at all."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ..datasets.base import IGNORE, Case
from ..datasets.errors import RaterbenchError
from ..datasets.folder_layout import RatedFiles
from ..datasets.images import write_labels, write_probability
from ..datasets.rating_files import LabelCode, Loaded, label_code, load
from ..datasets.registry import load_plugin, plugin_of
from ..methods.base import Consensus, Fusion
from .batch import over_cases
from .fuse_plan import FusePlan, FuseTask, Places
from .outputs import Outputs
from .rater_rows import rater_rows


@dataclass(frozen=True, eq=False)
class Fused:
    """A case that has been fused, and what its values stand for."""

    case: Case
    consensus: Consensus
    code: LabelCode


Draw = Callable[[Fused, Path], None]
"""Draws the disagreement of a case into a file."""


@dataclass(frozen=True, eq=False)
class FuseResult:
    """``raters``: a row for each case, rater and class; ``cases``: one for each case."""

    raters: pd.DataFrame
    cases: pd.DataFrame
    code: LabelCode


def fuse_files(fusion: Fusion, plan: FusePlan, *, draw: Draw | None = None, jobs: int = 1) -> FuseResult:
    """Check, fuse and write; any number of ``jobs`` gives the same bytes. One case is read once, many are read twice.

    Raises:
        RaterbenchError: a file is wrong, two do not fit together, or an output cannot be written; nothing is written then.
    """
    if plan.anonymous_raters and fusion.needs_rater_identity:
        raise RaterbenchError(
            "the fusion learns each rater over many cases, but dataset.toml says that the raters are anonymous, so one name "
            "may be another person in each case: fuse each case by itself"
        )
    with Outputs([*plan.others, *(file for task in plan.tasks for file in task.files.files)]) as outputs:
        tasks = [replace(task, places=_temporary(task.places, outputs)) for task in plan.tasks]
        raters_file = outputs.add(plan.raters) if plan.raters else None
        if len(tasks) == 1:
            loaded = load(tasks[0].files)
            code = label_code([loaded.distinct()], plan.classes, plan.ignore)
            fusion.fit([code.case(loaded)], len(code.values))
            done = [_Work(fusion, code, draw).fuse(tasks[0], loaded)]
        else:
            found = over_cases([task.files for task in tasks], _values, "checking", jobs)
            code = label_code(found, plan.classes, plan.ignore)
            fusion.fit((code.case(load(task.files, image=False)) for task in tasks), len(code.values))
            done = over_cases(tasks, _Work(fusion, code, draw), "fusing", jobs)
        table = pd.DataFrame([row for rows, _ in done for row in rows])
        if raters_file:
            table.to_csv(raters_file, index=False, lineterminator="\n")
    return FuseResult(table, pd.DataFrame([row for _, row in done]), code)


@dataclass(frozen=True, eq=False)
class _Work:
    fusion: Fusion
    code: LabelCode
    draw: Draw | None

    def __getstate__(self) -> dict[str, Any]:
        # A process that has not loaded the plug-in cannot read an object of its class.
        return {**self.__dict__, "fusion": pickle.dumps(self.fusion), "plugin": plugin_of(type(self.fusion))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if plugin := state.pop("plugin"):
            load_plugin(plugin)
        self.__dict__.update(state, fusion=pickle.loads(state["fusion"]))

    def __call__(self, task: FuseTask) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        return self.fuse(task, load(task.files, image=task.places.figure is not None))

    def fuse(self, task: FuseTask, loaded: Loaded) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        case = self.code.case(loaded)
        consensus = self.fusion.fuse(case.ratings, len(self.code.values), geometry=case.geometry)
        write_labels(task.places.consensus, self.code.write(consensus.labels), case.geometry)
        if task.places.probability:
            shown = consensus.probability[1:] if len(self.code.values) == 2 else consensus.probability
            write_probability(task.places.probability, shown, case.geometry)
        if task.places.figure and self.draw:
            self.draw(Fused(case, consensus, self.code), task.places.figure)
        undecided = int((consensus.labels == IGNORE).sum())
        facts = {"case": case.id, "raters": len(case.ratings), "voxels": consensus.labels.size, "undecided": undecided}
        facts |= {"iterations": consensus.iterations, "status": consensus.status, "region": consensus.region}
        return rater_rows(case, consensus, self.code), facts


def _values(files: RatedFiles) -> dict[Path, frozenset[int]]:
    return load(files, image=False).distinct()


def _temporary(places: Places, outputs: Outputs) -> Places:
    return Places(
        outputs.add(places.consensus),
        outputs.add(places.probability) if places.probability else None,
        outputs.add(places.figure) if places.figure else None,
    )
