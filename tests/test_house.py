"""The laws of the house: imports point one way, every file is on the map, no file is a hall."""

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
LONGEST_FILE = 300


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


def test_every_file_is_on_the_map():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    house = text[text.index("<!-- house:begin -->") : text.index("<!-- house:end -->")]
    listed = set(re.findall(r"`([\w/]+\.py)`", house))
    assert listed == {p.as_posix() for p in MODULES if p.name != "__init__.py"}


@pytest.mark.parametrize("module", ["reports.report", "benchmark.statistics.comparison", "benchmark.results"])
def test_reports_and_statistics_know_no_torch(module):
    code = f"import sys, raterbench.{module}; sys.exit('torch' in sys.modules or 'raterbench.methods.network' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
