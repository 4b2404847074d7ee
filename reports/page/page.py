"""One self-contained web page with everything: it can be mailed, printed, and read on a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ... import __version__
from ..analysis import Analysis
from ..answer.answer import answer
from ..figures.style import Plot
from ..tables.captions import split_words, validation_words
from ..tables.table import Table
from ..tables.wording import count_of, words_of
from .part_maker import BrokenPart
from .parts import Part, belongs, environment, plot_part, table_part

COMPARISON = (
    *("overturn-trainings", "overturn-raters", "overturn-reference", "comparison", "effects", "subjects"),
    *("critical-difference", "pairs", "failures", "differences", "thresholds"),
)
SECTIONS = (
    ("comparison", "Comparison", COMPARISON),
    ("published", "Published beside measured", ("published",)),
    ("calibration", "Probabilities", ("reliability", "calibration", "entropy")),
    ("pictures", "Pictures", ("pictures",)),
    ("parts", "References, classes, centres", ("by-reference", "by-class", "by-centre")),
    ("panel", "The raters as a panel", ("interchangeability", "raters-left-out", "rater-curve")),
    ("raters", "Raters", ("confusion", "confusion-entries", "raters", "identification", "rater-classes", "reliability-maps")),
    ("training", "Training", ("learning", "costs", "alarms", "units", "origins")),
    ("other", "Other metrics", ("differences-exploratory",)),
)
"""Each section's anchor and heading, and the tables and figures in it by name."""
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


def page_text(analysis: Analysis, tables: Sequence[Table], plots: Sequence[Plot], files: Mapping[str, bytes]) -> str:
    """``report.html`` with its tables and figures; ``files`` are the other files of the report, by name."""
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            experiment=analysis.results.experiment,
            facts=analysis.results.facts,
            notices=analysis.notices,
            size=", ".join(_sizes(analysis.results.facts)),
            answer=answer(analysis),
            sections=_sections(tables, plots, analysis.part_maker.broken, files),
            run=run_facts(analysis),
            candidates=[(c.name, c.method, _words(c.options)) for c in analysis.results.experiment.candidates],
            version=__version__,
            files=list(files),
        )
    )


def _sections(
    tables: Sequence[Table], plots: Sequence[Plot], broken: Sequence[BrokenPart], files: Mapping[str, bytes]
) -> list[tuple[str, str, list[Part]]]:
    found = []
    for anchor, heading, names in SECTIONS:
        parts = []
        for name in names:
            parts += [table_part(t) for t in tables if belongs(t.name, name)]
            parts += [plot_part(p, files) for p in plots if belongs(p.name, name)]
            parts += [Part(broken=b) for b in broken if b.kind in ("table", "figure") and belongs(b.name, name)]
        if parts:
            found.append((anchor, heading, parts))
    return found


def run_facts(analysis: Analysis) -> list[tuple[str, list[tuple[str, str]]]]:
    """How it was run: headings, each with names and values in words."""
    results = analysis.results
    experiment, statistics = results.experiment, results.experiment.statistics
    declaration = analysis.declaration
    data = [(words, _words(results.facts[key])) for key, words in FACTS.items() if results.facts[key] not in ("", [])]
    design = [
        ("Split", split_words(analysis).removeprefix("Split: ").rstrip(".")),
        ("Validation", validation_words(analysis)),
        ("Hash of the split", _words(results.facts["split_hash"])),
        ("Seed", str(experiment.seed)),
        ("Budget", _words(experiment.budget) or "the default"),
        ("Preparation", _words(experiment.preparation) or "the data set’s own"),
    ]
    declared = [
        ("Primary metric", analysis.label(analysis.metric)),
        ("Primary reference", words_of(analysis.reference)),
        ("Baseline", analysis.declared_baseline),
        ("Alpha", f"{statistics.alpha:g}"),
        ("Smallest relevant difference", f"{statistics.smallest_difference:g}"),
        ("Bootstrap resamples", str(statistics.resamples)),
        ("Declaration", f"{declaration.stored}; SHA-256 {declaration.hash}"),
        ("Test", "model t" if analysis.protocol == "model-t" else "as published, over trained models"),
    ]
    groups = [("Data", data), ("Design", design), ("Declared before anything ran", declared), ("Machine", _machine(analysis))]
    return [(heading, entries) for heading, entries in groups if entries]


def _sizes(facts: Mapping[str, Any]) -> list[str]:
    """How many subjects, cases and raters there are."""
    counts = {"subject": facts["n_subjects"], "case": facts["n_cases"], "rater": len(facts["raters"])}
    return [count_of(n, word) for word, n in counts.items()]


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
