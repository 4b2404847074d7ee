import json
import math

import numpy as np
import pytest
from rich.console import Console

from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split
from raterbench.benchmark.metrics import METRICS
from raterbench.benchmark.runner.first_look import look_at_cases, samples_warnings, sizes, tolerance_warnings
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.progress import announce
from raterbench.benchmark.runner.run import what_to_do, write_plan
from raterbench.datasets import Case, CaseList, Geometry, Preparation, RaterbenchError

DISTANCE, DICE, VOLUME = (METRICS.get(name)() for name in ("hd95", "dice", "false positive volume"))
CLASSES = ("background", "thing")


def square(side=64, at=10, width=8):
    mask = np.zeros((side, side), np.uint8)
    mask[at : at + width, at : at + width] = 1
    return mask


def case(name, *masks, spacing=None):
    ratings = {f"r{i}": mask for i, mask in enumerate(masks)}
    shape = masks[0].shape
    return Case(name, name, "here", np.zeros((1, *shape), np.float32), ratings, Geometry.axis_aligned(len(shape), spacing))


def test_at_most_two_hundred_cases_are_read():
    class Counting(CaseList):
        read = 0

        def load(self, position):
            Counting.read += 1
            return super().load(position)

    cases = [case(f"c{i:04d}", square(8, 2, 4), square(8, 3, 4)) for i in range(1000)]
    assert len(look_at_cases(Counting("many", cases, CLASSES), range(1000), [DICE])) == 200
    assert Counting.read == 200


@pytest.mark.parametrize(
    ("mask", "spacing", "diagonal", "radius"),
    [
        (square(), (1.0, 1.0), math.hypot(64, 64), math.sqrt(64 / math.pi)),
        (square(), (0.5, 2.0), math.hypot(32, 128), math.sqrt(64 / math.pi)),
        (square()[None], (7.0, 0.5, 0.5), math.hypot(32, 32), math.sqrt(16 / math.pi)),
        (square()[:, None], (0.5, 7.0, 0.5), math.hypot(32, 32), math.sqrt(16 / math.pi)),
        (np.stack([square()] * 4), (3.0, 1.0, 1.0), math.hypot(12, 64, 64), (3 * 768 / (4 * math.pi)) ** (1 / 3)),
    ],
)
def test_sizes_are_those_of_a_disc_or_ball_without_axes_of_length_one(mask, spacing, diagonal, radius):
    data = CaseList("sizes", [case("c", mask, mask, np.zeros_like(mask), spacing=spacing)], CLASSES)
    found = sizes(look_at_cases(data, [0], [DISTANCE]), CLASSES)
    assert found["case"] == "c"
    assert found["diagonal"] == pytest.approx(diagonal)
    assert found["radius"] == pytest.approx({"thing": radius})


def test_a_class_that_nobody_marked_has_no_size():
    data = CaseList("void", [case("c", np.zeros((4, 4), np.uint8))], CLASSES)
    assert sizes(look_at_cases(data, [0], [DICE]), CLASSES)["radius"] == {}


@pytest.mark.parametrize("metric", [DISTANCE, VOLUME, METRICS.get("surface dice")()])
def test_cases_in_different_units_are_refused_where_lengths_are_measured(metric):
    cases = [case("small", square(8, 2, 4), spacing=(0.1, 0.1)), case("large", square(8, 2, 4))]
    data = CaseList("mixed", cases, CLASSES)
    with pytest.raises(RaterbenchError, match="case 'large' measures lengths in px, and the data set 'mixed' in mm"):
        look_at_cases(data, [0, 1], [DICE, metric])
    assert len(look_at_cases(data, [0, 1], [DICE])) == 2


def test_cases_that_a_pixel_size_does_not_fit_are_refused_before_anything_trains():
    cases = [case("small", square(8, 2, 4), spacing=(0.1, 0.1)), case("large", square(8, 2, 4))]
    data = CaseList("mixed", cases, CLASSES)
    data.preparation = Preparation(pixel_size=0.05)
    with pytest.raises(RaterbenchError, match="case 'large' measures lengths in px, and the data set 'mixed' in mm"):
        look_at_cases(data, [0, 1], [DICE])
    solid = [case(name, np.stack([square(8, 2, 4)] * 8), spacing=step) for name, step in (("mm", (1, 1, 1)), ("px", None))]
    deep = CaseList("deep", solid, CLASSES)
    deep.preparation = Preparation(mode="volumes", voxel_size=(1, 1, 1))
    with pytest.raises(RaterbenchError, match=r"case 'px' measures lengths in px, .* preparation.pixel_size or voxel_size"):
        look_at_cases(deep, [0, 1], [DICE])
    deep.preparation = Preparation(mode="volumes")
    assert len(look_at_cases(deep, [0, 1], [DICE])) == 2
    data.preparation = Preparation(pixel_size=2)
    with pytest.raises(RaterbenchError, match=r"pixel_size = 2 mm makes 0 x 0 pixels of a slice of case 'small'"):
        look_at_cases(data, [0], [DICE])


def test_areas_are_not_averaged_with_volumes():
    data = CaseList("mixed", [case("flat", square(8, 2, 4)), case("deep", np.stack([square(8, 2, 4)] * 3))], CLASSES)
    with pytest.raises(RaterbenchError, match="case 'flat' has 2 axes and case 'deep' has 3"):
        look_at_cases(data, [0, 1], [VOLUME])
    assert len(look_at_cases(data, [0, 1], [DISTANCE])) == 2


def experiment(**changes):
    return Experiment(name="x", candidates=(Candidate("a", "tgce"),), **changes)


@pytest.mark.parametrize(
    ("tolerance", "words"),
    [
        (4.0, None),
        (4.6, "at least the radius of what raters usually mark of 'thing' (4.5 px)"),
        (45.3, "at least half the diagonal of the smallest image (case 'c', 90.5 px)"),
        (1000.0, "at least half the diagonal of the smallest image"),
    ],
)
def test_a_tolerance_that_makes_surface_dice_say_nothing_is_named(tolerance, words):
    data = CaseList("one", [case("c", square())], CLASSES)
    facts = {"unit": data.unit, "sizes": sizes(look_at_cases(data, [0], [DISTANCE]), CLASSES)}
    entry = {"name": "surface dice", "tolerance": tolerance}
    said = tolerance_warnings(experiment(metrics=("dice", entry)), facts)
    assert [words in sentence for sentence in said] == ([True] if words else [])
    assert tolerance_warnings(experiment(metrics=("dice",)), facts) == []
    both = experiment(metrics=("dice", "surface dice", entry))
    assert tolerance_warnings(both, facts) == said


def test_the_plan_says_so_again_when_it_is_resumed(tiny, tmp_path):
    for tolerance, n in ((500.0, 1), (500.0, 1), (0.5, 0)):
        plan = make_plan(tiny(metrics=("dice", {"name": "surface dice", "tolerance": tolerance})), tmp_path)
        write_plan(plan)
        stored = json.loads((tmp_path / "experiment.json").read_text(encoding="utf-8"))["facts"]
        assert len(stored["warnings"]) == n
        assert stored["unit"] == "mm"
        console = Console(width=400, record=True, quiet=False)
        announce(plan, 1, what_to_do(plan), console=console)
        assert console.export_text().count("the tolerance of surface dice") == n


def test_a_folder_of_tiny_pixels_is_warned_of(tmp_path):
    """Pixels of half a micrometre, discs that do not touch, and a tolerance of 1 mm."""
    import SimpleITK as sitk

    grid = np.indices((64, 64))
    for k in range(4):
        images = {"images": np.zeros((64, 64), np.float32) + k}
        for rater, centre in (("a", 16), ("b", 48)):
            images[f"ratings/{rater}"] = (((grid - centre) ** 2).sum(axis=0) <= 64).astype(np.uint8)
        for folder, pixels in images.items():
            (tmp_path / "d" / folder).mkdir(parents=True, exist_ok=True)
            image = sitk.GetImageFromArray(pixels)
            image.SetSpacing((5e-4, 5e-4))
            sitk.WriteImage(image, str(tmp_path / "d" / folder / f"c{k}.nii"))
    plan = make_plan(experiment(dataset=f"folder:{tmp_path / 'd'}", split=Split(folds=2)), tmp_path / "out")
    assert "1 mm, is at least half the diagonal of the smallest image (case 'c0', 0.0453 mm)" in plan.facts["warnings"][0]


def test_metrics_of_samples_without_samples_are_told():
    metrics = ("dice", "generalised energy distance", "dice max")
    (said,) = samples_warnings(experiment(metrics=metrics))
    assert "(samples = 0), so that generalised energy distance, dice max takes one segmentation of each method" in said
    assert not samples_warnings(experiment(metrics=metrics, samples=16)) and not samples_warnings(experiment(metrics=("dice",)))
