"""What a worker of a cluster does: each unit in a process of its own, in a folder of its own, whose files it sends back.

The worker itself imports no torch: the processes that compute are forked from a template that has.
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import os
import pickle
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ....errors import RaterbenchError
from ....plugin_errors import described
from ...experiment.experiment import Experiment
from ..provenance import code_version, versions
from ..workers import IMPORTS, Died, side_by_side
from .data_files import DataStore, FileState, Piece, at_place

if TYPE_CHECKING:
    from distributed import Scheduler, Worker

    from .travel import Common

T = TypeVar("T")

LONGEST_PAUSE = 60.0
"""Seconds that a worker waits at most after faults of its own."""


@dataclass(frozen=True)
class Answer:
    """What a worker sends back: how the task ended (a pickled ``Ended``), and the files that it stored (``stored_files``).

    Without an outcome, one of three says why. ``refused``: this worker cannot compute for this client at all. ``broken``: what
    went wrong with the worker itself, such as a full disk. ``lacking``: where it looked for the data in vain.
    """

    worker: str
    outcome: bytes | Died = b""
    files: tuple[bytes | None, ...] = ()
    refused: str = ""
    broken: str = ""
    lacking: str = ""


@dataclass(frozen=True)
class Place:
    """Where a worker has what is common to the tasks of a run, and the fingerprint that the data must have there."""

    experiment: Experiment
    data: str | None
    fingerprint: str

    def fault(self) -> str:
        """Why the data there are not those of the run; empty if they are. Files that have not changed are not read again."""
        from ..tasks import open_dataset

        try:
            found = open_dataset(self.experiment, self.data).fingerprint()
        except Exception as error:  # Where files are damaged, the loader of a data set may raise anything.
            return _said(error)
        if found == self.fingerprint:
            return ""
        return f"the data set {self.experiment.dataset!r} there holds other data (fingerprint {found})"


@dataclass(frozen=True)
class Done:
    """A task that was computed: a pickled ``Ended``, the files that it may have stored, and whether a unit failed."""

    outcome: bytes
    stored: list[Path]
    failed: bool


class Pause:
    """How long a worker waits before its next task: the longer, the more often it failed in a row by a fault of its own.

    Meanwhile other workers take up its tasks. Otherwise a worker that fails at once, as one whose disk is full, would
    take up all tasks of a run.
    """

    def __init__(self) -> None:
        self._faults, self._lock = 0, threading.Lock()

    def note(self, *, fault: bool) -> None:
        """Note whether the worker failed."""
        with self._lock:
            self._faults = self._faults + 1 if fault else 0

    @property
    def seconds(self) -> float:
        """0, 1, 2, 4 and so on."""
        return min(LONGEST_PAUSE, 2.0 ** min(self._faults - 1, 10)) if self._faults else 0.0


def present_versions() -> dict[str, str]:
    """What must be the same on all machines: the source of the package and the libraries that compute."""
    now = dict(versions())
    return {"raterbench's code": code_version(), **now, "python": ".".join(now["python"].split(".")[:2])}


def compute(
    common: bytes, task: bytes, inputs: Mapping[str, bytes], expected: Mapping[str, str], timeout: float | None
) -> Answer:
    """Compute one task; for a thread of a Dask worker.

    Args:
        common: a pickled ``Common``.
        task: the pickled task.
        inputs: what the task reads of the results folder, by file name within it.
        expected: the client's ``present_versions``.
        timeout: seconds after which the task is ended.
    """
    from distributed import get_worker

    worker = get_worker()
    now = present_versions()
    if differ := [f"{name} {now.get(name)}, not {value}" for name, value in expected.items() if now.get(name) != value]:
        return Answer(worker.address, refused=f"it has {', '.join(differ)}: install the same there as here")
    # A nanny's worker is a daemon, which may have no child processes; those of units end with it by themselves.
    multiprocessing.current_process().daemon = False
    scratch = Path(worker.local_directory)
    if not os.environ.get("RATERBENCH_CACHE"):
        # Homes are often on a network. The processes of units inherit it.
        os.environ["RATERBENCH_CACHE"] = str(scratch.parent / "raterbench-cache")
    time.sleep(_pause.seconds)
    try:
        place = _place(common, scratch)
        if isinstance(place, str):
            return Answer(worker.address, lacking=place)
        answer = _computed(worker, place, task, inputs, timeout)
    except (OSError, EOFError, MemoryError, RaterbenchError) as error:
        _pause.note(fault=True)
        return Answer(worker.address, broken=_said(error))
    if not answer.lacking:
        _pause.note(fault=False)
    return answer


_pause = Pause()


def _computed(worker: Worker, place: Place, task: bytes, inputs: Mapping[str, bytes], timeout: float | None) -> Answer:
    with tempfile.TemporaryDirectory(prefix="raterbench-", dir=worker.local_directory) as folder:
        for name, content in inputs.items():
            file = Path(folder) / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
        here = partial(_work_here, place=place, folder=Path(folder))
        ((_, found),) = side_by_side([task], here, 1, timeout=timeout, imports=IMPORTS)
        if isinstance(found, Died):
            return Answer(worker.address, found)
        if isinstance(found, str) or (found.failed and (fault := _fault(place))):
            _forget(place)
            return Answer(worker.address, lacking=found if isinstance(found, str) else fault)
        return Answer(worker.address, found.outcome, tuple(f.read_bytes() if f.is_file() else None for f in found.stored))


def _work_here(task: bytes, *, place: Place, folder: Path) -> Done | str:
    """Compute a task in a folder of this machine, with the data of this machine; or say why these are not those of the run."""
    from .travel import moved, stored_files
    from .work import Ended, work

    if fault := place.fault():
        return fault
    here = moved(pickle.loads(task), place.experiment, place.data, folder)
    outcome = work(here)
    return Done(pickle.dumps(outcome), stored_files(here), isinstance(outcome, Ended) and bool(outcome.failed))


def _fault(place: Place) -> str:
    """Whether a unit failed since the data went away meanwhile: why they are no longer those of the run, or nothing.

    Another process looks, since the unit may have left its own in any state.
    """
    ((_, fault),) = side_by_side([place], Place.fault, 1, imports=IMPORTS)
    return fault.how if isinstance(fault, Died) else fault


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, RaterbenchError) else described(error)


_places: dict[str, Place] = {}
_finding = threading.Lock()


def _place(common: bytes, scratch: Path) -> Place | str:
    """Where this worker has plug-ins and data of a run; where it has no such data, the places that it looked at.

    It is looked for once: to open a data set may mean to read all its files.
    """
    key = hashlib.sha256(common).hexdigest()
    with _finding:
        if key not in _places:
            here = scratch / f"raterbench-plugins-{key[:12]}"
            ((_, found),) = side_by_side([common], partial(_find, here=here, store=_store(scratch)), 1, imports=IMPORTS)
            if isinstance(found, Died):
                raise RaterbenchError(f"the process that opened the data set died: {found.how}")
            if isinstance(found, str):
                return found
            _places[key] = found
        return _places[key]


def _forget(place: Place) -> None:
    """Look for the data anew with the next task."""
    with _finding:
        for key in [key for key, known in _places.items() if known is place]:
            del _places[key]


def _find(common: bytes, *, here: Path, store: DataStore) -> Place | str:
    """Write the plug-ins, and open the data set where it may lie; the first that holds the expected data is taken."""
    from ...experiment.factory import load_plugins

    given: Common = pickle.loads(common)
    for name, content in given.plugins.items():
        file = here / name
        if not file.is_file() or file.read_bytes() != content:  # Other units may be reading it.
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    experiment = given.experiment.replace(plugins=tuple(str(here / name) for name in given.named))
    load_plugins(experiment.plugins)  # What is wrong with these is no matter of data.
    own = given.data if given.data is not None and Path(given.data).is_dir() else None
    tried = [Place(experiment, own, given.fingerprint)]
    if store.is_complete(given.fingerprint):
        root = store.root(given.fingerprint)
        tried.append(Place(at_place(experiment, root), str(root), given.fingerprint))
    reasons = []
    for place in tried:
        fault = place.fault()
        if not fault:
            return place
        reasons.append(fault)
    return "; ".join(reasons)


def _store(scratch: Path) -> DataStore:
    """Copies of data lie beside the folders of workers, so that those of one machine share them."""
    return DataStore(scratch.parent / "raterbench-data")


async def _in_store(worker: Worker, do: Callable[[DataStore], T]) -> T:
    """Do something with the copies of data, aside from the thread by which the worker stays in touch with its scheduler."""
    try:
        return await asyncio.to_thread(do, _store(Path(worker.local_directory)))
    except (OSError, RaterbenchError):
        _pause.note(fault=True)
        raise


async def missing_files(fingerprint: str, files: Mapping[str, FileState], dask_worker: Worker) -> list[str]:
    """Which files of a data set this worker has not received yet, or does not have as they were sent."""
    return await _in_store(dask_worker, lambda store: store.missing(fingerprint, files))


async def receive(fingerprint: str, message: Sequence[Piece], dask_worker: Worker) -> None:
    """Take pieces of files."""
    await _in_store(dask_worker, lambda store: store.receive(fingerprint, message))


async def finish(fingerprint: str, dask_worker: Worker) -> None:
    """Note that all files were received."""
    await _in_store(dask_worker, lambda store: store.finish(fingerprint))


def offers(resource: str, dask_scheduler: Scheduler) -> tuple[int, int]:
    """How many workers a scheduler has, and how many of them offer a resource.

    ``Client.scheduler_info`` tells of no more than five workers in the versions from 2025.4 to the middle of 2026.
    """
    workers = dask_scheduler.workers.values()
    return len(workers), sum(worker.resources.get(resource, 0) > 0 for worker in workers)
