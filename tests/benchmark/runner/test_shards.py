"""Shards: every unit is in exactly one, whatever their number, and folds stay together as far as they can."""

from hypothesis import given
from hypothesis import strategies as st

from raterbench.benchmark.experiment.experiment import Candidate, Split
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import what_to_do
from raterbench.benchmark.runner.shards import divide, shard_of
from raterbench.benchmark.store.units import PlannedUnit


def planned(folds, candidates, labels):
    """Units as a plan lists them: those of a fold together, raters and fused labels after its candidates."""
    return [
        PlannedUnit(f"{fold}-{name}", name, kind, 0, fold, f"{name}.r0.f{fold}")
        for fold in range(folds)
        for kind, names in (("method", [f"m{i}" for i in range(candidates)]), ("fusion", [f"l{i}" for i in range(labels)]))
        for name in names
    ]


@given(st.integers(1, 7), st.integers(0, 6), st.integers(1, 4), st.integers(1, 60), st.integers(0, 3))
def test_each_unit_is_in_exactly_one_shard_and_shards_are_balanced(folds, candidates, labels, n, skipped):
    units = planned(folds, candidates, labels)
    uncounted = [f"m{i}" for i in range(min(skipped, candidates))]
    shards = divide(units, n, uncounted=uncounted)
    assert len(shards) == n
    assert sorted(key for shard in shards for key in shard) == sorted(unit.key for unit in units)
    counted = [u.key for u in units if u.kind == "method" and u.name not in uncounted] or [u.key for u in units]
    sizes = [len(shard & set(counted)) for shard in shards]
    assert max(sizes) - min(sizes) <= 1
    for fold in range(folds):
        of_labels = {u.key for u in units if u.kind == "fusion" and u.fold == fold}
        assert counted == [u.key for u in units] or sum(bool(shard & of_labels) for shard in shards) == 1


@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 3))
def test_as_many_shards_as_folds_are_the_folds(folds, candidates, labels):
    units = planned(folds, candidates, labels)
    assert [{key.split("-")[0] for key in shard} for shard in divide(units, folds)] == [{str(f)} for f in range(folds)]


def test_candidates_that_are_alike_are_one_unit_of_one_shard():
    units = planned(2, 2, 0)
    twins = [PlannedUnit(unit.key, f"{unit.name} again", "method", 0, unit.fold, unit.stem) for unit in units]
    assert [len(shard) for shard in divide([*units, *twins], 4)] == [1, 1, 1, 1]


def test_a_shard_runs_its_own_units_lists_all_and_fuses_what_it_needs(tiny, tmp_path):
    candidates = (Candidate("a", "fused-labels"), Candidate("b", "fused-labels", {"fusion": "staple"}))
    options = {"subjects": 20, "slices": 8, "size": 32}
    plan = make_plan(tiny(candidates=candidates, split=Split(folds=4), dataset_options=options), tmp_path)
    shards = [shard_of(plan, number, 4) for number in (1, 2, 3, 4)]
    assert [unit for shard in shards for unit in shard.runnable()] == plan.runnable()
    for number, shard in enumerate(shards):
        assert shard.listed() == plan.listed()
        assert {unit.fold for unit in what_to_do(shard).units} == {number}
        tested = set(plan.folds[0, number].test)
        assert {task.key for task in shard.references} == {t.key for t in plan.references if tested & set(t.cases)}
