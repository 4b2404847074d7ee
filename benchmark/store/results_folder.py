"""Whether a folder may hold the results of an experiment: nothing that somebody else put there is overwritten."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import RaterbenchError, shown
from ...text_files import LARGEST_WRITTEN, parse_json, read_text
from ..experiment.experiment import Experiment
from ..experiment.splits import manifest_hash
from .declaration import FILE, read_declarations
from .own_files import WrittenFiles

MEND = "move it elsewhere, or give another folder"
FOLDER = "folder:"


def check_results_folder(folder: Path, experiment: Experiment) -> None:
    """Whether the experiment's plan and units can be written into a folder, before its data set is opened.

    Other settings of the same experiment are no reason against it: their units have other names.

    Raises:
        RaterbenchError: it is no folder, holds other results, or a file, link or pipe is where one of its files goes.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise RaterbenchError(f"{folder} is in the way, where the folder of results goes: {MEND}")
    units = folder / "units"
    if units.is_symlink() or (os.path.lexists(units) and not units.is_dir()):
        raise RaterbenchError(f"{units} is a link or a file, where the folder of units goes: {MEND}")
    WrittenFiles(folder, "report").check([])
    stored = _stored(folder / "experiment.json", ("experiment", "facts"))
    splits = _stored(folder / "splits.json", ("dataset", "hash", "folds"))
    if _stored(folder / FILE, ("declarations",)) is not None:
        try:
            read_declarations(folder)
        except RaterbenchError as error:
            raise RaterbenchError(f"{error}: {MEND}") from error
    if splits is not None and manifest_hash(splits["folds"]) != splits["hash"]:
        raise RaterbenchError(f"{folder / 'splits.json'} was changed since raterbench wrote it: {MEND}")
    before = stored["experiment"] if stored is not None else {}
    if not isinstance(before, Mapping) or not {"name", "dataset"} <= set(before):
        return
    other, same = str(before["dataset"]), experiment.dataset
    folders = other.startswith(FOLDER) and same.startswith(FOLDER)
    if before["name"] != experiment.name or (other != same and not folders):
        raise _other_results(folder, before, experiment)


def check_same_data(folder: Path, experiment: Experiment, fingerprint: str) -> None:
    """Whether the results in a folder are about the same data: the same folder of data, or one that holds the same.

    Raises:
        RaterbenchError: they are about another folder's data.
    """
    stored = _stored(folder / "experiment.json", ("experiment", "facts"))
    before = stored["experiment"] if stored is not None else {}
    if not isinstance(before, Mapping) or not isinstance(other := before.get("dataset"), str):
        return
    real = {os.path.realpath(name.removeprefix(FOLDER)) for name in (other, experiment.dataset)}
    facts = stored["facts"] if stored is not None else {}
    if len(real) > 1 and not (isinstance(facts, Mapping) and facts.get("fingerprint") == fingerprint):
        raise _other_results(folder, before, experiment)


def _other_results(folder: Path, before: Mapping[str, Any], experiment: Experiment) -> RaterbenchError:
    return RaterbenchError(
        f"{folder} holds the experiment {shown(before['name'])} on {shown(before['dataset'])}, this is "
        f"{shown(experiment.name)} on {shown(experiment.dataset)}: give another folder"
    )


def _stored(file: Path, keys: tuple[str, ...]) -> Mapping[str, Any] | None:
    """What a file that every run writes anew holds; None if it is not there.

    Raises:
        RaterbenchError: no run wrote what is there.
    """
    if not os.path.lexists(file):
        return None
    if file.is_symlink():
        raise RaterbenchError(f"{file} is a link, and nothing is written through links or over them: {MEND}")
    try:
        stored = parse_json(read_text(file, "results file", largest=LARGEST_WRITTEN), str(file))
    except RaterbenchError as error:
        raise RaterbenchError(f"{error}; {MEND}") from error
    if not isinstance(stored, Mapping) or not set(keys) <= set(stored):
        raise RaterbenchError(f"{file} is in the way, and raterbench did not write it: {MEND}")
    return stored
