"""The page of a model for people, a model card as Hugging Face shows it: a head for programs, then Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ...methods.learning.volumes.choice import how_learned
from ...names import visible
from .card import ModelCard
from .measured import Measured, MeasuredValue

UNKNOWN = "not stated by the data set"
VOLUME = 3
"""Spatial axes of a volume."""


def readme_text(card: ModelCard) -> str:
    """The content of ``README.md``. Names are shown as text, whatever they hold."""
    return "\n".join([*_head(card), *_body(card)]) + "\n"


def measured_lines(measured: Measured | None) -> list[str]:
    """What was measured, in sentences, for a page and for a terminal."""
    if measured is None:
        return ["Nothing was measured of this candidate: run the experiment before the model is trusted with anything."]
    counts = {
        "subject": measured.subjects,
        "case": measured.cases,
        "repeat": measured.repeats,
        "trained model": measured.models,
    }
    n = ", ".join(_count(number, word) for word, number in counts.items())
    lines = [
        f"Measured by the experiment {measured.experiment!r} on cases that the fold models had not seen ({n}); intervals at "
        f"{100 * measured.level:g} %, over subjects and trained models."
    ]
    lines += [f"{value.label} against {value.reference}: {_interval(value)}" for value in measured.values]
    for one in measured.calibration:
        which = "with" if one.last_bin == "closed" else "without"
        lines.append(
            f"Calibration error (ECE) against {one.reference}, {which} voxels of confidence exactly 1: "
            f"{_percent(one.error)} % ({_percent(one.low)} to {_percent(one.high)}, over subjects)"
        )
    if not measured.complete:
        lines.append("INCOMPLETE: not all planned units of the experiment were there.")
    return lines


def about_ensemble(card: ModelCard) -> str:
    """How the numbers relate to this model, in a sentence."""
    if card.kind == "all cases":
        return (
            "The numbers are those of the fold models: this model learned from all cases, and no case is left to measure it on."
        )
    n = len(card.members)
    if n > 1:
        return f"The numbers are those of single fold models: this model is the mean of {n}, which was not measured itself."
    return "The numbers are those of all fold models: this model is one of them."


def about_volumes(card: ModelCard) -> str | None:
    """How volumes were learned, in a sentence; None where the model knows 2-D images alone."""
    return f"{how_learned(card.preparation)}." if VOLUME in card.seen.dims else None


def _head(card: ModelCard) -> Iterator[str]:
    yield "---"
    yield "library_name: raterbench"
    yield "pipeline_tag: image-segmentation"
    yield f"tags: {json.dumps(['segmentation', 'multiple raters', card.method['name']])}"
    yield f"datasets: {json.dumps([card.data.name])}"
    if card.measured is not None:
        results = [
            {"type": value.metric, "name": f"{value.label} against {value.reference}", "value": value.mean}
            for value in card.measured.values
            if value.mean is not None
        ]
        task = {"task": {"type": "image-segmentation"}, "dataset": {"name": card.data.name, "type": card.data.name}}
        # YAML reads JSON.
        yield f"model-index: {json.dumps([{'name': card.name, 'results': [{**task, 'metrics': results}]}])}"
    yield "---"


def _body(card: ModelCard) -> Iterator[str]:
    members = f"the mean of {len(card.members)} fold models" if len(card.members) > 1 else "one model"
    learned = "that learned from all cases" if card.kind == "all cases" else "of cross-validation"
    classes = ", ".join(map(_text, card.data.classes))
    yield f"# {_text(card.name)}"
    yield f"\nSegments images into {classes}: {members} {learned}, method `{card.method['name']}`."
    yield "\n```\nraterbench predict MODEL IMAGES -o FOLDER\n```"
    yield "\n```python\nfrom raterbench import load_model"
    yield '\nload_model("MODEL").predict_image("image.nii.gz").labels\n```'
    yield "\n## What it must not be used for\n"
    yield from (f"- {limit}" for limit in card.limits)
    first, *rest = measured_lines(card.measured)
    yield f"\n## What was measured\n\n{_text(first)}\n"
    yield from (f"- {_text(line)}" for line in rest)
    if card.measured is not None:
        yield f"\n{about_ensemble(card)}"
    yield "\n## What it learned from\n"
    yield from _learned_from(card)
    yield "\n## Images\n"
    yield from _images(card)
    yield "\n## Members\n"
    yield "| member | training cases | validation cases | threshold |"
    yield "|---|---|---|---|"
    for member in card.members:
        name = "all cases" if card.kind == "all cases" else member.name
        yield f"| {name} | {member.train} | {member.validation} | {member.threshold:g} |"
    told = [("Alarm", alarm) for one in card.members for alarm in one.alarms]
    told += [("Warning", warning) for one in card.members for warning in one.warnings]
    yield from (f"\n{word} of training: {_text(words)}" for word, words in dict.fromkeys(told))
    yield f"\n## Method and versions\n\n```json\n{json.dumps(card.method, indent=1)}\n```\n"
    yield ", ".join(f"{name} {number}" for name, number in card.versions.items())


def _learned_from(card: ModelCard) -> Iterator[str]:
    data, split = card.data, card.split
    n = f"{_count(data.cases, 'case')}, {_count(data.subjects, 'subject')}"
    yield f"- Data set: {_text(data.title)} ({_text(data.name)}), {n}; fingerprint {data.fingerprint}"
    yield f"- Citation: {_text(data.citation) or UNKNOWN}"
    yield f"- Licence of the data: {_text(data.licence) or UNKNOWN}"
    yield f"- Source: {_text(data.source) or UNKNOWN}"
    anonymous = " (anonymous: a name may be another person in each case)" if data.anonymous_raters else ""
    yield f"- Raters: {', '.join(map(_text, data.raters))}{anonymous}"
    values = ", ".join(f"{_text(name)} = {value}" for name, value in zip(data.classes, data.class_values, strict=True))
    yield f"- Classes and their values in files: {values}"
    own = "".join(f", {name} = {value}" for name, value in split.parameters.items())
    share = f"{100 * split.validation:g} % of the subjects validate"
    yield f"- Split where it was measured: {split.policy}{own}, {_count(split.repeats, 'repeat')}; {share}"


def _images(card: ModelCard) -> Iterator[str]:
    seen = card.seen
    yield f"- Spatial axes: {' or '.join(map(str, seen.dims))}; channels: {' or '.join(map(str, seen.channels))}"
    if seen.unit == "mm" and seen.spacing:
        spans = " x ".join(f"{low:.4g} to {high:.4g}" for low, high in seen.spacing)
        yield f"- Spacing of training images in mm, in the order of the array: {spans}"
    if seen.orientations:
        yield f"- Orientation of training volumes: {', '.join(seen.orientations)}"
    if volumes := about_volumes(card):
        yield f"- {volumes}"
    if card.data.options:
        yield f"- Data set options: {_text(_settings(card.data.options))}"
    yield f"- Preparation: {_settings(vars(card.preparation))}"


def _interval(value: MeasuredValue) -> str:
    if value.mean is None:
        return "not known"
    if value.low is None or value.high is None:
        return f"{value.mean:.4g}, interval not known"
    return f"{value.mean:.4g} ({value.low:.4g} to {value.high:.4g})"


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{100 * share:.2f}"


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_value(value)}" for name, value in values.items() if value is not None)


def _value(value: Any) -> str:
    """A list in brackets, whatever it holds, as settings are written."""
    return f"[{', '.join(map(_value, value))}]" if isinstance(value, list | tuple) else str(value)


def _count(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def _text(words: str) -> str:
    """A name or sentence of somebody else as one line of Markdown that shows it and means nothing."""
    shown = visible(words)
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|~" else c for c in shown)
