"""How often tests call chance a difference on real trainings: a finished run of one candidate under several names."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from ...errors import RaterbenchError
from ..statistics.subjects import case_values
from ..statistics.verdict.same_candidate import same_candidate_table
from ..store.results import Results, read_results


def tabulate_same_candidate(folder: str | Path) -> pd.DataFrame:
    """The table of ``same_candidate_table`` on the primary metric, and where it comes from.

    Used are the repeats that all candidates have whole. Added columns: ``experiment trainings date code versions``; the date is
    the day on which the last of the results was written.

    Raises:
        RaterbenchError: the folder holds no results, its candidates are not one under several names, or no repeat is whole.
    """
    results = read_results(folder)
    _check_same(results)
    units = results.units[results.units["kind"] == "method"]
    done = (units["status"] == "done").groupby(units["repeat"]).all()
    repeats = list(done.index[done])
    if not repeats:
        raise RaterbenchError(f"{folder} has no repeat that every candidate has whole: run the experiment to its end")
    metric = results.experiment.statistics.primary_metric
    cases = case_values(results.rows, metric, results.primary_reference)
    table = same_candidate_table(cases[cases["repeat"].isin(repeats)])
    used = units[units["repeat"].isin(repeats)]
    written = max(file.stat().st_mtime for file in (Path(folder) / "units").iterdir())
    return table.assign(
        experiment=results.experiment.name,
        trainings=len(used),
        date=datetime.fromtimestamp(written, UTC).date().isoformat(),
        code=", ".join(sorted(used["code"].dropna().unique())),
        versions="; ".join(sorted(used["versions"].dropna().unique())),
    )


def _check_same(results: Results) -> None:
    candidates = results.experiment.candidates
    first = candidates[0]
    for other in candidates[1:]:
        if (other.method, other.options) != (first.method, first.options):
            raise RaterbenchError(
                f"{results.folder}: {other.name!r} is another candidate than {first.name!r}, not the same one with another "
                "seed: give the results of the experiment same-candidate"
            )
    if len({candidate.seed for candidate in candidates}) < max(2, len(candidates)):
        raise RaterbenchError(
            f"{results.folder}: error rates need at least two candidates, each with a seed of its own; with the same seed they "
            "are the same network"
        )
