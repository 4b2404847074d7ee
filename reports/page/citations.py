"""What to cite: the data, the methods that were compared, what they were measured with, and the benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ... import __version__
from ..analysis import Analysis
from ..tables.wording import words_of
from .escaping import latex_text
from .publications import (
    BACKBONES,
    CASE_FUSIONS,
    DATASETS,
    FUSIONS,
    METHODS,
    METRICS,
    PUBLICATIONS,
    RECIPES,
    REFERENCES,
    TESTS,
)

REGISTERED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "method": METHODS, "fusion": {**FUSIONS, **CASE_FUSIONS}, "recipe": RECIPES, "backbone": BACKBONES,
}  # fmt: skip
"""By the key of an experiment that names something registered."""


@dataclass(frozen=True)
class Citation:
    """A publication in words, and what of this experiment it is cited for."""

    words: str
    used_for: str


@dataclass(frozen=True)
class Citations:
    """All publications, those of the data first; ``unknown`` are the methods that none is known of; ``bibtex`` has all."""

    entries: Sequence[Citation]
    unknown: Sequence[str]
    bibtex: str


def citations(analysis: Analysis) -> Citations:
    """What to cite for an analysis."""
    experiment, facts = analysis.results.experiment, analysis.results.facts
    used: dict[str, list[str]] = {}
    for key, what in _used(analysis):
        used.setdefault(key, [])
        used[key] += [what] if what not in used[key] else []
    entries = [Citation(PUBLICATIONS[key].words, ", ".join(for_)) for key, for_ in used.items()]
    bibtex = [PUBLICATIONS[key].bibtex(key) for key in used]
    cited = " ".join(str(facts.get("citation", "")).split())
    if cited and experiment.dataset not in DATASETS:
        entries.insert(0, Citation(cited, "the data"))
        bibtex.insert(0, _misc("data", str(facts.get("title", "")) or experiment.dataset, cited, str(facts.get("source", ""))))
    benchmark = "raterbench: the benchmark suite for learning to segment from raters who disagree"
    bibtex.append(_misc("raterbench", benchmark, f"Version {__version__}, split {facts['split_hash'] or 'unknown'}", ""))
    known = {**METHODS, "fused-labels": (), "tuned": (), "chosen-raters": (), "annotation-budget": (), "class-frequencies": ()}
    unknown = [c.name for c in experiment.candidates if any(kind == "method" and n not in known for kind, n in _names(c))]
    return Citations(entries, unknown, "\n\n".join(bibtex) + "\n")


def _used(analysis: Analysis) -> Iterator[tuple[str, str]]:
    """Each publication's key, with what it is cited for; data, candidates, references, metrics, tests."""
    experiment = analysis.results.experiment
    yield from ((key, "the data") for key in DATASETS.get(experiment.dataset, ()))
    for candidate in experiment.candidates:
        for kind, name in _names(candidate):
            yield from ((key, candidate.name) for key in REGISTERED[kind].get(name, ()))
    backbone = str(dict(experiment.budget).get("backbone", "unet"))
    yield from ((key, "the backbone") for key in BACKBONES.get(backbone, ()))
    for reference, fusion, _ in experiment.reference_entries:
        published = FUSIONS.get(fusion, ()) if fusion else REFERENCES.get(reference, ())
        yield from ((key, f"reference: {words_of(reference)}") for key in published)
    for metric in analysis.metrics:
        yield from ((key, analysis.label(metric)) for key in METRICS.get(metric.partition(" (")[0], ()))
    if not analysis.calibration.table.empty:
        yield from ((key, "calibration") for key in METRICS["expected calibration error"])
    if len(analysis.candidates) > 1:
        yield from ((key, "tests") for key in TESTS)


def _names(candidate: Any) -> Iterator[tuple[str, str]]:
    """The registered names that a candidate is composed of, at any depth, each with its kind."""
    yield "method", candidate.method
    parts: list[tuple[str, Any]] = list(candidate.options.items())
    while parts:
        key, value = parts.pop(0)
        if isinstance(value, Mapping):
            parts += [(key if name == "name" else name, inner) for name, inner in value.items()]
        elif key in REGISTERED and isinstance(value, str):
            yield key, value


def _misc(key: str, title: str, note: str, source: str) -> str:
    """A BibTeX entry of something that is no publication."""
    fields = {"title": f"{{{latex_text(title)}}}", "note": latex_text(note), "howpublished": latex_text(source)}
    return "\n".join([f"@misc{{{key},", *(f"  {name} = {{{text}}}," for name, text in fields.items() if text), "}"])
