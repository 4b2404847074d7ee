"""Finds a data set by its name, or opens a folder of one's own."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from ..errors import RaterbenchError as RaterbenchError  # noqa: PLC0414
from ..errors import nearest, shown
from ..parameters import check_arguments, check_keys
from ..plugin_errors import calling, is_foreign
from ..registry import Registry
from ..steps import step
from .base import Card, Dataset, check_case

ROOMS = ("instances", "mri", "fundus")
DATASETS: Registry[Dataset] = Registry("dataset", Dataset, __package__, *(f"{__package__}.{room}" for room in ROOMS))
"""Every known data set by its name."""


def load_dataset(spec: str, /, data: str | None = None, **options: Any) -> Dataset:
    """The data set called ``spec``: a registered name, or ``folder:PATH`` for one's own; ``data`` is where downloads lie.

    Raises:
        RaterbenchError: there is no such data set or option, an option is out of its range, or its data are absent or wrong.
    """
    name, colon, path = spec.partition(":")
    if colon and name != "folder":
        raise RaterbenchError(f"{shown(spec)} is no data set: only folder:PATH takes a path{nearest(name, DATASETS.names())}")
    if colon:
        if "path" in options:
            raise RaterbenchError(f"{shown(spec)} names the folder, and its option path = {shown(options['path'])} does, too")
        options["path"] = _readable(path)
    elif ("/" in name or _is_folder(name)) and name not in DATASETS.names():
        raise RaterbenchError(f"{shown(spec)} is no data set by name: for a folder of your own write folder:{spec}")
    kind = DATASETS.get(name)
    parameters = inspect.signature(kind).parameters
    where = f"the data set {name!r}"
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for option in options:
            if option not in parameters:
                raise RaterbenchError(f"{where} has no option {shown(option)}{nearest(option, parameters)}")
    check_arguments(kind, options, where)
    with step(f"opening {where}"), calling(kind, f"{where} cannot be opened"):
        dataset = kind.from_options(data=data, **options)
        if is_foreign(kind):
            _look_at(dataset)
        return dataset


def _look_at(dataset: Dataset) -> None:
    """Ask a class from elsewhere for all that a plan needs, so that what is wrong with it is found here and not later."""
    check_keys(dict.fromkeys(("case", "subject", "centre", "raters")), map(str, dataset.index.columns), "its index")
    if not isinstance(dataset.name, str) or not isinstance(dataset.card, Card) or len(dataset) == 0:
        raise RaterbenchError("it needs a name, a card and at least one case")
    if len(dataset.classes) < 2 or not dataset.raters:
        raise RaterbenchError("it needs two classes, the background first, and at least one rater")
    dataset.fingerprint()
    check_case(dataset[0], dataset.n_classes, dataset.diagnoses)


def _readable(path: str) -> str:
    """The path with ``~`` spelt out, which a shell leaves as it is after ``folder:``."""
    if "\0" in path:
        raise RaterbenchError(f"folder:{shown(path)} is no path: it holds a NUL character")
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        return path  # Nobody knows where this user is at home: the path is then not found.


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):
        return False
