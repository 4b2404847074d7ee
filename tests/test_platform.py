"""The package where the modules of POSIX systems are missing."""

import multiprocessing
import os
import signal
import subprocess
import sys

from raterbench.__main__ import main
from raterbench.benchmark.labels.batch import over_cases

WITHOUT_POSIX = """
import sys
sys.modules["fcntl"] = sys.modules["resource"] = None  # what is None here raises an ImportError
"""

EVERY_MODULE = """
import importlib, pkgutil
import raterbench
for module in pkgutil.walk_packages(raterbench.__path__, "raterbench."):
    if module.name not in ("raterbench.setup", "raterbench.__main__") and not module.name.startswith("raterbench.tests"):
        importlib.import_module(module.name)
"""

ONE_RUN = """
import pathlib, tempfile
from raterbench.benchmark.runner.workers import only_run
from raterbench.benchmark.store.completeness import running_process
from raterbench.benchmark.store.own_files import WrittenFiles
folder = pathlib.Path(tempfile.mkdtemp())
with only_run(folder):
    assert running_process(folder) == ""
WrittenFiles(folder / "report", "report").write({"page.html": b"page"})
assert (folder / "report" / "page.html").read_bytes() == b"page"
"""


def run(script):
    done = subprocess.run([sys.executable, "-c", WITHOUT_POSIX + script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_module_can_be_imported_without_posix_modules():
    run(EVERY_MODULE)


def test_folders_are_used_without_locks_where_there_are_none():
    run(ONE_RUN)


def test_without_forking_cases_are_worked_on_in_this_process(monkeypatch):
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    assert over_cases([3, 4], lambda number: number + os.getpid(), "numbers", jobs=2) == [os.getpid() + n for n in (3, 4)]


def test_without_sighup_a_command_still_runs(monkeypatch, capsys):
    monkeypatch.delattr(signal, "SIGHUP")
    assert main(["list", "fusions"]) == 0
    assert "staple" in capsys.readouterr().out
