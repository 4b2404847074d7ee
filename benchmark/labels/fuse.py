"""Fuses the label files of one case or of many: checks all inputs first, and writes all outputs or none."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...datasets.base import IGNORE, Case
from ...datasets.images import write_labels, write_probability
from ...datasets.label_files.doubts import copies, hardly_meeting
from ...datasets.label_files.label_values import LabelValues
from ...datasets.label_files.rating_files import LabelCode, Loaded, label_code, load, rating_questions
from ...datasets.label_files.value_counts import CaseValues
from ...datasets.layout.folder_layout import RatedFiles
from ...datasets.layout.rater_layout import check_raters_meet, files_of_one_rater
from ...errors import RaterbenchError
from ...methods.base import Consensus, Fusion
from ...registry import load_plugin, plugin_of
from ...steps import counted_step, step
from ...whole_files import naming
from .batch import over_cases
from .csv_text import spreadsheet_bytes
from .fuse_plan import FusePlan, FuseTask, Places
from .outputs import OutputFiles
from .rater_rows import rater_rows


@dataclass(frozen=True, eq=False)
class Fused:
    """A case, its consensus, and the classes that its values in files stand for."""

    case: Case
    consensus: Consensus
    code: LabelCode


Draw = Callable[[Fused, Path], None]
"""A function that draws the disagreement between the raters of a case into a file."""


@dataclass(frozen=True, eq=False)
class FuseResult:
    """The tables ``raters``, one row for each case, rater and class, and ``cases``; ``questions`` about doubtful input."""

    raters: pd.DataFrame
    cases: pd.DataFrame
    code: LabelCode
    questions: tuple[str, ...] = ()


def fuse_files(fusion: Fusion, plan: FusePlan, *, draw: Draw | None = None, jobs: int = 1) -> FuseResult:
    """Check, fuse and write the cases of a plan. The number of ``jobs`` does not change the bytes written.

    Raises:
        RaterbenchError: a file is wrong, two do not fit together, or an output cannot be written; nothing is written then.
    """
    if plan.anonymous_raters and fusion.needs_rater_identity:
        raise RaterbenchError(
            "the fusion estimates each rater over many cases, but dataset.toml says that the raters are anonymous, so a name "
            "may stand for different people in different cases: use a fusion that treats each case by itself"
        )
    if plan.folder is not None and fusion.get_params().get("pool") != "dataset":
        # Only a fusion pooled over cases can weight a single rating. Who gives single files knows how many they are.
        rated = {task.files.case: tuple(task.files.ratings) for task in plan.tasks}
        check_raters_meet(rated, str(plan.folder), [task.files for task in plan.tasks])
    with OutputFiles([*plan.others, *(file for task in plan.tasks for file in task.files.files)]) as outputs:
        named = plan.folder is None
        beside = plan.raters is not None and plan.raters.parent == plan.tasks[0].places.consensus.parent
        tasks = [replace(task, places=_temporary(task.places, outputs, named=named)) for task in plan.tasks]
        raters_file = outputs.add(plan.raters, named=named or not beside) if plan.raters else None
        outputs.check()
        if len(tasks) == 1:
            with step("reading the files"):
                loaded = load(tasks[0].files, fractions=plan.fractions)
            found = [loaded.count(plan.classes)]
            code = label_code(found, plan.classes, plan.ignore)
            said = _questions(plan, found, code)
            with step(f"fusing {next(iter(loaded.values.values())).size:,} voxels of {len(loaded.values)} raters"):
                fusion.fit([code.case(loaded)], len(code.values))
                done = [_Work(fusion, code, draw, plan.fractions).fuse(tasks[0], loaded)]
        else:
            found = over_cases([task.files for task in tasks], partial(_count, declared=plan.classes), "checking", jobs)
            code = label_code(found, plan.classes, plan.ignore)
            said = _questions(plan, found, code)
            every = counted_step("preparing the fusion", tasks)
            fusion.fit((code.case(load(t.files, image=False, fractions=plan.fractions)) for t in every), len(code.values))
            done = over_cases(tasks, _Work(fusion, code, draw, plan.fractions), "fusing", jobs)
        table = pd.DataFrame([row for rows, _ in done for row in rows])
        if raters_file:
            with naming(plan.raters or raters_file):
                raters_file.write_bytes(spreadsheet_bytes(table))
    return FuseResult(table, pd.DataFrame([row for _, row in done]), code, said)


def _questions(plan: FusePlan, found: list[CaseValues], code: LabelCode) -> tuple[str, ...]:
    """Questions about doubtful ratings; raises if the files look like the cases of one rater and hardly overlap."""
    said = (*rating_questions(found, code.labels, declared=plan.classes is not None), *copies(found))
    cases_given = files_of_one_rater(list(plan.tasks[0].files.ratings.values())) if plan.folder is None else None
    if cases_given and hardly_meeting(found, code.labels):
        raise RaterbenchError(f"{cases_given}; their masks hardly overlap")
    return (*([cases_given] if cases_given else []), *said)


@dataclass(frozen=True, eq=False)
class _Work:
    fusion: Fusion
    code: LabelCode
    draw: Draw | None
    fractions: bool = False

    def __getstate__(self) -> dict[str, Any]:
        # A worker process must load the plug-in before it can unpickle the fusion.
        return {**self.__dict__, "fusion": pickle.dumps(self.fusion), "plugin": plugin_of(type(self.fusion))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if plugin := state.pop("plugin"):
            load_plugin(plugin)
        self.__dict__.update(state, fusion=pickle.loads(state["fusion"]))

    def __call__(self, task: FuseTask) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        return self.fuse(task, load(task.files, image=task.places.figure is not None, fractions=self.fractions))

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
        facts |= {
            "tied": consensus.tied,
            "ties": self.fusion.get_params().get("ties"),
            "like": _like_two_raters(case, consensus),
        }
        return rater_rows(case, consensus, self.code), facts


def _like_two_raters(case: Case, consensus: Consensus) -> str:
    """``intersection`` or ``union`` if the consensus of two disagreeing raters on two classes equals that, else empty."""
    if len(case.ratings) != 2 or len(consensus.probability) != 2:
        return ""
    one, other = case.ratings.values()
    judged = (one != IGNORE) & (other != IGNORE)
    marked, both, any_of = consensus.labels[judged] == 1, (one & other)[judged] == 1, (one | other)[judged] == 1
    if np.array_equal(both, any_of) or (consensus.labels[judged] == IGNORE).any():
        return ""
    return "intersection" if np.array_equal(marked, both) else "union" if np.array_equal(marked, any_of) else ""


def _count(files: RatedFiles, declared: LabelValues | None) -> CaseValues:
    fractions = declared is not None and declared.threshold is not None
    return load(files, image=False, fractions=fractions).count(declared)


def _temporary(places: Places, outputs: OutputFiles, *, named: bool) -> Places:
    return Places(
        outputs.add(places.consensus, named=named),
        outputs.add(places.probability, named=named) if places.probability else None,
        outputs.add(places.figure, named=named) if places.figure else None,
    )
