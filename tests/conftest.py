"""One thread for each test process: as many of them as there are cores run side by side, and tiny networks need no more."""

import gc
import os

import pytest

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

LONG = ("test_report", "test_figures", "test_run", "test_readme", "test_command_line", "test_isolation", "test_platform")
"""Files with tests of ten seconds and more."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests come first: if the last test of a run were a long one, the other process would wait for it."""
    items.sort(key=lambda item: item.path.stem not in LONG)


def pytest_collection_finish() -> None:
    """Look for garbage less often, and never again among what was imported, which is half a million objects."""
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(autouse=True, scope="session")
def template_with_torch() -> None:
    """Workers are forked from a template that has imported torch, whichever test asks for the first of them.

    The first call in a process decides what its template imports. If that were a test of ``describe``, which needs no torch,
    every worker of later tests would import torch anew, which takes seconds.
    """
    from raterbench.benchmark.runner.workers import start_template

    start_template(("raterbench.benchmark.runner.preloaded",))


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests prepare is kept for them alone, in the processes that they start, too."""
    os.environ["RATERBENCH_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def no_cache_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that opens an experiment's data set must not let those after it use the cache."""
    from raterbench.datasets.cache.disk_cache import DiskCache

    monkeypatch.setattr(DiskCache, "current", None)


@pytest.fixture(autouse=True)
def steps_unshown(monkeypatch: pytest.MonkeyPatch) -> None:
    """No line about work that takes longer than a second: what a test reads must not depend on how busy the machine is."""
    from raterbench.benchmark.runner import shown_steps

    monkeypatch.setattr(shown_steps, "SILENT_SECONDS", float("inf"))


def unsaved(figure):
    from PIL import Image

    return Image.new("RGB", (1, 1)), {"png": b"", "pdf": b"", "svg": b""}


@pytest.fixture
def figures_unsaved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are drawn but not saved, which takes ten times as long: for tests of what a report says in words."""
    from raterbench.reports.figures.files import drawing

    def arranged(figure):
        figure.draw_without_rendering()
        return unsaved(figure)

    monkeypatch.setattr(drawing, "forms_of", arranged)


@pytest.fixture
def figures_undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but neither drawn nor saved: for tests of what a run or a table says, not of what figures show."""
    from raterbench.reports.figures.files import drawing

    monkeypatch.setattr(drawing, "forms_of", unsaved)
