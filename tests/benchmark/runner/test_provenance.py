import ast
import dataclasses
from pathlib import Path

import pytest
import torch

from raterbench.benchmark.runner.provenance import DECIDING, code_version, differences, hardware, origin
from raterbench.benchmark.store.units import Origin

PACKAGE = Path(__file__).parents[3]

INDIFFERENT = {
    *(f"benchmark/checks/{name}.py" for name in ("metrics", "parameters", "result")),  # refuse what cannot be measured
    *("benchmark/experiment/experiment.py", "benchmark/experiment/files.py"),  # in the key
    "benchmark/experiment/settings.py",  # in the key
    *(f"benchmark/experiment/splits/{name}.py" for name in ("base", "draw", "make", "manifest", "settings")),  # in the key
    "benchmark/experiment/local_modules.py",  # for keys
    "benchmark/experiment/skipping.py",  # which candidates run
    "benchmark/experiment/published.py",  # what papers say
    *(f"benchmark/store/{name}.py" for name in ("archive", "completeness", "diagnoses", "units")),  # write results
    *(f"benchmark/models/{name}.py" for name in ("seen_images", "weights_file")),  # write kept weights
    *("benchmark/runner/provenance.py", "benchmark/runner/workers.py"),  # say where results come from
    "benchmark/runner/engines/gpu.py",  # how many units run at once
}
"""Modules that a unit imports and whose code does not decide about its numbers."""


def imported(file):
    """The package's own modules that a module imports, as paths from the package's folder."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = file.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for found in (base, *(base / alias.name for alias in node.names)):
                if found.with_suffix(".py").is_file():
                    yield found.with_suffix(".py")
                elif (found / "__init__.py").is_file():
                    yield found / "__init__.py"


def test_the_code_version_covers_whatever_a_unit_imports():
    deciding = {file for pattern in DECIDING for file in PACKAGE.glob(pattern)}
    seen = set()
    waiting = [PACKAGE / f"benchmark/runner/{name}.py" for name in ("train", "measure", "fuse_references")]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += imported(file)
    missing = {file.relative_to(PACKAGE).as_posix() for file in seen - deciding if file.name != "__init__.py"}
    assert missing == INDIFFERENT
    assert PACKAGE / "datasets/images/headers/png.py" in deciding


def test_every_pattern_of_deciding_code_finds_a_file():
    assert all(any(PACKAGE.glob(pattern)) for pattern in DECIDING)


def test_the_present_environment_differs_from_itself_in_nothing():
    assert differences(origin(1.0)) == []


@pytest.mark.parametrize("stored", [Origin(), Origin(versions={"numba": "1.0"}), Origin(seconds=1.0)])
def test_what_a_unit_does_not_say_is_no_difference(stored):
    assert differences(stored) == []


def test_hardware_names_the_vector_instructions_and_a_gpu_of_a_unit_is_no_difference():
    assert torch.backends.cpu.get_cpu_capability() in hardware()
    present = origin(1.0)
    assert differences(dataclasses.replace(present, hardware=f"{present.hardware}, with NVIDIA A100")) == []


def test_differences_are_said_in_words():
    present = origin(1.0)
    now = present.versions
    versions = {**now, "torch": "1.0", "python": "3.9.1"}
    stored = dataclasses.replace(present, versions=versions, hardware="abacus, wood", code="0123")
    assert differences(stored) == [
        f"code 0123, now {code_version()}",
        f"python 3.9.1, now {now['python']}",
        f"torch 1.0, now {now['torch']}",
        f"hardware abacus, wood, now {present.hardware}",
    ]
