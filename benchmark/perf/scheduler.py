"""How many units a second a Dask scheduler, and the run that feeds it, can deal with: units that compute nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import RaterbenchError

PAYLOAD = 20_000
"""Bytes that a unit takes along: one of ``quick`` has 4,000, and the folds of large data sets are longer."""
ANSWER = 50_000
"""Bytes that it gives back; predictions are 20,000 to some millions."""
AHEAD = 16
"""Units that are submitted at a time, of which 4 run."""
START_SECONDS = 60


def nothing(payload: bytes) -> bytes:
    """A unit without work."""
    return payload[:1] * ANSWER


def scheduler_limit(units: int) -> str:
    """Run empty units on a scheduler and a worker of this machine, as a run submits them; what it took, in a sentence.

    The time of processors is what counts: on its own machine a scheduler has one for itself.

    Raises:
        RaterbenchError: the packages are not there, or no scheduler could be started.
    """
    try:
        import psutil
        from distributed import Client, as_completed
    except ImportError as error:
        raise RaterbenchError(f"this needs more packages ({error}): pip install 'raterbench[dask]'") from error
    with _local_cluster() as (address, scheduler), Client(address, set_as_default=False, timeout=START_SECONDS) as client:
        client.wait_for_workers(1)
        ended, submitted, measured = as_completed(loop=client.loop), 0, psutil.Process(scheduler)
        cpu, own, start = sum(measured.cpu_times()[:2]), time.process_time(), time.perf_counter()
        for done in range(units):
            while submitted < units and submitted - done < AHEAD:
                ended.add(client.submit(nothing, bytes(PAYLOAD), pure=False))
                submitted += 1
            next(ended).result()
        seconds = time.perf_counter() - start
        cpu, own = sum(measured.cpu_times()[:2]) - cpu, time.process_time() - own
    return (
        f"{units:,} empty units in {seconds:.0f} s ({units / seconds:.0f} a second, with 4 at a time on this machine): "
        f"{1000 * cpu / units:.2f} ms of a processor each in the scheduler, {1000 * own / units:.2f} ms in the run"
    )


@contextmanager
def _local_cluster() -> Iterator[tuple[str, int]]:
    """The address of a scheduler with one worker of four threads, and the number of its process."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "scheduler.json"
        shared = ["--scheduler-file", str(place), "--no-dashboard", "--host", "127.0.0.1"]
        command = [sys.executable, "-m", "dask"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        scheduler = subprocess.Popen([*command, "scheduler", "--port", "0", *shared], **silent)  # type: ignore[call-overload]
        own = ["worker", "--no-nanny", "--nthreads", "4", "--local-directory", folder]
        worker = subprocess.Popen([*command, *own, *shared], **silent)  # type: ignore[call-overload]
        try:
            yield _address(place), scheduler.pid
        finally:
            for process in (worker, scheduler):
                process.kill()
                process.wait()


def _address(place: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            return str(json.loads(place.read_text())["address"])
        except (OSError, ValueError):
            time.sleep(0.1)  # It is being written.
    raise RaterbenchError(f"no scheduler was started within {START_SECONDS} s: try 'dask scheduler' by hand")
