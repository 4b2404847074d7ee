"""The laws of the house: imports point one way, every room is on the map, no file is a hall, no room a crowd."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("datasets", "methods", "benchmark", "reports")
MODULES = sorted(p.relative_to(ROOT) for floor in FLOORS for p in (ROOT / floor).rglob("*.py"))
ROOMS = sorted({path.parent for path in MODULES})
LONGEST_FILE = 500
MOST_FILES = 16


def relative_imports(path: Path) -> set[str]:
    """Top folders of the package that a module imports, at any place in it."""
    found = set()
    depth = len(path.parts) - 1
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level > depth:
            found.add((node.module or "").partition(".")[0])
    return found & set(FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_one_way(path):
    here = FLOORS.index(path.parts[0])
    assert all(FLOORS.index(floor) <= here for floor in relative_imports(path))


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_file_is_a_hall(path):
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("room", ROOMS, ids=str)
def test_no_room_is_a_crowd(room):
    assert sum(path.parent == room for path in MODULES) <= MOST_FILES


def test_every_room_is_on_the_map():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    house = text[text.index("<!-- house:begin -->") : text.index("<!-- house:end -->")]
    assert set(re.findall(r"`([\w/]+)/`", house)) == {room.as_posix() for room in ROOMS}


@pytest.mark.parametrize("module", ["reports.page.report", "benchmark.statistics.comparison", "benchmark.store.results"])
def test_reports_and_statistics_know_no_torch(module):
    loaded = f"import sys, raterbench.{module}; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True).stdout.split()
    assert not {"torch", "raterbench.methods.learning.network"} & set(names)
