"""Tasks on the workers of a Dask cluster, which share no disk with this machine."""

from __future__ import annotations

import logging
import os
import pickle
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ....errors import RaterbenchError
from ....plugin_errors import described
from ....steps import step
from ....whole_files import replacing
from ...experiment.local_modules import with_local_modules
from ..plan import Plan
from ..tasks import MeasuringTask, ReferenceTask
from ..workers import Died
from . import remote
from .data_files import MESSAGE, files_to_send, pieces
from .engine import Engine
from .remote import Answer, present_versions
from .travel import Common, read_files, stored_files
from .work import Ended, Task, on_gpu

if TYPE_CHECKING:
    from distributed import Client, Future

GPU = "GPU"
"""The resource that a worker on a machine with a GPU offers."""
CONNECT_SECONDS = 20
COUNT_SECONDS = 5.0
"""How often workers are counted."""
AHEAD = 2
"""Tasks that are submitted for each thread of a worker, so that none waits for this process."""
LEAST_AHEAD = 8


class DaskCluster(Engine):
    """The workers of the Dask scheduler at ``address`` (``tcp://host:8786``): each of their threads computes one task."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._client: Client | None = None
        self._threads, self._counted = 0, -COUNT_SECONDS
        self._sent: set[str] = set()

    @property
    def jobs(self) -> int:
        if self._client is None:
            with self:
                return self.jobs
        if time.monotonic() - self._counted >= COUNT_SECONDS:
            with suppress(OSError):  # Where the scheduler is gone, that shows elsewhere.
                self._threads, self._counted = sum(self._client.nthreads().values()), time.monotonic()
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
        running: dict[Future, Task] = {}
        self._check_gpus(plan)
        ended = as_completed(loop=self._client.loop)
        try:
            while tasks or running:
                if self._client.status != "running":
                    raise self._lost()
                most = 1 if alone else max(AHEAD * self.jobs, LEAST_AHEAD)
                while len(running) < most and (task := _next(tasks, running)) is not None:
                    inputs = {
                        file.relative_to(plan.folder.absolute()).as_posix(): file.read_bytes() for file in read_files(task)
                    }
                    future = self._client.submit(
                        remote.compute, common, pickle.dumps(task), inputs, expected, timeout,
                        pure=False, resources={GPU: 1} if on_gpu(task) else None,
                    )  # fmt: skip
                    running[future] = task
                    ended.add(future)
                future = next(ended)
                task = running.pop(future)
                outcome = self._outcome(plan, task, future, alone)
                if outcome is None:
                    tasks.appendleft(task)
                else:
                    yield task, outcome
        finally:
            # Nobody will store what is still running; workers end it by themselves.
            if self._client.status == "running":
                self._client.cancel(list(running))

    def _outcome(self, plan: Plan, task: Task, future: Future, alone: bool) -> Ended | Died | None:
        """How a task ended, once what it stored is in the results folder; None where it has to be submitted again.

        What waits on a worker that dies counts for Dask like what killed it, so a task is blamed only if it was ``alone``.

        Raises:
            RaterbenchError: the scheduler is gone, or a worker cannot compute for this client.
        """
        from distributed.scheduler import KilledWorker

        if future.status in ("cancelled", "lost"):
            raise self._lost()
        if future.status == "error":
            error = future.exception()
            if isinstance(error, KilledWorker):
                n, last = error.allowed_failures + 1, error.last_worker.address
                return Died(f"{n} workers died while they computed it, the last one was {last}", final=alone)
            raise RaterbenchError(
                f"a worker of {self.address} could not start a unit ({described(error)}): install the same raterbench there"
            )
        answer: Answer = future.result()
        if answer.refused:
            raise RaterbenchError(f"the worker {answer.worker} cannot compute: {answer.refused}")
        if answer.lacking:
            self._send_data(plan, answer)
            return None
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

    def _send_data(self, plan: Plan, answer: Answer) -> None:
        """Send the files of the data set to a worker that does not have them, as far as they are not there.

        Raises:
            RaterbenchError: they were sent already, or cannot be sent.
        """
        client, worker, fingerprint = self._client, answer.worker, plan.facts["fingerprint"]
        assert client is not None
        reason = f"the worker {worker} has no such data ({answer.lacking})"
        if worker in self._sent:
            raise RaterbenchError(
                f"{reason}, although the files were sent: put the data set where RATERBENCH_DATA points there"
            )
        try:
            files = files_to_send(plan.dataset, plan.experiment, plan.setting.data)
        except RaterbenchError as error:
            raise RaterbenchError(f"{reason}, and {error}") from error
        try:
            there = client.run(remote.missing_files, fingerprint, list(files), workers=[worker])
            missing = {name: files[name] for name in there.get(worker, ())}
            n = 1 + sum(file.stat().st_size for file in missing.values()) // MESSAGE
            with step(f"sending {len(missing)} files of data to {worker}", n) as sending:
                for message in pieces(missing):
                    client.run(remote.receive, fingerprint, message, workers=[worker])
                    sending.done += 1
            client.run(remote.finish, fingerprint, workers=[worker])
        except OSError:
            if worker in client.nthreads():
                raise
            return  # The worker is gone: others take up its tasks.
        self._sent.add(worker)

    def _check_gpus(self, plan: Plan) -> None:
        """Raise a RaterbenchError if networks are to be trained on GPUs and no worker offers one."""
        assert self._client is not None
        workers = self._client.scheduler_info()["workers"].values()
        if plan.setting.device == "cuda" and workers and not any(worker["resources"].get(GPU) for worker in workers):
            raise RaterbenchError(
                f"--device cuda: none of the {len(workers)} workers of {self.address} offers a GPU: start those on machines "
                f"with one by dask worker --resources {GPU}=1"
            )


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
        experiment=plan.experiment.replace(plugins=()),
        data=plan.setting.data,
        fingerprint=plan.facts["fingerprint"],
        named=tuple(file.relative_to(top).as_posix() for file in named),
        plugins={file.relative_to(top).as_posix(): file.read_bytes() for file in files},
    )


def _next(tasks: deque[Task], running: dict[Future, Task]) -> Task | None:
    """Take the next task. What is measured waits until references are fused: it takes them along, else fuses them anew."""
    fusing = any(isinstance(task, ReferenceTask) for task in (*tasks, *running.values()))
    place = next((n for n, task in enumerate(tasks) if not (fusing and isinstance(task, MeasuringTask))), None)
    if place is None:
        return None
    found = tasks[place]
    del tasks[place]
    return found
