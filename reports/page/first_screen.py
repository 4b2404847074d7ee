"""The first screen of the page: the question, the data, the answer, and what could overturn it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..analysis import Analysis
from ..figures.style import Plot
from ..tables.summary import summarise
from ..tables.wording import count_of
from .parts import Part, plot_part

OVERTURN = ("overturn-trainings", "overturn-raters", "overturn-reference")
"""The small figures of how the order changes with other trainings, other raters and another reference."""
MANY_WARNINGS = 2
"""More warnings than this are folded, so that the answer stays on the first screen."""


class Answer(Protocol):
    """What the numbers say: a headline, further sentences, and warnings, each a sentence."""

    @property
    def headline(self) -> str: ...
    @property
    def sentences(self) -> Sequence[str]: ...
    @property
    def warnings(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Summarised:
    """The summary of an analysis as an answer."""

    headline: str
    sentences: Sequence[str]
    warnings: Sequence[str]


@dataclass(frozen=True, eq=False)
class FirstScreen:
    """``question`` is the experiment's description, ``data`` one line; ``notices`` are about results that are not whole."""

    question: str
    data: str
    notices: Sequence[str]
    answer: Answer
    overturn: Sequence[Part]

    @property
    def folded(self) -> bool:
        """Whether the warnings are folded."""
        return len(self.answer.warnings) > MANY_WARNINGS


def answer_of(analysis: Analysis) -> Answer:
    """The answer of an analysis."""
    summary = summarise(analysis)
    return Summarised(summary.headline, summary.findings, summary.warnings)


def first_screen(analysis: Analysis, plots: Sequence[Plot], files: Mapping[str, bytes]) -> FirstScreen:
    """The first screen, with those of the small figures that there are."""
    experiment = analysis.results.experiment
    by_name = {plot.name: plot for plot in plots}
    overturn = [plot_part(by_name[name], files) for name in OVERTURN if name in by_name]
    question = " ".join(experiment.description.split())
    return FirstScreen(question, _data(analysis), analysis.notices, answer_of(analysis), overturn)


def _data(analysis: Analysis) -> str:
    """The data set, its size, and how many candidates were trained how often, in one line."""
    facts, experiment = analysis.results.facts, analysis.results.experiment
    counts = {"subject": facts["n_subjects"], "case": facts["n_cases"], "rater": len(facts["raters"])}
    sizes = ", ".join(count_of(n, word) for word, n in counts.items())
    return " · ".join([
        str(facts.get("title") or experiment.dataset),
        sizes,
        count_of(len(experiment.candidates), "candidate"),
        count_of(experiment.split.repeats, "repeat"),
    ])  # fmt: skip
