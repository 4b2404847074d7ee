"""Worker processes: each computes one task at a time, hurts no other when it dies, and never outlives the run."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import stat
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeVar

from joblib.externals.loky.process_executor import BrokenProcessPool, ProcessPoolExecutor

from ..datasets.errors import RaterbenchError
from ..datasets.whole_files import naming

T = TypeVar("T")
R = TypeVar("R")

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"), "1"
)
HEARTBEAT_SECONDS = 0.5
LONGEST_LOCK = 100
"""Characters of a lock that are looked at."""
FOREIGN_LOCK = "move it elsewhere, or give another folder"


@dataclass(frozen=True)
class Died:
    """What is left of a task whose process ended in the middle of it; ``how`` says what is known of it."""

    how: str


def cores() -> int:
    """How many units run side by side by default: the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(tasks: Sequence[T], work: Callable[[T], R], jobs: int) -> Iterator[tuple[T, R | Died]]:
    """Each task with what ``work`` returns, in the order they end; what ``work`` raises is raised here.

    Every worker is a pool of its own: in a shared pool one death takes all that run beside it along.
    """
    waiting, idle = deque(tasks), list[Any]()
    running: dict[Future[R], tuple[T, Any]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                worker, task = idle.pop() if idle else _start(), waiting.popleft()
                running[worker.submit(work, task)] = task, worker
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            ended: list[tuple[T, R | Died]] = []
            for future in done:
                task, worker = running.pop(future)
                try:
                    ended.append((task, future.result()))
                    idle.append(worker)
                except BrokenProcessPool as error:
                    ended.append((task, Died(_how(error))))
            yield from ended
    finally:
        # Also where the user stops the run or an error ends it: nobody waits for units that nobody will store.
        for worker in [*idle, *(worker for _, worker in running.values())]:
            worker.shutdown(kill_workers=True)


def _start() -> Any:
    return ProcessPoolExecutor(max_workers=1, env=ONE_THREAD, initializer=_live_with, initargs=(os.getpid(),))


def _how(error: BrokenProcessPool) -> str:
    """The signal or exit status in the message, else what a worker said that could not read its task."""
    found = re.search(r"(SIG[A-Z0-9]+|EXIT)\(-?\d+\)", str(error))
    if found is None:
        return " ".join(str(error.__cause__ or error).split())[-200:]
    return "SIGKILL, out of memory or killed by somebody" if found.group(1) == "SIGKILL" else found.group()


def _live_with(parent: int) -> None:
    """End this process soon after its parent: a killed run must not leave workers that compete with the next one."""
    # Ctrl-C reaches the whole group of processes; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(HEARTBEAT_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="raterbench-watch", daemon=True).start()


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Hold the folder for one run. The system lets go of the lock with the process, so none is ever stale.

    Raises:
        RaterbenchError: another run holds the folder, or something else is where its lock goes.
    """
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _open_lock(folder / ".lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise RaterbenchError(
                f"another run (process {lock.read().strip() or 'unknown'}) is writing to {folder}: "
                "wait for it, stop it, or give another folder"
            ) from error
        except OSError:
            pass  # Some network file systems have no locks; a run there is worth more than its guard.
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}")
        lock.flush()
        yield


def _open_lock(file: Path) -> TextIO:
    """The lock's file, made if it is not there. It holds nothing, or the number of a process; a link is not followed.

    Raises:
        RaterbenchError: something else is there.
    """
    if (there := os.path.lexists(file)) and not stat.S_ISREG(file.lstat().st_mode):
        raise RaterbenchError(f"{file} is a link, a folder or a pipe, where a run puts its lock: {FOREIGN_LOCK}")
    with naming(file):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        lock = os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace")
    if there and re.fullmatch(r"[0-9]*", lock.read(LONGEST_LOCK)) is None:
        lock.close()
        raise RaterbenchError(f"{file} was not written by raterbench, and a run puts its lock there: {FOREIGN_LOCK}")
    return lock
