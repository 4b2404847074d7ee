import os
import platform
import signal
import subprocess
import sys
import time
from multiprocessing import reduction
from pathlib import Path

import pytest

from raterbench.benchmark.runner import workers
from raterbench.benchmark.runner.workers import Died, only_run, side_by_side
from raterbench.datasets import RaterbenchError

KILL = "__import__('os').kill(__import__('os').getpid(), 9)"
PID = "__import__('os').getpid()"


def children():
    """Living processes that the template of this process has started."""
    found = ps("-o", "pid=", "--ppid", ",".join(ps("-o", "pid=", "--ppid", str(os.getpid())).split()))
    return {int(pid) for pid in found.split() if alive(pid)}


def alive(pid):
    state = ps("-o", "stat=", "-p", str(pid)).strip()
    return bool(state) and not state.startswith("Z")


def ends(pid):
    """Whether a process ends soon: a busy system needs a moment to carry out a SIGKILL."""
    deadline = time.monotonic() + 15
    while (living := alive(pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not living


def ps(*arguments):
    return subprocess.run(["ps", *arguments], check=False, capture_output=True, text=True).stdout


def test_results_come_with_their_tasks():
    tasks = ["1 + 1", "'a' * 3", "[3]", "None"]
    assert dict(side_by_side(tasks, eval, 2)) == {t: eval(t) for t in tasks}
    assert list(side_by_side([], eval, 2)) == []


def test_a_task_that_may_not_start_yet_lets_others_pass(tmp_path):
    """The last of three opens what the first waits for; the second may run beside nothing."""
    opened = tmp_path / "opened"
    waits = f"([__import__('time').sleep(0.01) for _ in iter(__import__('pathlib').Path({str(opened)!r}).exists, True)], 1)[1]"
    opens = f"open({str(opened)!r}, 'w').close()"
    tasks = [waits, "'alone'", opens]
    found = list(side_by_side(tasks, eval, 2, timeout=60, may_start=lambda task, _: task != "'alone'"))
    assert dict(found) == {waits: 1, "'alone'": "alone", opens: None}
    assert [task for task, _ in found][-1] == "'alone'"


def test_each_task_has_a_new_process_and_its_own_group():
    found = {pid for _, pid in side_by_side([f"({n}, {PID})[1]" for n in range(3)], eval, 2)}
    assert len(found) == 3
    assert os.getpid() not in found
    ((_, group),) = side_by_side(["__import__('os').getpgid(0)"], eval, 1)
    assert group != os.getpgid(0)


def test_a_task_finds_nothing_of_what_another_one_changed(tmp_path):
    here = str(Path.cwd())
    spoiled = f"__import__('os').chdir({str(tmp_path)!r}), __import__('os').environ.update(SPOILED='1')"
    asked = "__import__('os').getcwd(), __import__('os').environ.get('SPOILED')"
    assert [found for _, found in side_by_side([spoiled, asked], eval, 1)][1] == (here, None)


def test_a_death_is_that_of_one_task():
    tasks = ["1", KILL, "2", f"{KILL} or 1", "3", "__import__('os')._exit(3)", "4", "__import__('os')._exit(0)"]
    found = dict(side_by_side(tasks, eval, 2))
    assert {task for task, outcome in found.items() if isinstance(outcome, Died)} == {tasks[n] for n in (1, 3, 5, 7)}
    assert found[KILL].how == "SIGKILL, out of memory or killed by somebody"
    assert found[tasks[5]].how == "it ended itself with exit status 3"
    assert found[tasks[7]].how == "it ended itself with exit status 0"
    assert [found[t] for t in "1234"] == [1, 2, 3, 4]


def test_a_crash_names_the_line_that_crashed(tmp_path):
    (tmp_path / "mine.py").write_text("import os\n\n\ndef crash(_):\n    os.kill(os.getpid(), 11)\n")
    load = f"__import__('runpy').run_path({str(tmp_path / 'mine.py')!r})['crash'](0)"
    ((_, died),) = side_by_side([load], eval, 1)
    assert died.how == "SIGSEGV (mine.py, line 5)"
    assert "Segmentation fault" in died.output


def test_a_task_that_takes_too_long_is_ended_and_the_others_go_on():
    hangs = "print('so far') or __import__('time').sleep(60)"
    found = dict(side_by_side([hangs, "1", "2"], eval, 2, timeout=2))
    assert found[hangs] == Died("it took longer than the 2 s allowed", "so far\n", final=True)
    assert (found["1"], found["2"]) == (1, 2)


def test_what_a_task_started_ends_with_it():
    sleeper = "__import__('subprocess').Popen(['sleep', '60']).pid"
    forked = "(lambda pid: pid or __import__('time').sleep(60))(__import__('os').fork())"
    thread = "(__import__('threading').Thread(target=__import__('time').sleep, args=(60,)).start(), 4)[1]"
    found = dict(side_by_side([sleeper, forked, thread], eval, 3, timeout=30))
    assert found[thread] == 4
    assert ends(found[sleeper])
    assert ends(found[forked])


def test_a_process_that_a_task_forked_does_not_answer_for_it():
    task = "(lambda pid: __import__('time').sleep(0.3 if pid else 0) or pid > 0)(__import__('os').fork())"
    assert dict(side_by_side([task], eval, 1)) == {task: True}


@pytest.mark.parametrize("ending", ["__import__('sys').exit(0)", "(_ for _ in ()).throw(KeyboardInterrupt)"])
def test_a_task_cannot_end_the_run(ending):
    with pytest.raises(RaterbenchError, match=r"SystemExit: 0|KeyboardInterrupt"):
        list(side_by_side([ending], eval, 1))


def test_what_tasks_print_stays_out_of_the_way(capfd):
    assert dict(side_by_side(["print('chatter') or 1"], eval, 1)) == {"print('chatter') or 1": 1}
    assert capfd.readouterr().out == ""


def test_no_worker_is_left_whether_all_went_well_or_not():
    assert len(list(side_by_side(["1", "2"], eval, 2))) == 2
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(["1 / 0", "__import__('time').sleep(60)"], eval, 2))
    stopped = side_by_side(["1", "__import__('time').sleep(60)"], eval, 2)
    assert next(stopped) == ("1", 1)
    stopped.close()
    assert not children()


@pytest.mark.parametrize("part", ["connect", "send"])
def test_ctrl_c_while_a_worker_starts_waits_until_it_is_known(monkeypatch, capfd, part):
    """Half a request would end the template with a traceback, and a worker that is not yet known would be left."""
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background jobs are deaf to it.
    list(side_by_side([0], abs, 1))  # The template runs.
    send, started = reduction.sendfds, []

    def interrupted(*request):
        if part == "send":
            send(*request)
        started.append(request)
        signal.raise_signal(signal.SIGINT)
        if part == "connect":
            send(*request)

    monkeypatch.setattr(reduction, "sendfds", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(side_by_side([0], abs, 1))
    finally:
        signal.signal(signal.SIGINT, heard)
    monkeypatch.undo()
    assert len(started) == 1
    assert [value for _, value in side_by_side([-1], abs, 1)] == [1]
    assert capfd.readouterr().err == ""


def test_workers_compute_with_one_thread():
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    (found,) = dict(side_by_side([f"[__import__('os').environ[n] for n in {names}]"], eval, 1)).values()
    assert found == ["1", "1", "1"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="how memory is kept is a setting of this C library")
def test_workers_keep_the_memory_of_a_training_step_for_the_next():
    step = "[__import__('numpy').ones(2**18) for _ in range(16)]"
    faults = "__import__('resource').getrusage(0).ru_minflt"
    (found,) = dict(side_by_side([f"[({step}, {faults})[1] for _ in range(4)]"], eval, 1)).values()
    assert found[3] - found[2] < 2048  # Pages of 4 KiB: without it all 8192 are new.


def test_a_template_that_is_killed_is_replaced_and_no_task_is_lost():
    parent = "__import__('os').getppid()"
    tasks = [f"({n}, {parent})[1]" for n in range(4)]
    # The new template stays for the tests that follow, so it imports what they need.
    found = side_by_side(tasks, eval, 2, imports=("raterbench.benchmark.runner.preloaded",))
    _, template = next(found)
    os.kill(template, 9)
    others = [pid for _, pid in found]
    assert len(others) == 3 and all(isinstance(pid, int) for pid in others)
    assert {pid for pid in others if pid != template} and not alive(template)


def test_workers_end_when_their_parent_is_killed():
    script = f"""
from raterbench.benchmark.runner.workers import side_by_side
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
from raterbench.benchmark.runner.workers import only_run
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
    def refuse(*_, **__):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(workers, "lock_descriptor", refuse)
    with only_run(tmp_path):
        pass
