"""The form of what a results folder holds: what reports may rely on is checked when a file is read, not where it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import RaterbenchError
from ...parameters import allows, check_values
from ..experiment.settings import build, check_table
from .metric_facts import MetricFacts

Names = tuple[str, ...]

FACTS: Mapping[str, Any] = {
    **dict.fromkeys(("dataset", "title", "citation", "licence", "source", "fingerprint", "split_hash"), str),
    **dict.fromkeys(("n_cases", "n_subjects", "n_centres", "keep_cases", "n_repeats"), int),
    "classes": Names,
    "raters": Names,
    "oracles": Names,
    "ratings_per_case": float,
    "truth_known": bool,
    "case_shape": tuple[int, ...],
    **dict.fromkeys(("n_folds", "n_tested"), tuple[int, ...]),
    "validation_share": tuple[float, ...],
    "pictures": Mapping[str, str],
    "metrics": Mapping[str, Mapping[str, Any]],
}
"""What is known of the data set; ``classes`` and ``raters`` are always there."""

UNIT: Mapping[str, Any] = {"key": str, "candidate": str, "kind": str, "repeat": int, "fold": int}
"""A unit of the plan."""

ROW = tuple[str, str, str, str, str, str, str, str, float | None]
PICTURE: Mapping[str, Any] = {"case": str, "why": str, "raters": Names}
CALIBRATION: Mapping[str, Any] = {"cases": tuple[tuple[str, str, str], ...], "references": Names, "regions": Names}
META: Mapping[str, Any] = {
    "seconds": float | None,
    "epochs": int | None,
    "best_epoch": int | None,
    "threshold": float | None,
    "peak_memory_mb": float | None,
    "n_train": int | None,
    "n_validation": int | None,
    "n_test": int | None,
    "warnings": Names | None,
    "alarms": Names | None,
    "code": str,
    "printed": str,
    "versions": Mapping[str, str],
    "hardware": str,
    "curve": tuple[tuple[float | None, ...], ...] | None,
    "kept": Names,
    "reliability": tuple[tuple[str, Names], ...],
    "confusions": tuple[tuple[Any, ...], ...],
    "pictures": tuple[Mapping[str, Any], ...],
    "calibration": Mapping[str, Any],
}


def check_run_file(stored: Any, where: str) -> None:
    """Check the parts of ``experiment.json``: the experiment, the facts of its data set, its units (or, once, their keys).

    Raises:
        RaterbenchError: a part is missing or of another kind; the key and the mend are named.
    """
    mend = "it was not written by this version of 'raterbench run': run the experiment again, which keeps finished units"
    try:
        check_table(stored, where)
        listed = "keys" if "keys" in stored and "units" not in stored else "units"
        for part in ("experiment", "facts", listed):
            if part not in stored:
                raise RaterbenchError(f"{where} has no {part!r}")
        hints = {"experiment": Mapping, "facts": Mapping, "keys": Names, "units": tuple[Mapping[str, Any], ...]}
        check_values(stored, hints, where)
        for number, unit in enumerate(stored.get("units", ())):
            if set(unit) != set(UNIT):
                raise RaterbenchError(f"{where}: unit {number} of the plan must have {', '.join(UNIT)}, and nothing else")
            check_values(unit, UNIT, f"{where}: unit {number} of the plan")
        check_values(stored["facts"], FACTS, f"{where}: facts")
        for name, facts in stored["facts"].get("metrics", {}).items():
            build(MetricFacts, facts, f"{where}: facts: metrics: {name}")
        for fact in ("classes", "raters"):
            if fact not in stored["facts"]:
                raise RaterbenchError(f"{where}: facts has no {fact!r}")
    except RaterbenchError as error:
        raise RaterbenchError(f"{error}; {mend}") from error


def is_header(values: Any, names: Sequence[str]) -> bool:
    """Whether the header of a unit's file has the fields ``names`` of a record, each of its kind."""
    kinds = {
        "key": str,
        "candidate": str,
        "kind": str,
        "order": int,
        "repeat": int,
        "fold": int,
        "reason": str,
        "meta": Mapping,
    }
    if not isinstance(values, Mapping) or not all(name in values for name in names):
        return False
    fits = all(allows(kind, values[name]) for name, kind in kinds.items()) and values["status"] in ("done", "failed", "skipped")
    return fits and all(allows(hint, values["meta"][key]) for key, hint in META.items() if key in values["meta"])


def is_unit(rows: Any, meta: Mapping[str, Any], arrays: Mapping[str, Any]) -> bool:
    """Whether the rows of a unit, and what its arrays are named by, have the form that tables are made from."""
    if not allows(tuple[ROW, ...], rows) or not all(len(entry) in (6, 7) for entry in meta.get("confusions", ())):
        return False
    if "calibration" in arrays and not _is_calibration(meta.get("calibration"), arrays["calibration"].shape):
        return False
    needed = [f"kept{n}" for n in range(len(meta.get("kept", ())))]
    for n, picture in enumerate(meta.get("pictures", ())):
        if not _has(picture, PICTURE):
            return False
        needed += [f"picture{n}_image", *(f"picture{n}_rating{i}" for i in range(len(picture["raters"])))]
    for n, (_, raters) in enumerate(meta.get("reliability", ())):
        needed += [f"reliability{n}_rater{i}" for i in range(len(raters))]
    return all(name in arrays for name in needed)


def _is_calibration(named: Any, shape: tuple[int, ...]) -> bool:
    """Whether counts [cases, references, regions, bins, 3] have a name for each place on their first three axes."""
    sizes = tuple(len(named[key]) for key in CALIBRATION) if _has(named, CALIBRATION) else ()
    return len(shape) == 5 and shape[:3] == sizes and shape[-1] == 3


def _has(values: Any, hints: Mapping[str, Any]) -> bool:
    return isinstance(values, Mapping) and all(key in values and allows(hint, values[key]) for key, hint in hints.items())
