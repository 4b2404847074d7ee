"""Tasks on their way to another machine: what they take along, and what they read and store in another folder there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...experiment.experiment import Experiment
from ...store.units import measuring_path, training_path, weights_path
from ..tasks import MeasuringTask, TrainingTask
from .work import Task


@dataclass(frozen=True)
class Common:
    """What all tasks of a run need on any machine: ``plugins`` are the files that its plug-ins are made of, by relative name.

    ``named`` are those of them that the experiment names, ``data`` is the data folder as the client calls it.
    """

    experiment: Experiment
    data: str | None
    fingerprint: str
    named: tuple[str, ...] = ()
    plugins: Mapping[str, bytes] = field(default_factory=dict)


def moved(task: Task, experiment: Experiment, data: str | None, folder: Path) -> Task:
    """The task with its data and its results folder elsewhere. Neither is in the key of a unit."""
    setting = replace(task.setting, experiment=experiment, data=data, folder=folder)
    if isinstance(task, TrainingTask):
        return replace(task, setting=setting)
    if isinstance(task, MeasuringTask):
        references = {name: tuple(folder / "references" / f.name for f in files) for name, files in task.references.items()}
        return replace(task, setting=setting, references=references)
    return replace(task, setting=setting, path=folder / "references" / task.path.name)


def stored_files(task: Task) -> list[Path]:
    """The files that a task stores, or may store."""
    folder = task.setting.folder
    if isinstance(task, TrainingTask):
        return [weights_path(folder, task.unit), training_path(folder, task.unit)]
    if isinstance(task, MeasuringTask):
        return [measuring_path(folder, unit) for unit in task.units]
    return [task.path]


def read_files(task: Task) -> list[Path]:
    """The files of the results folder that a task reads, as far as they are there."""
    if not isinstance(task, MeasuringTask):
        return []
    folder = task.setting.folder
    trained = [training_path(folder, unit) for unit in task.units if unit.kind == "method"]
    measured = [measuring_path(folder, unit) for unit in task.units]
    references = [file for files in task.references.values() for file in files]
    return [file for file in (*trained, *measured, *references) if file.is_file()]
