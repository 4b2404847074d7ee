"""The examples of CONTRIBUTING.md, word for word: each passes its checks as a plug-in file and is found by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raterbench.benchmark.checks import check_file
from raterbench.benchmark.experiment.splits import SPLITS, Split, check_folds, make_folds
from raterbench.benchmark.metrics import METRICS
from raterbench.datasets import DATASETS
from raterbench.datasets.phantom import Phantom
from raterbench.methods import FUSIONS, METHODS
from raterbench.registry import load_plugin

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"<!-- example: (\S+) -->\n```python\n(.*?)```\n", TEXT, re.DOTALL))
NAMES = {
    "focal.py": (METHODS, "focal"),
    "sharpened.py": (FUSIONS, "sharpened-average"),
    "f_beta.py": (METRICS, "f beta"),
    "discs.py": (DATASETS, "discs"),
    "few.py": (SPLITS, "few-subjects"),
}
MOST_WORDS = 1500


@pytest.fixture
def registered(tmp_path, monkeypatch):
    """Registers an example until the test ends, and gives its class."""

    def register(file):
        registry, name = NAMES[file]
        known = set(registry.names())
        monkeypatch.setattr(registry, "_found", dict(registry._all()))
        path = tmp_path / file
        path.write_text(EXAMPLES[file], encoding="utf-8")
        registry.add(load_plugin(path))
        assert set(registry.names()) - known == {name}
        return registry.get(name)

    return register


def test_it_is_short_and_every_example_is_tried():
    assert len(TEXT.split()) <= MOST_WORDS
    assert set(EXAMPLES) == set(NAMES)


@pytest.mark.parametrize("file", NAMES)
def test_the_example_passes_check(file, tmp_path):
    path = tmp_path / file
    path.write_text(EXAMPLES[file], encoding="utf-8")
    results = list(check_file(path))
    assert results
    assert [result for result in results if not result.passed] == []


@pytest.mark.parametrize("file", NAMES)
def test_the_example_is_found_by_name(file, registered):
    assert registered(file).__doc__


def test_the_folds_of_the_example_split_are_sound_on_the_phantom(registered):
    registered("few.py")
    dataset = Phantom()
    folds = make_folds(dataset, Split("few-subjects", repeats=3, learn=5), seed=0)
    check_folds(folds, dataset, "the example")
    subjects = dataset.index["subject"]
    for fold in folds:
        assert len(set(subjects.iloc[[*fold.train, *fold.validation]])) == 5
        assert len(fold.train) + len(fold.validation) + len(fold.test) == len(dataset)
    assert len({fold.test for fold in folds}) > 1


def test_the_metrics_parameter_is_shown_and_used(registered):
    kind = registered("f_beta.py")
    assert kind().parameters() == "beta=2.0"
    assert kind(beta=0.5).parameters() == "beta=0.5"
