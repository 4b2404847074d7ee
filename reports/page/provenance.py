"""How it was run: everything that is needed to judge the numbers, and to compute them again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..analysis import Analysis
from ..tables.captions import split_words, validation_words
from ..tables.wording import words_of

FACTS = {
    "title": "Data set",
    "n_cases": "Cases",
    "n_subjects": "Subjects",
    "n_centres": "Centres",
    "raters": "Raters",
    "anonymous_raters": "Anonymous raters",
    "ratings_per_case": "Ratings per case",
    "classes": "Classes",
    "case_shape": "Size of the first case",
    "truth_known": "Truth known",
    "unit": "Lengths in",
    "licence": "Licence",
    "source": "Source",
    "fingerprint": "Fingerprint of the data",
}


def run_facts(analysis: Analysis) -> list[tuple[str, list[tuple[str, str]]]]:
    """How it was run: headings, each with names and values in words."""
    results = analysis.results
    experiment, statistics = results.experiment, results.experiment.statistics
    data = [(words, _words(results.facts[key])) for key, words in FACTS.items() if results.facts[key] not in ("", [])]
    design = [
        ("Split", split_words(analysis).removeprefix("Split: ").rstrip(".")),
        ("Validation", validation_words(analysis)),
        ("Hash of the split", _words(results.facts["split_hash"])),
        ("Seed", str(experiment.seed)),
        ("Repeats", str(experiment.split.repeats)),
        ("Budget", _words(experiment.budget) or "the default"),
        ("Recipe", _words(experiment.recipe) or "each method’s own"),
        ("Preparation", _words(experiment.preparation) or "the data set’s own"),
        *([("Volumes", str(learned))] if (learned := results.facts.get("learned")) else []),
    ]
    declared = [
        ("Primary metric", analysis.label(analysis.metric)),
        ("Primary reference", words_of(analysis.reference)),
        ("Baseline", analysis.declared_baseline),
        ("Alpha", f"{statistics.alpha:g}"),
        ("Smallest relevant difference", f"{statistics.smallest_difference:g}"),
        ("Metrics", ", ".join(analysis.label(metric) for metric in analysis.metrics)),
        ("References", ", ".join(words_of(reference) for reference in experiment.reference_names)),
        ("Bootstrap resamples", str(statistics.resamples)),
        ("Declaration", f"{analysis.declaration.stored}; SHA-256 {analysis.declaration.hash}"),
        ("Test", "model t" if analysis.protocol == "model-t" else "as published, over trained models"),
    ]
    groups = [("Data", data), ("Design", design), ("Declared before anything ran", declared), ("Machine", _machine(analysis))]
    return [(heading, entries) for heading, entries in groups if entries]


def settings_text(analysis: Analysis) -> str:
    """Every setting of the experiment, as ``experiment.json`` has it."""
    return json.dumps(analysis.results.experiment.to_json(), indent=1, ensure_ascii=False)


def candidate_settings(analysis: Analysis) -> list[tuple[str, str, str]]:
    """Each candidate's name, method and options in words."""
    return [(c.name, c.method, _words(c.options)) for c in analysis.results.experiment.candidates]


def _machine(analysis: Analysis) -> list[tuple[str, str]]:
    """Time, versions and hardware as the units stored them; several where units differ."""
    units, completeness = analysis.results.units, analysis.results.completeness
    done = units[units["status"] == "done"]
    entries = [("Units", f"{len(done)} of {len(completeness.units)} finished")]
    if completeness.other_settings:
        entries.append(("Units of other settings", f"{completeness.other_settings}, kept and not read"))
    entries.append(("Time of all units", f"{done['seconds'].astype(float).sum() / 3600:.2f} hours of one thread"))
    for words, key in (("Versions", "versions"), ("Hardware", "hardware"), ("Code", "code")):
        found = dict.fromkeys(str(value) for value in done[key].dropna())
        if found:
            entries.append((words, "; ".join(found)))
    return entries


def _words(value: Any) -> str:
    """A setting as people read it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_words(v)}" for key, v in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return (
            " × ".join(map(str, value)) if value and all(isinstance(v, int) for v in value) else ", ".join(map(_words, value))
        )
    return f"{value:g}" if isinstance(value, float) else str(value)
