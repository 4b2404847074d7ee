"""Times all metrics of a volume against the same ones of MONAI, scikit-learn, torchmetrics and SciPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
from scipy import ndimage

from ...datasets.base import Case, Floats, Geometry, Labels
from ..measuring.pairs import calibrate_case, measure_case
from ..measuring.references import References
from ..metrics import METRICS, Metric, Segmentation
from ..metrics.calibration import expected_calibration_error, maximum_calibration_error
from .examples import outlines
from .table import Row, Target, ratio_row
from .timing import compare

SHAPE, CLASSES = (160, 256, 256), ("background", "outer", "inner")
TIMED = ("dice", "precision", "recall", "surface dice", "hd95", "brier", "entropy")
"""The metrics that the other libraries have, too; ECE and MCE come from the counts of ``calibrate_case``."""


def metrics(repeats: int, shape: tuple[int, int, int] = SHAPE) -> Iterator[Row]:
    """All metrics of one case and one reference, three classes; the other libraries get their inputs ready for use."""
    work = f"all metrics of {'x'.join(map(str, shape))}, {len(CLASSES)} classes, one reference: how many times faster"
    against, target = "MONAI, scikit-learn, torchmetrics and SciPy", Target("at least", 8)
    if find_spec("torchmetrics") is None:
        why = "not tried: torchmetrics is not installed (pip install torchmetrics)"
        yield Row(work, against, why, target=target)
        return
    case, probability, labels = _example(shape)
    sources = References(case, len(CLASSES))
    reference = sources["majority"]
    assert reference is not None
    ours = _ours(case, probability, labels, sources)
    others = _others(probability, labels, reference.labels)
    mine, theirs = ours(), others()
    gaps = {name: abs(mine[name] - theirs[name]) for name in mine}
    worst = max(gaps, key=lambda name: gaps[name])
    note = f"{', '.join(mine)}; the largest difference of a value is {gaps[worst]:.1e} ({worst})"
    yield ratio_row(work, against, compare(others, ours, repeats), target, note)


def _example(shape: tuple[int, int, int]) -> tuple[Case, Floats, Labels]:
    """A case with five raters, and a prediction that errs along their outlines."""
    ratings = outlines(shape, n_raters=5, n_classes=len(CLASSES))
    case = Case("volume", "volume", "", np.zeros((1, *shape), np.float32), ratings, Geometry.axis_aligned(3))
    shares = np.stack([np.mean([r == k for r in ratings.values()], axis=0) for k in range(len(CLASSES))])
    coarse = np.random.default_rng(0).normal(size=(len(CLASSES), *(n // 8 for n in shape)))
    logits = np.log(np.maximum(shares, 1e-4)) + ndimage.zoom(coarse, (1, 8, 8, 8), order=1)
    weights = np.exp(logits - logits.max(axis=0))
    probability = (weights / weights.sum(axis=0)).astype(np.float32)
    return case, probability, probability.argmax(axis=0).astype(np.uint8)


def _ours(case: Case, probability: Floats, labels: Labels, sources: References) -> Callable[[], dict[str, float]]:
    timed = [METRICS.get(name)() for name in TIMED]
    assert all(isinstance(metric, Metric) for metric in timed)

    def measure() -> dict[str, float]:
        prediction = Segmentation(labels, probability)  # A new one, so that nothing is remembered.
        rows = measure_case(case, prediction, metrics=timed, references=["majority"], classes=CLASSES, sources=sources)
        counts = calibrate_case(case, probability, ["majority"], sources=sources)[0, 0]
        values = {name: float(np.mean([v for *_, metric, v in rows if metric == name])) for name in TIMED}
        values["ece"] = float(expected_calibration_error(counts))
        values["mce"] = float(maximum_calibration_error(counts))
        return values

    return measure


def _others(probability: Floats, labels: Labels, reference: Labels) -> Callable[[], dict[str, float]]:
    import torch
    from monai.metrics.confusion_matrix import compute_confusion_matrix_metric, get_confusion_matrix
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance
    from monai.metrics.meandice import compute_dice
    from monai.metrics.surface_dice import compute_surface_dice
    from scipy.stats import entropy
    from sklearn.metrics import brier_score_loss
    from torchmetrics.functional.classification import multiclass_calibration_error

    classes = range(len(CLASSES))
    mine, true = (torch.from_numpy(np.stack([a == k for k in classes])[None].astype(np.float32)) for a in (labels, reference))
    flat = probability.reshape(len(CLASSES), -1).T
    # In float32 its counts of voxels stop growing at 2^24, and its error is off by a factor of two.
    chances, truth = torch.from_numpy(flat.astype(np.float64)), torch.from_numpy(reference.ravel().astype(np.int64))

    def measure() -> dict[str, float]:
        confusion = get_confusion_matrix(mine, true, include_background=False)
        values = {
            "dice": compute_dice(mine, true, include_background=False),
            "precision": compute_confusion_matrix_metric("precision", confusion),
            "recall": compute_confusion_matrix_metric("recall", confusion),
            "surface dice": compute_surface_dice(mine, true, [1.0] * (len(CLASSES) - 1), include_background=False),
            "hd95": compute_hausdorff_distance(mine, true, include_background=False, percentile=95),
            "brier": torch.tensor(brier_score_loss(reference.ravel(), flat, labels=list(classes)) / len(CLASSES)),
            "entropy": torch.from_numpy(entropy(probability)),
            "ece": multiclass_calibration_error(chances, truth, len(CLASSES), n_bins=10, norm="l1"),
            "mce": multiclass_calibration_error(chances, truth, len(CLASSES), n_bins=10, norm="max"),
        }
        return {name: float(value.double().mean()) for name, value in values.items()}

    return measure
