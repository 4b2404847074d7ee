import fcntl
import os
import subprocess
import sys
import time

import pytest

from raterbench.benchmark.workers import Died, only_run, side_by_side
from raterbench.datasets import RaterbenchError

KILL = "__import__('os').kill(__import__('os').getpid(), 9)"
PID = "__import__('os').getpid()"


def children():
    """Living processes whose parent is this one, but for joblib's tracker of shared memory."""
    found = ps("-o", "pid=,args=", "--ppid", str(os.getpid()))
    return {int(line.split()[0]) for line in found.splitlines() if "LokyProcess" in line}


def alive(pid):
    state = ps("-o", "stat=", "-p", str(pid)).strip()
    return bool(state) and not state.startswith("Z")


def ps(*arguments):
    return subprocess.run(["ps", *arguments], check=False, capture_output=True, text=True).stdout


def test_results_come_with_their_tasks():
    tasks = ["1 + 1", "'a' * 3", "[3]", "None"]
    assert dict(side_by_side(tasks, eval, 2)) == {t: eval(t) for t in tasks}
    assert list(side_by_side([], eval, 2)) == []


@pytest.mark.parametrize("jobs", [1, 3])
def test_workers_are_other_processes_even_if_there_is_one(jobs):
    found = {pid for _, pid in side_by_side([f"({n}, {PID})[1]" for n in range(6)], eval, jobs)}
    assert os.getpid() not in found
    assert len(found) <= jobs


def test_a_death_is_that_of_one_task():
    tasks = ["1", KILL, "2", f"{KILL} or 1", "3", "__import__('os')._exit(3)", "4"]
    found = dict(side_by_side(tasks, eval, 2))
    assert {task for task, outcome in found.items() if isinstance(outcome, Died)} == {tasks[1], tasks[3], tasks[5]}
    assert found[KILL].how == "SIGKILL, out of memory or killed by somebody"
    assert found[tasks[5]].how == "EXIT(3)"
    assert [found[t] for t in "1234"] == [1, 2, 3, 4]


def test_no_worker_is_left_whether_all_went_well_or_not():
    assert len(list(side_by_side(["1", "2"], eval, 2))) == 2
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(["1 / 0", "__import__('time').sleep(60)"], eval, 2))
    stopped = side_by_side(["1", "__import__('time').sleep(60)"], eval, 2)
    assert next(stopped) == ("1", 1)
    stopped.close()
    assert not children()


def test_workers_compute_with_one_thread():
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    (found,) = dict(side_by_side([f"[__import__('os').environ[n] for n in {names}]"], eval, 1)).values()
    assert found == ["1", "1", "1"]


def test_workers_end_when_their_parent_is_killed():
    script = f"""
from raterbench.benchmark.workers import side_by_side
for task, pid in side_by_side([{PID!r}, "__import__('time').sleep(60)", "__import__('time').sleep(61)"], eval, 2):
    print(pid, flush=True)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and alive(worker):
        time.sleep(0.05)
    assert not alive(worker)


def test_one_run_at_a_time_holds_a_folder(tmp_path):
    folder = tmp_path / "new" / "results"
    says = f"another run .process {os.getpid()}. is writing to"
    with only_run(folder), pytest.raises(RaterbenchError, match=says), only_run(folder):
        pass
    with only_run(folder):
        pass


def test_the_lock_of_a_killed_run_holds_nothing(tmp_path):
    script = f"""
import pathlib, time
from raterbench.benchmark.workers import only_run
with only_run(pathlib.Path({str(tmp_path)!r})):
    print("held", flush=True)
    time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(RaterbenchError, match=f"process {holder.pid}"), only_run(tmp_path):
        pass
    holder.kill()
    holder.wait()
    with only_run(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_a_file_system_without_locks_is_used_all_the_same(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with only_run(tmp_path):
        pass
