"""Reading a finished (or unfinished) experiment back: its units become a few pandas tables. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...datasets.base import Unit
from ...errors import RaterbenchError
from ...text_files import LARGEST_WRITTEN, parse_json, read_text
from ..experiment.experiment import Experiment
from .assignment import unpack_assignment
from .case_confusions import unpack_case_confusions
from .completeness import Completeness, planned_units, read_units
from .metric_facts import MetricFacts, stored_metric_facts
from .units import Record, read_run_file

ROW_COLUMNS = (
    "experiment dataset candidate kind repeat fold case subject centre class reference metric value".split()  # noqa: SIM905
)


@dataclass(frozen=True, eq=False)
class PictureCase:
    """A kept case for pictures: ``image`` [*S] in 0..1, labels [*S] uint8, and each candidate's probability [K, *S].

    ``reliability``: how far a candidate believes each rater at each voxel, [*S] in 0..1, where it has an opinion.
    """

    id: str
    why: str
    image: npt.NDArray[np.float32]
    ratings: dict[str, npt.NDArray[np.uint8]]
    truth: npt.NDArray[np.uint8] | None = None
    predictions: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    reliability: dict[str, dict[str, npt.NDArray[np.float32]]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Results:
    """What an experiment left behind, as tables; CONTRIBUTING.md lists their columns."""

    folder: Path
    experiment: Experiment
    facts: dict[str, Any]
    rows: pd.DataFrame
    calibration: pd.DataFrame
    confusions: pd.DataFrame
    units: pd.DataFrame
    pictures: list[PictureCase]
    packed: Mapping[tuple[int, int], npt.NDArray[np.uint8]] = field(default_factory=dict)
    completeness: Completeness = field(default_factory=Completeness)

    @property
    def unit(self) -> Unit:
        """What lengths are measured in; results of earlier versions do not say so, and mean mm."""
        return "pixel" if self.facts.get("unit") == "pixel" else "mm"

    @property
    def ndim(self) -> int:
        """The number of axes of an image; 3 where results do not say so."""
        return len(self.facts.get("case_shape", (1, 1, 1)))

    def assignment(self, repeat: int = 0, fold: int = 0) -> pd.DataFrame:
        """Who rated which training case, cases x raters, bool; the same for all candidates of a fold.

        Raises:
            RaterbenchError: no unit of this fold stored it (those of earlier versions did not), or the splits are gone.
        """
        if (repeat, fold) not in self.packed:
            raise RaterbenchError(f"{self.folder} does not know who rated what in repeat {repeat}, fold {fold}: run it again")
        path = self.folder / "splits.json"
        try:
            folds = parse_json(read_text(path, "splits", largest=LARGEST_WRITTEN), str(path))["folds"]
            cases = next(f["train"] for f in folds if (f["repeat"], f["fold"]) == (repeat, fold))
        except (RaterbenchError, KeyError, TypeError, StopIteration) as error:
            raise RaterbenchError(f"{path} does not name the cases of repeat {repeat}, fold {fold}") from error
        return unpack_assignment(self.packed[repeat, fold], cases, self.facts["raters"])

    @cached_property
    def assignments(self) -> pd.DataFrame:
        """How many training cases each rater rated: ``repeat, fold, rater, n_train``; empty if no unit stored it."""
        counts = [(r, f, self.assignment(r, f).sum()) for r, f in self.packed]
        rows = [[r, f, rater, int(n)] for r, f, count in counts for rater, n in count.items()]
        return pd.DataFrame(rows, columns=["repeat", "fold", "rater", "n_train"])

    def case_confusions(self, candidate: str) -> pd.DataFrame:
        """Each rater's matrix on every test image: ``candidate repeat fold case rater observed true estimate truth``.

        Read from the units when asked for; empty for candidates that estimate no rater.
        """
        wanted = [entry.unit for entry in self.completeness.having("done") if entry.unit.candidate == candidate]
        records, _ = read_units(self.folder, wanted)
        return unpack_case_confusions(records, self.facts["raters"], self.facts["classes"])

    @property
    def primary_reference(self) -> str:
        """The declared reference, with ``auto`` resolved: the truth where it is known, else the single raters."""
        declared = self.experiment.statistics.primary_reference
        if declared != "auto":
            return declared
        return "truth" if "truth" in set(self.rows["reference"]) else "raters"

    def metric(self, name: str) -> MetricFacts | None:
        """What is known of a metric; None for one of somebody else's, of which results of earlier versions say nothing."""
        return stored_metric_facts(self.facts.get("metrics", {}), name, self.experiment, self.unit, self.ndim)

    @property
    def candidates(self) -> list[str]:
        """Candidates that have results, in the experiment's order."""
        have = set(self.rows.loc[self.rows["kind"] == "method", "candidate"])
        return [c.name for c in self.experiment.candidates if c.name in have]


def read_results(folder: str | Path) -> Results:
    """Read every unit of an experiment's folder that was planned and is whole; ``completeness`` says what is not.

    What the folder holds is data: no code that it names is run.

    Raises:
        RaterbenchError: the folder holds no experiment, or no finished unit.
    """
    folder = Path(folder)
    stored = read_run_file(folder)
    try:
        experiment = Experiment.from_json(stored["experiment"], where=str(folder / "experiment.json"))
    except RaterbenchError as error:
        mend = "if another version of raterbench wrote it, run the experiment again with this one"
        raise RaterbenchError(f"{error}; {mend}") from error
    # A candidate's place may have changed since its units were stored.
    places = {candidate.name: place for place, candidate in enumerate(experiment.candidates)}
    found, completeness = read_units(folder, planned_units(folder, stored))
    records = sorted(found, key=lambda r: (places.get(r.candidate, len(places)), r.repeat, r.fold))
    done = [r for r in records if r.status == "done"]
    if not done:
        reasons = " ".join(completeness.notices()) or "all candidates were skipped"
        raise RaterbenchError(f"{folder} has no finished unit to report on. {reasons}")
    return Results(
        folder=folder,
        experiment=experiment,
        facts=stored["facts"],
        rows=_rows(experiment, done),
        calibration=_calibration(done),
        confusions=_confusions(done),
        units=_units(records, completeness, places),
        pictures=_pictures(done),
        packed={(r.repeat, r.fold): r.arrays["assignment"] for r in done if "assignment" in r.arrays},
        completeness=completeness,
    )


def _rows(experiment: Experiment, records: list[Record]) -> pd.DataFrame:
    frames = []
    for record in records:
        frame = pd.DataFrame(
            record.rows, columns=["candidate", "kind", "case", "subject", "centre", "class", "reference", "metric", "value"]
        )
        frame["repeat"], frame["fold"] = record.repeat, record.fold
        frames.append(frame)
    rows = pd.concat(frames, ignore_index=True)
    rows["experiment"], rows["dataset"] = experiment.name, experiment.dataset
    rows["value"] = rows["value"].astype(float)
    return rows[ROW_COLUMNS]


def _calibration(records: list[Record]) -> pd.DataFrame:
    frames = []
    for record in records:
        counts = record.arrays.get("calibration")
        if counts is None:
            continue
        cases, references, regions = (record.meta["calibration"][k] for k in ("cases", "references", "regions"))
        index = pd.MultiIndex.from_product([range(len(cases)), references, regions, range(counts.shape[3])])
        flat = counts.reshape(-1, 3)
        position = index.get_level_values(0)
        table = pd.DataFrame(
            {
                "candidate": record.candidate,
                "kind": record.kind,
                "repeat": record.repeat,
                "fold": record.fold,
                "case": np.array([c[0] for c in cases], dtype=object)[position],
                "subject": np.array([c[1] for c in cases], dtype=object)[position],
                "centre": np.array([c[2] for c in cases], dtype=object)[position],
                "reference": index.get_level_values(1),
                "region": index.get_level_values(2),
                "bin": index.get_level_values(3),
                "n": flat[:, 0],
                "correct": flat[:, 1],
                "confidence": flat[:, 2],
            }
        )
        frames.append(table[table["n"] > 0])
    return (
        pd.concat(frames, ignore_index=True)
        if frames
        else pd.DataFrame(
            columns="candidate kind repeat fold case subject centre reference region bin n correct confidence".split()  # noqa: SIM905
        )
    )


def _confusions(records: list[Record]) -> pd.DataFrame:
    columns = ["candidate", "repeat", "fold", "rater", "observed", "true", "estimate", "truth", "reference"]
    rows = [[name, r.repeat, r.fold, *entry] for r in records for name, *entry in r.meta.get("confusions", [])]
    # Units of earlier versions knew no other reference than the truth, and did not say so.
    rows = [row if len(row) == len(columns) else [*row, "none" if np.isnan(row[-1]) else "truth"] for row in rows]
    return pd.DataFrame(rows, columns=columns)


def _units(records: list[Record], completeness: Completeness, places: Mapping[str, int]) -> pd.DataFrame:
    """A row for each planned unit whose candidate is known, those without a record included, in the order of candidates."""
    keys = "seconds epochs best_epoch threshold peak_memory_mb n_train n_validation n_test curve warnings code hardware".split()  # noqa: SIM905
    rows = [
        {
            **{k: getattr(r, k) for k in ("candidate", "kind", "repeat", "fold", "status", "reason")},
            **{k: r.meta.get(k) for k in keys},
            # Units of earlier versions do not tell alarms from other warnings.
            "alarms": r.meta.get("alarms", r.meta.get("warnings")),
            "versions": ", ".join(f"{name} {number}" for name, number in r.meta.get("versions", {}).items()) or None,
        }
        for r in records
    ]
    for entry in completeness.having("missing", "damaged"):
        unit = entry.unit
        if unit.candidate:
            head = {k: getattr(unit, k) for k in ("candidate", "kind", "repeat", "fold")}
            rows.append(head | {"status": entry.state, "reason": entry.reason, **dict.fromkeys((*keys, "alarms", "versions"))})
    rows.sort(key=lambda row: (places.get(row["candidate"], len(places)), row["repeat"], row["fold"]))
    return pd.DataFrame(rows)


def _pictures(records: list[Record]) -> list[PictureCase]:
    pictures: dict[str, PictureCase] = {}
    for record in records:
        for number, kept in enumerate(record.meta.get("pictures", [])):
            array = record.arrays
            truth = array.get(f"picture{number}_truth")
            pictures[kept["case"]] = PictureCase(
                id=kept["case"],
                why=kept["why"],
                image=np.divide(array[f"picture{number}_image"], 255, dtype=np.float32),
                ratings={rater: array[f"picture{number}_rating{i}"] for i, rater in enumerate(kept["raters"])},
                truth=truth,
            )
    for record in records:
        if record.repeat > 0:
            continue
        for number, case in enumerate(record.meta.get("kept", [])):
            if case in pictures:
                stored = record.arrays[f"kept{number}"].astype(np.float32)
                pictures[case].predictions[record.candidate] = stored / np.maximum(stored.sum(axis=0), 1)
        for number, (case, raters) in enumerate(record.meta.get("reliability", [])):
            if case in pictures and raters:
                maps = (record.arrays[f"reliability{number}_rater{i}"] for i in range(len(raters)))
                scaled = (np.divide(map_, 255, dtype=np.float32) for map_ in maps)
                pictures[case].reliability[record.candidate] = dict(zip(raters, scaled, strict=True))
    return list(pictures.values())
