"""Times STAPLE against SimpleITK's filters and against a copy of its input and output."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from ...datasets.base import Labels
from ...methods.base import Consensus
from ...methods.fusion.engine.threads import n_threads
from ...methods.fusion.staple import STAPLE
from .examples import outlines
from .table import Row, Target, ratio_row
from .timing import compare


@dataclass(frozen=True)
class Work:
    """Ratings to fuse; ``at_least`` how many times faster than SimpleITK; ``calls`` of SimpleITK and STAPLE for one time.

    Short calls are repeated more often: the first call after another function also pays for page faults, which on some
    virtual machines take longer than the fusion.
    """

    shape: tuple[int, ...]
    n_raters: int
    n_classes: int
    at_least: int
    calls: tuple[int, int] = (1, 7)

    def __str__(self) -> str:
        size = "x".join(map(str, self.shape))
        return f"STAPLE, {self.n_classes} classes, {self.n_raters} raters, {size}"


WORKS = (
    Work((160, 256, 256), 7, 2, 100),
    Work((96, 128, 128), 7, 4, 60),
    Work((256, 256), 4, 2, 30, calls=(5, 21)),
    Work((1024, 1024), 21, 2, 5),
)


def fusions(repeats: int, works: Sequence[Work] = WORKS) -> Iterator[Row]:
    """Time each work against SimpleITK; the first also against a copy, and measure its memory."""
    itk = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    threads = f"{n_threads()} threads for large images, SimpleITK's own default, {itk}, for its filters"
    for position, work in enumerate(works):
        ratings = outlines(work.shape, n_raters=work.n_raters, n_classes=work.n_classes)
        fused = STAPLE().fuse(ratings, work.n_classes)
        ratios = compare(by_simpleitk(ratings, work.n_classes), ours(ratings, work.n_classes), repeats, calls=work.calls)
        name = "STAPLEImageFilter" if work.n_classes == 2 else "MultiLabelSTAPLEImageFilter"
        note = f"{fused.iterations} iterations; {threads}"
        yield ratio_row(
            f"{work}: how many times faster", f"SimpleITK's {name}", ratios, Target("at least", work.at_least), note
        )
        if position == 0:
            ratios = compare(ours(ratings, work.n_classes), copying(ratings, fused), repeats, calls=(7, 7))
            yield ratio_row(str(work), "one copy of its input and output", ratios, Target("at most", 6))
            peak = peak_above(ratings, work.n_classes)
            what = "its input and output: the memory at its peak beyond them, as a share of the input"
            yield Row(str(work), what, f"{peak:.2f}", peak, Target("below", 1))


def ours(ratings: Mapping[str, Labels], n_classes: int) -> Callable[[], object]:
    """Fuse once with STAPLE."""
    return lambda: STAPLE().fuse(ratings, n_classes)


def by_simpleitk(ratings: Mapping[str, Labels], n_classes: int) -> Callable[[], object]:
    """Fuse once with SimpleITK, from images in memory."""
    images = [sitk.GetImageFromArray(labels) for labels in ratings.values()]
    return lambda: (sitk.STAPLE if n_classes == 2 else sitk.MultiLabelSTAPLE)(images)


def copying(ratings: Mapping[str, Labels], fused: Consensus) -> Callable[[], object]:
    """Copy the bytes of ratings and consensus into allocated memory: a lower bound for any fusion."""
    source: list[npt.NDArray[Any]] = [*ratings.values(), fused.probability, fused.labels]
    target = [array.copy() for array in source]

    def copy() -> None:
        for to, array in zip(target, source, strict=True):
            np.copyto(to, array)

    return copy


def peak_above(ratings: Mapping[str, Labels], n_classes: int) -> float:
    """Peak memory of fusing beyond its input and output, as a share of the input."""
    tracemalloc.start()
    try:
        fused = STAPLE().fuse(ratings, n_classes)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    output = fused.probability.nbytes + fused.labels.nbytes
    return (peak - output) / sum(labels.nbytes for labels in ratings.values())
