"""The first screen of the page: the question, the data, the answer, and what could overturn it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..analysis import Analysis
from ..answer.answer import Answer, answer
from ..figures.files.drawn_figure import DrawnFigure
from ..tables.wording import count_of
from .parts import Part, figure_part

OVERTURN = {
    "overturn-trainings": "Other trainings",
    "overturn-raters": "Other raters",
    "overturn-reference": "Another reference",
}
"""The small figures of how the order changes, and what changes it."""
MANY_WARNINGS, MANY_SENTENCES = 2, 5
"""Warnings are folded where there are more, or more sentences, than this, so that the answer stays on the first screen."""


@dataclass(frozen=True, eq=False)
class Change:
    """Something that could overturn the answer: its figure, if there is one, and a sentence, which may be empty."""

    name: str
    heading: str
    part: Part | None
    sentence: str


@dataclass(frozen=True, eq=False)
class FirstScreen:
    """``about`` is the experiment's description, ``data`` one line; ``notices`` are about results that are not whole."""

    about: str
    data: str
    notices: Sequence[str]
    answer: Answer
    changes: Sequence[Change]

    @property
    def folded(self) -> bool:
        """Whether the warnings are folded."""
        return len(self.answer.warnings) > MANY_WARNINGS or len(self.answer.sentences) > MANY_SENTENCES


def first_screen(analysis: Analysis, figures: Sequence[DrawnFigure]) -> FirstScreen:
    """The first screen, with those of the small figures that there are."""
    about, found = " ".join(analysis.results.experiment.description.split()), answer(analysis)
    drawn = {figure.name: figure_part(figure) for figure in figures if figure.name in OVERTURN}
    changes = [
        Change(name, heading, drawn.get(name), found.overturn.get(name, ""))
        for name, heading in OVERTURN.items()
        if name in drawn or found.overturn.get(name)
    ]
    return FirstScreen(about, _data(analysis), analysis.notices, found, changes)


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
