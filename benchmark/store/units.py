"""Units on disk: one file a unit, written whole or not at all, without pickles."""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...errors import RaterbenchError
from ...paths import path_kind, unreachable
from ...text_files import LARGEST_WRITTEN, parse_json, read_text
from ...whole_files import replacing
from .stored_form import check_run_file, is_header, is_unit

SCHEMA = 1

HEADER = ("key", "candidate", "kind", "order", "repeat", "fold", "status", "reason", "meta")

DAMAGED = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    RecursionError,
    NotImplementedError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a cut or altered file may raise, once it is open."""

Status = Literal["done", "failed", "skipped"]


@dataclass(frozen=True, eq=False)
class Record:
    """What one unit left: its key, how it ended, its rows, and arrays (calibration counts, kept predictions).

    ``order`` is the candidate's place in the experiment. ``rows`` are lists (candidate, kind, case, subject, centre, class,
    reference, metric, value). ``meta`` holds the rest of what JSON can hold.
    """

    key: str
    candidate: str
    kind: str
    order: int
    repeat: int
    fold: int
    status: Status
    reason: str = ""
    rows: list[list[Any]] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


def unit_path(folder: Path, candidate: str, repeat: int, fold: int, key: str) -> Path:
    """Where a unit lies. The name is for people; the hash of the candidate and the key's start keep it unique.

    Units of other settings have other names, so that trying out a setting never overwrites what was computed before.
    """
    safe = re.sub(r"[^A-Za-z0-9.]+", "-", candidate).strip("-").lower()[:60]
    tag = hashlib.sha256(candidate.encode()).hexdigest()[:6]
    return folder / "units" / f"{safe}-{tag}.r{repeat}.f{fold}.{key[:8]}.npz"


def write_record(folder: Path, record: Record) -> Path:
    """Write a unit's one file, whole or not at all.

    Raises:
        TypeError: an array holds Python objects, or the rest holds what JSON cannot.
    """
    path = unit_path(folder, record.candidate, record.repeat, record.fold, record.key)
    pickled = [name for name, array in record.arrays.items() if array.dtype.hasobject]
    if pickled:
        raise TypeError(f"array {pickled[0]!r} holds Python objects, which would be stored as a pickle")
    # The archive has no checksum of the arrays' names, so the header, which has one, lists them.
    header = {"schema": SCHEMA, "arrays": list(record.arrays)} | {name: getattr(record, name) for name in HEADER}
    # Rows are apart from the header, so that a plan need not read what may be megabytes.
    texts = {"header": json.dumps(header), "rows": json.dumps(record.rows)}
    members: dict[str, Any] = {name: np.frombuffer(text.encode(), np.uint8) for name, text in texts.items()}
    with replacing(path) as file:
        np.savez_compressed(file, **members | dict(record.arrays))
    return path


def read_record(path: Path) -> Record | None:
    """The unit stored in ``path``, every byte of it checked; None if it is damaged or of another schema, so that it runs again.

    Raises:
        PermissionError: the file must not be read, which says nothing about the unit.
    """
    return _read(path, whole=True)


def read_header(path: Path) -> Record | None:
    """The same without rows and arrays, which is quick however large the unit is, and says nothing about their state."""
    return _read(path, whole=False)


def read_run_file(folder: Path) -> dict[str, Any]:
    """The contents of ``experiment.json``: ``experiment``, ``facts`` and the ``units`` of the present plan.

    Plans of earlier versions have ``keys`` in place of ``units``.

    Raises:
        RaterbenchError: the folder holds no such file, or one that this version of ``raterbench run`` did not write.
    """
    file = folder / "experiment.json"
    if not os.path.lexists(file):
        raise RaterbenchError(f"{folder} holds no experiment.json: give the folder that 'raterbench run' wrote")
    stored = parse_json(read_text(file, "results file", largest=LARGEST_WRITTEN), str(file))
    check_run_file(stored, str(file))
    return dict(stored)


def write_json(path: Path, values: Any) -> None:
    """Write a JSON file whole or not at all."""
    text = json.dumps(values, indent=1) + "\n"
    with replacing(path) as file:
        file.write_text(text, encoding="utf-8")


def _read(path: Path, *, whole: bool) -> Record | None:
    """Raises a RaterbenchError where something is there that cannot be opened: that is no damage which a new run would mend."""
    kind = path_kind(path)
    if kind == "nothing":
        return None
    if kind == "folder":
        raise RaterbenchError(f"{path} is a folder, where the file of a unit is needed: move it elsewhere")
    try:
        stream = path.open("rb")
    except OSError as error:
        raise unreachable(path, error) from error
    try:
        with stream, np.load(stream, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files if whole and name not in ("header", "rows")}
            values = json.loads(stored["header"].tobytes())
            rows = json.loads(stored["rows"].tobytes()) if whole else []
    except PermissionError:
        raise
    except DAMAGED:
        return None
    if not is_header(values, HEADER) or values.get("schema") != SCHEMA or set(values) != {"schema", "arrays", *HEADER}:
        return None
    if whole and (values["arrays"] != list(arrays) or not is_unit(rows, values["meta"], arrays)):
        return None
    return Record(**{name: values[name] for name in HEADER}, rows=rows, arrays=arrays)
