"""Worker processes: each task runs in a new process, forked from a template that has imported what tasks need.

A task therefore starts from a known state, whatever tasks before it did, and cannot end or change another one.
"""

from __future__ import annotations

import faulthandler
import itertools
import multiprocessing
import os
import pickle
import re
import shutil
import signal
import stat
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, forkserver, resource_tracker
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO, TypeVar, cast

from filelock import lock_descriptor

from ...errors import RaterbenchError
from ...plugin_errors import described, is_foreign_file
from ...whole_files import naming

T = TypeVar("T")
R = TypeVar("R")

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"), "1"
)
KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20)}
"""What the C library of Linux keeps of freed memory, up to 256 MiB, unless the user says otherwise. By default it gives the
arrays of each training step back to the system, which clears them anew in the next: an eighth of a step on slices of 64 x 64
pixels, a fifth on 256 x 256."""
IMPORTS = (f"{__package__}.preloaded",)
"""What the template imports for units, so that none waits for it."""
LONGEST_OUTPUT = 4000
"""Characters that are kept of what a task prints: its end."""
LONGEST_LOCK = 100
"""Characters of a lock that are looked at."""
DYING_SECONDS = 0.2
"""Seconds from the first sign that the template is dead until a new one is started."""
LOCK_SECONDS = 0.2
"""Seconds after which a lock that is still held belongs to another run."""
_starting = threading.RLock()
"""Held while a process is started or ended: threads of a cluster's worker do so side by side."""
FOREIGN_LOCK = "move it elsewhere, or give another folder"


@dataclass(frozen=True)
class Died:
    """What is left of a task whose process ended, or was ended, in the middle of it.

    ``how`` is what is known of it, ``output`` the end of what it printed. ``final`` says that to try again would not help, as
    where it took longer than allowed; ``again`` is what to say where it ends so twice. ``full`` says that it found no memory on
    a GPU.
    """

    how: str
    output: str = ""
    final: bool = False
    again: str = "its process died twice"
    full: bool = False


def cores() -> int:
    """How many units run side by side by default: the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(
    tasks: Sequence[T] | deque[T],
    work: Callable[[T], R],
    jobs: int,
    *,
    timeout: float | None = None,
    imports: Sequence[str] = (),
    may_start: Callable[[T, Sequence[T]], bool] | None = None,
) -> Iterator[tuple[T, R | Died]]:
    """Each task with what ``work`` returns, in the order they end; what ``work`` raises is raised here.

    Args:
        tasks: what is given to ``work``, in the order in which it is taken up. To a deque more may be added meanwhile.
        work: a function of a module, or another callable that can be pickled.
        jobs: tasks side by side.
        timeout: seconds after which a task is ended; None waits for ever.
        imports: modules that the template imports, so that no task waits for them. The first call in a process decides.
        may_start: whether a task may start beside those that run; those after it are taken up meanwhile. Alone, each may.

    Neither an error here nor Ctrl-C leaves a worker behind; processes that a task started are ended with it.
    """
    waiting = tasks if isinstance(tasks, deque) else deque(tasks)
    running, numbers = dict[int, tuple[_Worker, T]](), itertools.count()
    folder = Path(tempfile.mkdtemp(prefix="raterbench-"))
    try:
        if waiting:
            start_template(imports)
            with _ctrl_c_waits():
                first = _Worker(pickle.dumps((int, 0)), folder / "-1", None)
            first.process.join()  # No task's time counts while it starts.
        while waiting or running:
            while len(running) < jobs:
                place = _first_that_may_start(waiting, [task for _, task in running.values()], may_start)
                if place is None:
                    break
                task = waiting[place]
                del waiting[place]
                with _ctrl_c_waits():
                    worker = _started(pickle.dumps((work, task)), folder / str(next(numbers)), timeout, imports)
                    running[worker.sentinel] = worker, task
            for ended in _wait({sentinel: worker for sentinel, (worker, _) in running.items()}):
                worker, task = running.pop(ended)
                yield task, worker.outcome()
    finally:
        # Also where the user stops the run or an error ends it: nobody waits for units that nobody will store.
        for worker, _ in running.values():
            worker.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _first_that_may_start(
    waiting: deque[T], running: Sequence[T], may_start: Callable[[T, Sequence[T]], bool] | None
) -> int | None:
    """The place of the first waiting task that may start beside those that run; None where none may."""
    if not running or may_start is None:
        return 0 if waiting else None
    return next((place for place, task in enumerate(waiting) if may_start(task, running)), None)


class _Worker:
    """One process and its one task. It leaves its result in a file, so that a death in the middle leaves none."""

    def __init__(self, payload: bytes, place: Path, timeout: float | None) -> None:
        self.place, self.timeout = place, timeout
        self.process = multiprocessing.get_context("forkserver").Process(target=_serve, args=(payload, str(place)))
        with _no_main_module():
            self.process.start()
        self.sentinel = self.process.sentinel
        self.deadline = None if timeout is None else time.monotonic() + timeout

    @property
    def late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def kill(self) -> None:
        """End the process, and whatever it started."""
        with _starting:
            self.process.kill()
            with suppress(OSError):
                os.killpg(cast(int, self.process.pid), signal.SIGKILL)
            self.process.join()

    def outcome(self) -> Any:
        """What the task returned, or why it did not; raises what it raised."""
        late = self.process.is_alive()
        self.kill()
        try:
            returned, value = pickle.loads(self.place.with_suffix(".result").read_bytes())
        except (OSError, EOFError):
            output = _end_of(self.place.with_suffix(".output"))
            how = f"it took longer than the {self.timeout:g} s allowed" if late else _how(self.process.exitcode or 0, output)
            return Died(how, output, final=late)
        if not returned:
            raise value
        return value


def _started(payload: bytes, place: Path, timeout: float | None, imports: Sequence[str]) -> _Worker:
    """A worker; from a new template if the old one is gone, which a system without memory may have ended."""
    try:
        return _Worker(payload, place, timeout)
    except (EOFError, ConnectionError):
        time.sleep(DYING_SECONDS)  # The system needs a moment to know that the old one is gone.
        start_template(imports)
        return _Worker(payload, place, timeout)


def _wait(running: Mapping[int, _Worker]) -> list[int]:
    """The sentinels of workers that have ended or are late; waits for the first."""
    deadlines = [worker.deadline for worker in running.values() if worker.deadline is not None]
    left = max(0.0, min(deadlines) - time.monotonic()) if deadlines else None
    ended = cast(list[int], connection.wait(list(running), left))
    return ended or [sentinel for sentinel, worker in running.items() if worker.late]


def _how(code: int, output: str) -> str:
    """How a process ended that left no result: from its exit code as ``multiprocessing`` gives it, and what it printed."""
    if code == -signal.SIGKILL:
        return "SIGKILL, out of memory or killed by somebody"
    if code >= 0:
        return f"it ended itself with exit status {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    # Python's fault handler lists the frames, the innermost first.
    frames = [(file, line) for file, line in re.findall(r'File "(.+)", line (\d+) in ', output) if is_foreign_file(file)]
    return f"{name} ({Path(frames[0][0]).name}, line {frames[0][1]})" if frames else name


def start_template(imports: Sequence[str]) -> None:
    """Start the process that tasks are forked from, unless it runs; it imports in the background what they need."""
    with _starting:
        multiprocessing.get_context("forkserver").set_forkserver_preload([f"{__package__}.parent_death", *imports, __name__])
        settings = {**KEPT_MEMORY, **{name: os.environ[name] for name in KEPT_MEMORY if name in os.environ}, **ONE_THREAD}
        before = {name: os.environ.get(name) for name in settings}
        os.environ.update(settings)
        try:
            resource_tracker.ensure_running()  # Starting it unblocks signals, so it comes first.
            with _ctrl_c_waits():
                forkserver.ensure_running()
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Let Ctrl-C take effect after this block.

    In the middle of it, half a request would reach the template, or a worker would start that nobody ends. The template
    itself starts with the signal blocked: it is ended with the run, and says nothing of its own.
    """
    if threading.current_thread() is not threading.main_thread():
        with _starting:
            yield  # Ctrl-C interrupts the main thread alone.
        return
    pressed = list[int]()
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep a new process from importing the script that runs here, which would run a user's script once more."""
    before, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before


def _serve(payload: bytes, place: str) -> None:
    """What a worker does: one task, whose result it leaves beside ``place``."""
    # A group of its own: Ctrl-C reaches the run alone, which decides what it means, and the group can be ended as a whole.
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    worker, result, output = os.getpid(), Path(f"{place}.result"), Path(f"{place}.output")
    threading.Thread(target=_end_with_parent, args=(output.parent,), daemon=True).start()
    printed = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(printed, stream)
    os.close(printed)
    faulthandler.enable(file=2, all_threads=False)
    try:
        work, task = pickle.loads(payload)
        outcome = pickle.dumps((True, work(task)))
    except BaseException as error:  # whatever it is, it ends this task alone
        outcome = _raised(error)
    if os.getpid() != worker:
        os._exit(1)  # A process that the task forked has come here: the result is not its to give.
    part = result.with_suffix(".part")
    part.write_bytes(outcome)
    part.replace(result)
    os.killpg(0, signal.SIGKILL)


def _raised(error: BaseException) -> bytes:
    """An error as its parent can read it: itself, or what it says if it cannot be pickled, or would end the parent."""
    try:
        raised = pickle.dumps((False, error))
        pickle.loads(raised)
    except Exception:
        raised = b""
    if raised and isinstance(error, Exception):
        return raised
    return pickle.dumps((False, RaterbenchError(described(error))))


def _end_with_parent(folder: Path) -> None:
    """End this process with its parent: a killed run must not leave workers that compete with the next one."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def own_output() -> str:
    """The end of what the present task has printed so far; empty in a process that is no worker."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    return _end_of(Path("/dev/fd/1")) if multiprocessing.parent_process() is not None else ""


def _end_of(file: Path) -> str:
    """The last characters of a text file; empty where there is none."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - 2**16))
            lines = stream.read().decode(errors="replace").splitlines(keepends=True)
            # Python's fault handler ends with a list of all that was imported.
            return "".join(line for line in lines if not line.startswith("Extension modules:"))[-LONGEST_OUTPUT:]
    except OSError:
        return ""


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Hold the folder for one run. The system lets go of the lock with the process, so none is ever stale.

    Raises:
        RaterbenchError: another run holds the folder, or something else is where its lock goes.
    """
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _open_lock(folder / ".lock") as lock:
        # Whoever asks whether a run is going on holds the lock for a moment, so one refusal is not enough.
        deadline = time.monotonic() + LOCK_SECONDS
        with suppress(OSError):  # Some platforms and network file systems have no locks; a run there goes on without one.
            while not lock_descriptor(lock.fileno(), blocking=False):
                if time.monotonic() > deadline:
                    lock.seek(0)
                    raise RaterbenchError(
                        f"another run (process {lock.read().strip() or 'unknown'}) is writing to {folder}: "
                        "wait for it, stop it, or give another folder"
                    )
                time.sleep(0.02)
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
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)
        lock = os.fdopen(descriptor, "r+", encoding="utf-8", errors="replace")
    if there and re.fullmatch(r"[0-9]*", lock.read(LONGEST_LOCK)) is None:
        lock.close()
        raise RaterbenchError(f"{file} was not written by raterbench, and a run puts its lock there: {FOREIGN_LOCK}")
    return lock
