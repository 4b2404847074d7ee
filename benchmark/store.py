"""Units on disk: one file a unit, written whole or not at all, without pickles."""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

SCHEMA = 1

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


def unit_path(folder: Path, candidate: str, repeat: int, fold: int) -> Path:
    """Where a unit lies; the name is for people, so it is made safe and kept unique by a short hash."""
    safe = re.sub(r"[^A-Za-z0-9.]+", "-", candidate).strip("-").lower()
    tag = hashlib.sha256(candidate.encode()).hexdigest()[:6]
    return folder / "units" / f"{safe}-{tag}.r{repeat}.f{fold}.npz"


def write_record(folder: Path, record: Record) -> Path:
    """Write a unit's one file: to a temporary name first, then renamed, so that a killed process leaves nothing half done."""
    path = unit_path(folder, record.candidate, record.repeat, record.fold)
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {
        k: getattr(record, k) for k in ("key", "candidate", "kind", "order", "repeat", "fold", "status", "reason", "meta")
    }
    text = json.dumps({"schema": SCHEMA, **header, "rows": record.rows})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as stream:
        np.savez_compressed(stream, json=np.frombuffer(text.encode(), np.uint8), **dict(record.arrays))
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    return path


def read_record(path: Path) -> Record | None:
    """The unit stored in ``path``; None if the file is damaged or of another schema, so that the unit runs again."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError):
        return None
    values = json.loads(arrays.pop("json").tobytes().decode())
    if values.pop("schema") != SCHEMA:
        return None
    return Record(**values, arrays=arrays)


def read_key(path: Path) -> tuple[str, str] | None:
    """The key and status of a stored unit, without reading its arrays."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            values = json.loads(stored["json"].tobytes().decode())
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
        return None
    return (values["key"], values["status"]) if values.get("schema") == SCHEMA else None


def read_records(folder: Path) -> list[Record]:
    """Every readable unit of an experiment's folder that belongs to its present plan, in no particular order."""
    plan = json.loads((folder / "experiment.json").read_text(encoding="utf-8"))["keys"]
    records = (read_record(path) for path in sorted((folder / "units").glob("*.npz")))
    return [r for r in records if r is not None and r.key in plan]


def write_json(path: Path, values: Any) -> None:
    """Write a JSON file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
