"""What a worker of a cluster does: each unit in a process of its own, in a folder of its own, whose files it sends back.

The worker itself imports no torch: the processes that compute are forked from a template that has.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import pickle
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import RaterbenchError
from ...experiment.experiment import Experiment
from ..provenance import code_version, versions
from ..workers import IMPORTS, Died, side_by_side
from .data_files import DataStore, Piece, at_place

if TYPE_CHECKING:
    from distributed import Worker

    from .travel import Common


@dataclass(frozen=True)
class Answer:
    """What a worker sends back: how the task ended (a pickled ``Ended``), and the files that it stored (``stored_files``).

    ``refused`` says why this worker cannot compute for this client at all, ``lacking`` where it looked for the data in vain.
    """

    worker: str
    outcome: bytes | Died = b""
    files: tuple[bytes | None, ...] = ()
    refused: str = ""
    lacking: str = ""


@dataclass(frozen=True)
class Place:
    """Where a worker has what is common to the tasks of a run."""

    experiment: Experiment
    data: str | None


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
    try:
        place = _place(common, scratch)
        if isinstance(place, str):
            return Answer(worker.address, lacking=place)
        with tempfile.TemporaryDirectory(prefix="raterbench-", dir=scratch) as folder:
            for name, content in inputs.items():
                file = Path(folder) / name
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(content)
            here = partial(_work_here, place=place, folder=Path(folder))
            ((_, found),) = side_by_side([task], here, 1, timeout=timeout, imports=IMPORTS)
            if isinstance(found, Died):
                return Answer(worker.address, found)
            outcome, stored = found
            return Answer(worker.address, outcome, tuple(f.read_bytes() if f.is_file() else None for f in stored))
    except (OSError, RaterbenchError) as error:
        return Answer(worker.address, refused=str(error))


def _work_here(task: bytes, *, place: Place, folder: Path) -> tuple[bytes, list[Path]]:
    """Compute a task in a folder of this machine, with the data of this machine; gives the files that it may have stored."""
    from .travel import moved, stored_files
    from .work import work

    here = moved(pickle.loads(task), place.experiment, place.data, folder)
    return pickle.dumps(work(here)), stored_files(here)


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


def _find(common: bytes, *, here: Path, store: DataStore) -> Place | str:
    """Write the plug-ins, and open the data set where it may lie; the first that holds the expected data is taken."""
    from ..tasks import open_dataset

    given: Common = pickle.loads(common)
    for name, content in given.plugins.items():
        file = here / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    experiment = given.experiment.replace(plugins=tuple(str(here / name) for name in given.named))
    own = given.data if given.data is not None and Path(given.data).is_dir() else None
    tried = [Place(experiment, own)]
    if store.is_complete(given.fingerprint):
        root = store.root(given.fingerprint)
        tried.append(Place(at_place(experiment, root), str(root)))
    reasons = []
    for place in tried:
        try:
            found = open_dataset(place.experiment, place.data).fingerprint()
        except RaterbenchError as error:
            reasons.append(str(error))
            continue
        if found == given.fingerprint:
            return place
        reasons.append(f"the data set {experiment.dataset!r} there holds other data (fingerprint {found})")
    return "; ".join(reasons)


def _store(scratch: Path) -> DataStore:
    """Copies of data lie beside the folders of workers, so that those of one machine share them."""
    return DataStore(scratch.parent / "raterbench-data")


def missing_files(fingerprint: str, names: Sequence[str], dask_worker: Worker) -> list[str]:
    """Which files of a data set this worker has not received yet."""
    return _store(Path(dask_worker.local_directory)).missing(fingerprint, names)


def receive(fingerprint: str, message: Sequence[Piece], dask_worker: Worker) -> None:
    """Take pieces of files."""
    _store(Path(dask_worker.local_directory)).receive(fingerprint, message)


def finish(fingerprint: str, dask_worker: Worker) -> None:
    """Note that all files were received."""
    _store(Path(dask_worker.local_directory)).finish(fingerprint)
