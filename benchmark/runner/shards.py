"""Shards: the units of a plan divided among jobs that know nothing of one another, such as those of a job array."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from ..store.units import PlannedUnit
from .plan import Plan


def shard_of(plan: Plan, number: int, n: int) -> Plan:
    """The plan of shard ``number`` of ``n``, counted from 1: all units are listed in it, and its own are run.

    References are fused for the cases that these units are tested on.
    """
    own = divide(plan.units, n, uncounted=plan.skipped)[number - 1]
    folds = {(unit.repeat, unit.fold) for unit in plan.units if unit.key in own}
    tested = {position for place in folds for position in plan.folds[place].test}
    references = [task for task in plan.references if tested & set(task.cases)]
    return replace(plan, own=own, references=references)


def divide(units: Sequence[PlannedUnit], n: int, *, uncounted: Collection[str] = ()) -> list[frozenset[str]]:
    """The keys of the units of each of ``n`` shards; each key is in exactly one.

    The units are cut in the order of the plan, so that a shard has whole folds as far as possible and reads few cases twice.
    Training units count, since they take the time, but for those of the ``uncounted`` candidates, which do not run: shards
    differ by one of them at most. Raters and fused labels go with the last training unit of their fold.
    """
    distinct = list({unit.key: unit for unit in units}.values())
    counts = [unit.kind == "method" and unit.name not in uncounted for unit in distinct]
    if not any(counts):
        counts = [True] * len(distinct)
    shards: list[set[str]] = [set() for _ in range(n)]
    before, total = 0, sum(counts)
    for unit, counted in zip(distinct, counts, strict=True):
        # In halves of a unit, so that whole numbers decide: the middle of this one, or of the last one that counted.
        middle = 2 * before + 1 if counted else max(0, 2 * before - 1)
        shards[middle * n // (2 * total)].add(unit.key)
        before += counted
    return [frozenset(shard) for shard in shards]
