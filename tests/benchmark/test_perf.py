"""What ``make perf`` measures is what it says: the comparisons themselves, on images small enough to be quick."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import torch

from raterbench.arguments import PERF_ROWS
from raterbench.benchmark import perf
from raterbench.benchmark.perf.confusion import saved_bytes, training_step
from raterbench.benchmark.perf.examples import outlines
from raterbench.benchmark.perf.fusions import WORKS, Work, by_simpleitk, copying, fusions, ours, peak_above
from raterbench.benchmark.perf.metrics import metrics
from raterbench.benchmark.perf.runs import added_metric, gpu_units, jobs, units_at_once
from raterbench.benchmark.perf.scaling import Size, scaling_table
from raterbench.benchmark.perf.spatial import spatial
from raterbench.benchmark.perf.table import Row, Target, machine, ratio_row
from raterbench.benchmark.perf.timing import alternately, compare
from raterbench.benchmark.perf.training import bare_loop, gpu_training, training
from raterbench.benchmark.perf.units import units
from raterbench.benchmark.perf.volumes import monai_steps, our_steps, volumes
from raterbench.datasets import RaterbenchError
from raterbench.datasets.base import Preparation
from raterbench.datasets.nodule_volumes import NoduleVolumes
from raterbench.methods import STAPLE, Budget, ConfusionNetwork, FusedLabels
from raterbench.reports.figures.scaling import draw_scaling

TINY = [
    *("split.folds=2", "split.repeats=1", "budget.epochs=1", "budget.features=[4,4,4,4,4,4]", 'metrics=["dice"]'),
    *("dataset_options.subjects=6", "dataset_options.slices=1", "dataset_options.size=32", "keep_cases=0"),
    'candidates=[{ name = "Majority vote", method = "fused-labels" }]',
]


def test_raters_differ_along_the_outlines_only():
    ratings = outlines((64, 80), n_raters=6, n_classes=3)
    stack = np.stack(list(ratings.values()))
    contested = np.ptp(stack, axis=0) > 0
    assert set(np.unique(stack)) == {0, 1, 2} and 0.02 < contested.mean() < 0.5
    assert not contested[0].any() and (stack[:, 32, 40] == 2).all()
    assert all(
        np.array_equal(labels, again)
        for labels, again in zip(ratings.values(), outlines((64, 80), n_raters=6, n_classes=3).values(), strict=True)
    )


def test_both_sides_do_the_same_work():
    ratings = outlines((40, 40), n_raters=5)
    images = by_simpleitk(ratings, 2)()
    np.testing.assert_allclose(ours(ratings, 2)().probability[1], sitk.GetArrayFromImage(images), atol=1e-6)
    labels = sitk.GetArrayFromImage(by_simpleitk(outlines((40, 40), n_raters=5, n_classes=3), 3)())
    assert (labels == STAPLE().fuse(outlines((40, 40), n_raters=5, n_classes=3), 3).labels).mean() > 0.99


def test_memory_stays_below_a_copy_of_the_input():
    ratings = outlines((40, 200, 200), n_raters=7)
    assert 0 < peak_above(ratings, 2) < 0.5


def test_ratios_and_their_words():
    ratios = compare(lambda: sum(range(20_000)), lambda: sum(range(2_000)), 5, calls=(3, 3))
    assert len(ratios) == 5 and min(ratios) > 1
    row = ratio_row("this", "that", [3.0, 1.0, 2.5], Target("at most", 2))
    assert row.cells == ("this", "that", "2.50 (1.00 to 3.00, 3 pairs)", "at most 2", "no")
    copying(ratings := outlines((16, 16), n_raters=2), STAPLE().fuse(ratings, 2))()
    assert [work.at_least for work in WORKS] == [100, 60, 30, 5]


def test_all_works_of_a_round_follow_one_another():
    calls = []
    taken = alternately([lambda: calls.append("a"), lambda: calls.append("b")], 2, calls=[1, 2])
    assert calls == ["a", "b", "b", "a", "b", "b"]
    assert [len(times) for times in taken] == [2, 2]


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (Target("at least", 8), 8.0, "yes"),
        (Target("at least", 8), 7.9, "no"),
        (Target("at most", 1.08), 1.08, "yes"),
        (Target("below", 0.05), 0.05, "no"),
        (Target("below", 2, " ms"), None, ""),
        (None, 1.0, ""),
    ],
)
def test_a_target_is_met_or_not(target, value, met):
    assert Row("work", "against", "measured", value, target).met == met


def test_memory_of_matrices_at_every_voxel_grows_linearly_with_raters():
    few, some, many = (saved_bytes(training_step(ConfusionNetwork(), n)) for n in (2, 6, 10))
    assert many - some == some - few > 0


def made(rows):
    """The rows, each of which has a value and is whole."""
    rows = list(rows)
    assert all(row.value is not None and row.value > 0 and row.work and row.against for row in rows)
    return rows


def test_rows_of_fusions_and_metrics():
    first, copied, memory, second = made(fusions(1, [Work((24, 32, 32), 3, 2, 1), Work((32, 32), 3, 3, 1)]))
    assert first.against == "SimpleITK's STAPLEImageFilter" and second.against == "SimpleITK's MultiLabelSTAPLEImageFilter"
    assert (copied.target, memory.target) == (Target("at most", 6), Target("below", 1))
    assert made(spatial(1, side=48))[0].target == Target("at least", 50)
    (row,) = made(metrics(1, shape=(16, 32, 32)))
    gap = float(row.note.partition("difference of a value is ")[2].split()[0])
    assert row.target == Target("at least", 8) and gap < 1e-3


def test_rows_of_training():
    plain, fused = made(training(1, slices={32: 8}, epochs=1))
    assert plain.work == fused.work and plain.target == Target("at most", 1.08) and fused.target is None
    assert "32x32" in plain.work


def test_the_bare_loop_trains_the_network_of_the_method(monkeypatch):
    built, dataset = [], NoduleVolumes(cases=2, depth=32, size=32)
    dataset.preparation = Preparation(mode="slices")
    method = FusedLabels(budget=Budget(epochs=2, batch_size=4, features=(4, 4, 4, 4, 4, 4)))
    slices = method.prepare(dataset, seed=0)
    build = method.build
    monkeypatch.setattr(method, "build", lambda *sizes: built.append(build(*sizes)) or built[-1])
    torch.manual_seed(0)
    bare_loop(method, [slices.batch(torch.arange(4), method.device_)])
    torch.manual_seed(0)
    first = build(1, 2, 1).state_dict()
    assert all(not torch.equal(weight, first[name]) for name, weight in built[0].state_dict().items() if weight.ndim == 4)


def test_both_3d_steps_learn_the_same_task():
    dataset = NoduleVolumes(cases=2, depth=32, size=32)
    method = FusedLabels(budget=Budget(batch_size=4, features=(4, 4, 4, 4, 4, 4)))
    (row,) = made(volumes(1, cases=2, size=32, steps=1))
    assert row.target == Target("at most", 1.1)
    dataset.preparation = replace(dataset.preparation, mode="volumes", patch=(32, 32, 32))
    for take in (our_steps(method, dataset, 3), monai_steps(method, dataset, 3)):
        first = take()
        assert take() < first < 2  # Near the logarithm of 2 to start with.


def test_rows_of_whole_runs():
    (side,) = made(jobs(1, TINY))
    assert side.target == Target("at least", 1.7) and "1 pair" in side.measured
    (added,) = made(added_metric(1, TINY, candidates=1))
    assert added.target == Target("below", 0.05)
    made([units_at_once("4 units", Target("at least", 2), 1, TINY, device="cpu")])


def test_a_failed_unit_is_not_timed():
    with pytest.raises(RaterbenchError, match="smoke: units failed"):
        list(jobs(1, [*TINY, "budget.learning_rate=100", "budget.epochs=40", "timeout=0.01"]))


def test_without_a_gpu_its_rows_say_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    rows = [*gpu_training(1), *gpu_units(1)]
    assert [(row.value, row.measured, row.met) for row in rows] == [(None, "not tried: no GPU here", "")] * 2
    assert [str(row.target) for row in rows] == ["at most 1.1", "at least 2"]


def test_rows_of_trivial_units():
    reported = []
    each, found = made(units(reported.append, n=100))
    assert each.work == "100 trivial units" and str(each.target) == "below 2 ms" and len(reported) == 1
    assert found.target == Target("below", 3, " s")


def test_the_names_of_rows_are_those_of_the_command(monkeypatch):
    asked = []
    for module, names in {
        "training": ("training", "gpu_training"), "volumes": ("volumes",), "confusion": ("confusion",), "metrics": ("metrics",),
        "runs": ("jobs", "added_metric", "gpu_units"), "fusions": ("fusions",), "spatial": ("spatial",), "units": ("units",),
    }.items():  # fmt: skip
        for name in names:
            path = f"raterbench.benchmark.perf.{module}.{name}"
            monkeypatch.setattr(path, lambda *_, name=name: asked.append(name) or iter([Row(name, "", "")]))
    assert {row.work for name in PERF_ROWS for row in perf.measure(print, [name])} == set(asked)
    everything = list(asked)
    asked.clear()
    assert [row.work for row in perf.measure(print)] == asked == everything


def test_the_machine_is_named():
    day, processor, versions = machine()
    assert day[:2] == "20" and " core" in processor
    assert {"python", "torch", "monai", "simpleitk"} <= {part.split()[0] for part in versions.split(", ")}


def test_what_a_run_costs_as_it_grows(tmp_path):
    table = scaling_table(Size(cases=6, side=32), times=(1, 2))
    assert table["grows"].tolist() == [name for name in ("cases", "raters", "classes", "folds") for _ in range(2)]
    first = table[table["times"] == 1]
    assert first[["cases", "raters", "classes", "folds"]].drop_duplicates().to_numpy().tolist() == [[6, 2, 2, 2]]
    assert table["folds"].tolist() == [2] * 6 + [2, 4]
    assert (table["run"] > 2 * table["unit: Majority vote"]).all()
    assert pd.notna(table).all(axis=None)
    assert draw_scaling(table, tmp_path / "scaling.png").stat().st_size > 10_000
