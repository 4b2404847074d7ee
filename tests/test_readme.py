"""The README's example method and experiment, run exactly as they are printed there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raterbench.__main__ import main
from raterbench.benchmark import read_results

README = Path(__file__).parents[1] / "README.md"
LONGEST = 25


@pytest.fixture
def example(tmp_path):
    """``symmetric.py`` and ``my.toml`` as the README prints them."""
    text = README.read_text(encoding="utf-8")
    method = re.search(r"<!-- example:begin -->\n```python\n(.*?)```\n<!-- example:end -->", text, re.DOTALL).group(1)
    experiment = re.search(r"where `my.toml`.*?```toml\n(.*?)```", text, re.DOTALL).group(1)
    (tmp_path / "symmetric.py").write_text(method, encoding="utf-8")
    (tmp_path / "my.toml").write_text(experiment, encoding="utf-8")
    return tmp_path


def test_a_new_loss_is_one_short_class(example):
    lines = (example / "symmetric.py").read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines) <= LONGEST


def test_the_example_passes_check(example, capsys):
    assert main(["check", str(example / "symmetric.py")]) == 0
    assert "all checks passed" in capsys.readouterr().out


def test_the_example_runs_beside_a_shipped_method(example, monkeypatch, capsys):
    monkeypatch.chdir(example)
    small = ["split.folds=3", "budget.epochs=1", "budget.features=[4,4,4,4,4,4]"]
    small += ["dataset_options.subjects=3", "dataset_options.slices=1", "dataset_options.size=32", "keep_cases=1"]
    arguments = ["run", "my.toml", "--plugin", "symmetric.py", *[part for s in small for part in ("--set", s)]]
    assert main(arguments) == 0
    results = read_results(example / "results" / "my")
    assert results.candidates == ["Soft average", "Symmetric cross-entropy"]
    assert (results.units["status"] == "done").all()
    assert "Symmetric cross-entropy" in capsys.readouterr().out
