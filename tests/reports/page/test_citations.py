"""What the page says is to be cited: entries that BibTeX reads, under names that are registered."""

from __future__ import annotations

import dataclasses
import re

import pytest

from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.metrics import METRICS
from raterbench.datasets.loading import DATASETS
from raterbench.methods.learning.recipes import RECIPES
from raterbench.methods.registries import CASE_FUSIONS, FUSIONS, METHODS
from raterbench.reports.analysis import Analysis
from raterbench.reports.page import publications
from raterbench.reports.page.citations import citations
from raterbench.reports.page.publications import PUBLICATIONS


@pytest.mark.parametrize(
    ("table", "registry"),
    [
        ("METHODS", METHODS),
        ("FUSIONS", FUSIONS),
        ("CASE_FUSIONS", CASE_FUSIONS),
        ("RECIPES", RECIPES),
        ("METRICS", METRICS),
        ("DATASETS", DATASETS),
    ],
)
def test_publications_are_of_what_is_registered(table: str, registry: object) -> None:
    found = getattr(publications, table)
    assert set(found) <= set(registry.names())
    assert {key for keys in found.values() for key in keys} <= set(PUBLICATIONS)


@pytest.mark.parametrize("key", PUBLICATIONS)
def test_every_entry_is_whole(key: str) -> None:
    entry, text = PUBLICATIONS[key], PUBLICATIONS[key].bibtex(key)
    assert re.fullmatch(r"[a-z]+(19|20)\d\d[a-z]*", key) and str(entry.year) in key
    assert text.isascii() and text.count("{") == text.count("}") and text.startswith(f"@{entry.kind}{{{key},")
    assert entry.words.endswith(".") and ".." not in entry.words


def test_citations_follow_from_the_experiment(analysis: Analysis) -> None:
    experiment = analysis.results.experiment
    candidates = (
        Candidate("STAPLE", "fused-labels", {"fusion": {"name": "simple"}, "recipe": "softseg"}),
        Candidate("Soft average", "tuned", {"segmenter": {"method": "fused-labels", "fusion": "map-staple", "ties": "union"}}),
        Candidate("Random rater", "of-a-plug-in"),
    )
    results = dataclasses.replace(analysis.results, experiment=dataclasses.replace(experiment, candidates=candidates))
    like = dataclasses.replace(analysis, results=results)
    like.__dict__.update({name: getattr(analysis, name) for name in ("metrics", "calibration", "candidates")})
    found = citations(like)
    used = {entry.words.partition(" (")[0]: entry.used_for for entry in found.entries}
    assert used["Langerak, van der Heide, Kotte and others"] == used["Gros, Lemay and Cohen-Adad"] == "STAPLE"
    assert used["Commowick and Warfield"] == "Soft average" and used["Dice"] == "Dice"
    assert found.unknown == ["Random rater"]
    assert found.entries[0].used_for == "the data" and "<Journal>" in found.entries[0].words
    assert "@misc{data," in found.bibtex and "@article{langerak2010," in found.bibtex and "Zadeh" not in found.bibtex
