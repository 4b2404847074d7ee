"""Tasks on the workers of a Dask cluster, which share no disk with this machine."""

from __future__ import annotations

import logging
import os
import pickle
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ....errors import RaterbenchError
from ....names import visible
from ....plugin_errors import described
from ....steps import step
from ....whole_files import replacing
from ...experiment.local_modules import with_local_modules
from ..plan import Plan
from ..shown_steps import duration
from ..tasks import MeasuringTask, ReferenceTask
from ..workers import Died
from . import remote
from .data_files import MESSAGE, file_states, files_to_send, pieces
from .engine import Engine
from .remote import Answer, present_versions
from .travel import Common, read_files, stored_files
from .work import Ended, Task, on_gpu

if TYPE_CHECKING:
    from distributed import Client, Future, as_completed

GPU = "GPU"
"""The resource that a worker on a machine with a GPU offers."""
CONNECT_SECONDS = 20
COUNT_SECONDS = 5.0
"""How often workers are counted."""
AHEAD = 2
"""Tasks that are submitted for each thread of a worker, so that none waits for this process."""
LEAST_AHEAD = 8
TICK = 0.05
"""How often it is looked whether a task has ended, in seconds."""
FIRST_SAID, SAID_AGAIN = 10.0, 600.0
"""Seconds until it is said that no worker is there, and the longest pause until it is said again."""
SENDINGS = 2
"""How often data are sent to a worker that then computes nothing: a copy may have been removed again."""
TRIES = 3
"""How often a task is given out before a worker that has a fault of its own counts as its death."""


@dataclass(frozen=True)
class Again:
    """A task that has to be submitted again: its worker lacked the data, or has a fault of its own."""

    fault: str = ""


class DaskCluster(Engine):
    """The workers of the Dask scheduler at ``address`` (``tcp://host:8786``): each of their threads computes one task.

    Raises:
        RaterbenchError: a number of ``jobs`` is asked for, which is the workers' to decide.
    """

    def __init__(self, address: str, jobs: int = 0) -> None:
        if jobs:
            raise RaterbenchError(
                f"--jobs {jobs} is for units on this machine, and on a Dask cluster each thread of a worker computes one: "
                f"leave it out, and give the number to each worker, as dask worker --nthreads {jobs}"
            )
        self.address = address
        self._client: Client | None = None
        self._threads, self._gpus, self._counted = 0, 0, -COUNT_SECONDS
        self._running: dict[Future, Task] = {}
        self._before_sent: dict[str, set[str]] = {}
        """For each worker that data were sent to: the keys of futures that were submitted before all was sent."""
        self._sent = Counter[str]()
        """How often data were sent to a worker since it has computed something."""
        self._faults: dict[str, str] = {}
        """What is wrong with workers, as far as it was said."""

    @property
    def jobs(self) -> int:
        if self._client is None:
            with self:
                return self.jobs
        if time.monotonic() - self._counted >= COUNT_SECONDS:
            with suppress(OSError):  # Where the scheduler is gone, that shows elsewhere.
                self._threads = sum(self._client.nthreads().values())
                if any(map(on_gpu, self._running.values())):
                    self._gpus = self._client.run_on_scheduler(remote.offers, GPU)[1]
                self._counted = time.monotonic()
        return self._threads

    def __enter__(self) -> Self:
        self._client = _connected(self.address)
        if not self.jobs:
            with step(f"waiting for the first worker of {self.address}"):
                self._client.wait_for_workers(1)
            self._counted = -COUNT_SECONDS
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._client is not None:
            self._client.close(timeout=2)
            self._client = None

    def compute(
        self, plan: Plan, tasks: deque[Task], *, timeout: float | None = None, alone: bool = False
    ) -> Iterator[tuple[Task, Ended | Died]]:
        from distributed import as_completed

        assert self._client is not None, "the engine is entered before it computes"
        common, expected = pickle.dumps(_common(plan)), present_versions()
        running = self._running = {}
        tries = Counter[int]()
        self._check_gpus(plan)
        ended = as_completed(loop=self._client.loop)
        try:
            while tasks or running:
                if self._client.status != "running":
                    raise self._lost()
                most = 1 if alone else max(AHEAD * self.jobs, LEAST_AHEAD)
                while len(running) < most and (task := _next(tasks, running.values())) is not None:
                    inputs = {
                        file.relative_to(plan.folder.absolute()).as_posix(): file.read_bytes() for file in read_files(task)
                    }
                    future = self._client.submit(
                        remote.compute, common, pickle.dumps(task), inputs, expected, timeout,
                        pure=False, resources={GPU: 1} if on_gpu(task) else None,
                    )  # fmt: skip
                    running[future] = task
                    ended.add(future)
                self._wait(ended)
                future = next(ended)
                if future.status in ("lost", "pending"):
                    ended.add(future)  # Its worker died before the answer was fetched: the scheduler has it computed again.
                    continue
                task = running[future]
                outcome = self._outcome(plan, task, future, alone)
                del running[future]
                if isinstance(outcome, Again):
                    tries[id(task)] += bool(outcome.fault)
                    if tries[id(task)] < TRIES:
                        # Where a worker has a fault, another one may be free when all other tasks were given out.
                        (tasks.append if outcome.fault else tasks.appendleft)(task)
                        continue
                    outcome = Died(outcome.fault, again=f"{2 * TRIES} times a worker could not compute it")
                del tries[id(task)]
                yield task, outcome
        finally:
            # Nobody will store what is still running; workers end it by themselves.
            if self._client.status == "running":
                self._client.cancel(list(running))

    def _wait(self, ended: as_completed) -> None:
        """Wait until a task has ended; now and then say that no worker is there that could compute one."""
        assert self._client is not None
        start, due = time.monotonic(), FIRST_SAID
        while not ended.has_ready() and self._client.status == "running":
            time.sleep(TICK)
            jobs, now = self.jobs, time.monotonic()
            if jobs and (self._gpus or not all(map(on_gpu, self._running.values()))):
                start, due = now, FIRST_SAID
            elif now - start >= due:
                due = min(2 * due, due + SAID_AGAIN)
                kind = " that offers a GPU" if jobs else ""
                _say(
                    f"no worker of {self.address}{kind} is left: waiting for one, {duration(now - start)} so far; Ctrl-C ends "
                    "the run, and what is finished is stored"
                )

    def _outcome(self, plan: Plan, task: Task, future: Future, alone: bool) -> Ended | Died | Again:
        """How a task ended, once what it stored is in the results folder; or that it has to be submitted again.

        What waits on a worker that dies counts for Dask like what killed it, so a task is blamed only if it was ``alone``.

        Raises:
            RaterbenchError: the scheduler is gone, or a worker cannot compute for this client.
        """
        from distributed import CancelledError
        from distributed.scheduler import KilledWorker

        if future.status == "cancelled":
            raise self._lost()
        if future.status == "error":
            error = future.exception()
            if isinstance(error, KilledWorker):
                n, last = error.allowed_failures + 1, error.last_worker.address
                return Died(f"{n} workers died while they computed it, the last one was {last}", final=alone)
            raise RaterbenchError(
                f"a worker of {self.address} could not start a unit ({described(error)}): install the same raterbench there"
            )
        try:
            answer: Answer = future.result()
        except (OSError, CancelledError) as error:  # It is fetched from the worker by way of the scheduler.
            raise self._lost() from error
        if answer.refused:
            raise RaterbenchError(f"the worker {answer.worker} cannot compute: {answer.refused}")
        fault = answer.broken or (answer.lacking and self._send_data(plan, answer, future.key))
        if fault and self._faults.get(answer.worker) != fault:
            self._faults[answer.worker] = fault
            _say(f"the worker {answer.worker} has a fault: {fault}; others take up its tasks, and it tries again now and then")
        if answer.broken or answer.lacking:
            return Again(fault and f"the worker {answer.worker} has a fault: {fault}")
        self._faults.pop(answer.worker, None)
        self._sent.pop(answer.worker, None)
        for file, content in zip(stored_files(task), answer.files, strict=False):
            if content is not None:
                with replacing(file) as place:
                    place.write_bytes(content)
        outcome: Ended | Died = answer.outcome if isinstance(answer.outcome, Died) else pickle.loads(answer.outcome)
        return outcome

    def _lost(self) -> RaterbenchError:
        return RaterbenchError(
            f"the connection to the Dask scheduler at {self.address} was lost: run the same command again once it is back; "
            "what is finished is stored"
        )

    def _send_data(self, plan: Plan, answer: Answer, key: str) -> str:
        """Send the files of the data set to a worker that lacks them, as far as they are not there or damaged.

        A worker that is computing for others of its tasks answers late: what was submitted before all was sent says nothing
        about what was sent.

        Args:
            plan: that of the task.
            answer: what the worker said.
            key: of the future that the answer belongs to.

        Returns:
            What the worker itself could not do, such as to write; empty where nothing is wrong with it.

        Raises:
            RaterbenchError: they were sent already, or cannot be sent.
        """
        client, worker, fingerprint = self._client, answer.worker, plan.facts["fingerprint"]
        assert client is not None
        if key in self._before_sent.get(worker, ()):
            return ""
        reason = f"the worker {worker} has no such data ({answer.lacking})"
        if self._sent[worker] >= SENDINGS:
            raise RaterbenchError(
                f"{reason}, although the files were sent: put the data set where RATERBENCH_DATA points there"
            )
        try:
            files = files_to_send(plan.dataset, plan.experiment, plan.setting.data)
            states = file_states(files)
        except RaterbenchError as error:
            raise RaterbenchError(f"{reason}, and {error}") from error
        try:
            names = self._told(worker, remote.missing_files, fingerprint, states)
            missing = {name: files[name] for name in names}
            n = 1 + sum(file.stat().st_size for file in missing.values()) // MESSAGE
            with step(f"sending {len(missing)} files of data to {worker}", n) as sending:
                for message in pieces(missing):
                    self._told(worker, remote.receive, fingerprint, message)
                    sending.done += 1
            self._told(worker, remote.finish, fingerprint)
        except WorkerFaultError as error:
            # Where the worker is gone others take up its tasks.
            try:
                return str(error) if worker in client.nthreads() else ""
            except OSError as closed:
                raise self._lost() from closed
        self._before_sent[worker] = {future.key for future in self._running}
        self._sent[worker] += 1
        return ""

    def _told(self, worker: str, do: Callable[..., Any], *arguments: Any) -> Any:
        """What a function returns that is run on a worker, aside from its tasks.

        Raises:
            WorkerFaultError: it failed there, or the worker is gone.
        """
        assert self._client is not None
        try:
            return self._client.run(do, *arguments, workers=[worker])[worker]
        except (OSError, RaterbenchError) as error:
            raise WorkerFaultError(str(error) if isinstance(error, RaterbenchError) else described(error)) from error

    def _check_gpus(self, plan: Plan) -> None:
        """Raise a RaterbenchError if networks are to be trained on GPUs and no worker offers one."""
        assert self._client is not None
        if plan.setting.device != "cuda":
            return
        try:
            workers, self._gpus = self._client.run_on_scheduler(remote.offers, GPU)
        except (ImportError, AttributeError) as error:
            raise RaterbenchError(
                f"the scheduler {self.address} has no such raterbench ({described(error)}): install the same there as here"
            ) from error
        if workers and not self._gpus:
            raise RaterbenchError(
                f"--device cuda: none of the {workers} workers of {self.address} offers a GPU: start those on machines "
                f"with one by dask worker --resources {GPU}=1"
            )


class WorkerFaultError(Exception):
    """What a worker could not do."""


def _connected(address: str) -> Client:
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise RaterbenchError(
            f"--engine dask needs a package that is not there ({error}): pip install raterbench[dask]"
        ) from error
    # What goes wrong is said in a sentence of our own, and what a unit brings along is as large as it is.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"})
    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="raterbench")
    except (OSError, ValueError) as error:
        raise RaterbenchError(
            f"there is no Dask scheduler at {address} ({described(error)}): start one by dask scheduler, and give its address "
            "as tcp://host:port"
        ) from error


def _common(plan: Plan) -> Common:
    """What all tasks need on any machine. Plug-ins travel with the modules of one's own that they import."""
    named = [Path(path).resolve() for path in plan.experiment.plugins]
    files = with_local_modules(named)
    top = Path(os.path.commonpath([file.parent for file in files])) if files else Path()
    return Common(
        experiment=plan.setting.experiment.replace(plugins=()),
        data=plan.setting.data,
        fingerprint=plan.facts["fingerprint"],
        named=tuple(file.relative_to(top).as_posix() for file in named),
        plugins={file.relative_to(top).as_posix(): file.read_bytes() for file in files},
    )


def _say(text: str) -> None:
    """A line on standard error, above the bar if there is one."""
    with suppress(OSError):
        sys.stderr.write(f"{visible(text)}\n")


def _next(tasks: deque[Task], running: Collection[Task]) -> Task | None:
    """Take the next task. What is measured waits until references are fused: it takes them along, else fuses them anew."""
    fusing = any(isinstance(task, ReferenceTask) for task in (*tasks, *running))
    place = next((n for n, task in enumerate(tasks) if not (fusing and isinstance(task, MeasuringTask))), None)
    if place is None:
        return None
    found = tasks[place]
    del tasks[place]
    return found
