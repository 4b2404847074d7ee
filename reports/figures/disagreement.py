"""Where raters disagree, voxel by voxel, with the outline of their consensus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from ...benchmark.labels.agreement import disagreement
from ...benchmark.labels.fuse import Fused
from ...datasets.base import IGNORE, Case, Labels, slicing_axis
from ...whole_files import naming
from . import palette, style

OUTLINES = ("#3FB8FF", "#4FE0A8", "#FFFFFF", "#FF6B9D", "#C9A0FF")
"""Of the consensus: no colour of the disagreement, which runs from purple over orange to yellow."""
MOST_STEPS = 6
BINS = (0.1, 0.2, 0.3, 0.4, 1.0)
"""Upper ends of the steps, where raters are too many for a step each, or not the same number everywhere."""
DARK = "#2A2D33"
WIDTH = 85.0
"""Of a panel, in mm."""

Steps = list[tuple[float, str]]


def draw_fused(fused: Fused, file: Path) -> None:
    """Write the figure of a fused case."""
    with style.house_style():
        figure = disagreement_figure(fused.case, fused.consensus.labels, fused.code.labels.classes)
        metadata = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(file.suffix.lower())
        with naming(file):
            figure.savefig(file, dpi=250, metadata=metadata)


def disagreement_figure(case: Case, consensus: Labels, classes: Sequence[str]) -> Figure:
    """The image with the outline of the consensus, beside it the disagreement; without an image the latter alone.

    Of a volume the slice (along the first axis, or the one of a single voxel) with most disagreement is shown, cut to the
    surroundings of what was drawn.
    """
    share = disagreement(case.ratings, len(classes))
    judges = np.sum([rating != IGNORE for rating in case.ratings.values()], axis=0)
    what = "voxels" if share.ndim == 3 else "pixels"
    words = f"{style.wrapped(case.id, 60, 1)}: raters disagree on {_percent(share)} of the {what}"
    image = case.image.mean(axis=0) if len(case.image) else None
    spacing = list(case.geometry.spacing)
    if share.ndim == 3:
        axis = slicing_axis(share.shape)
        share, judges = np.moveaxis(share, axis, 0), np.moveaxis(judges, axis, 0)
        consensus = np.moveaxis(consensus, axis, 0)
        image = None if image is None else np.moveaxis(image, axis, 0)
        del spacing[axis]
        z = int(np.argmax((share > 0).sum(axis=(1, 2))))
        words += f"; slice {z + 1} of {len(share)}, with most disagreement"
        share, consensus, judges = share[z], consensus[z], judges[z]
        image = None if image is None else image[z]
    window = _window(share, consensus)
    share, consensus, judges = share[window], consensus[window], judges[window]
    grey = None
    if image is not None:
        low, high = np.percentile(image[window], (0.5, 99.5))
        grey = np.clip((image[window] - low) / max(high - low, 1e-9), 0, 1)
    rows, columns = (n * s for n, s in zip(share.shape, spacing, strict=True))
    panels = 1 if grey is None else 2
    height = float(np.clip(WIDTH * rows / columns, 30, 150))
    figure = style.new_figure(WIDTH * panels, height + 18)
    axes = list(np.atleast_1d(figure.subplots(1, panels)))
    steps = _steps(share, judges)
    if grey is not None:
        axes[0].imshow(grey, cmap="gray", vmin=0, vmax=1)
    axes[-1].imshow(_overlay(share, steps, grey), interpolation="auto", interpolation_stage="rgba")
    for one in axes:
        one.set(xticks=[], yticks=[], aspect=spacing[0] / spacing[1])
        one.spines[:].set_visible(False)
        _outline(one, consensus, len(classes))
    _legend(figure, steps, share, classes, panels)
    figure.suptitle(style.wrapped(words, 48 * panels, 3))
    return figure


def _percent(share: npt.NDArray[np.float32]) -> str:
    judged = share[~np.isnan(share)]
    if not judged.size or not (judged > 0).any():
        return "none"
    percent = 100 * float((judged > 0).mean())
    return f"{percent:.1f} %" if percent >= 0.1 else "less than 0.1 %"


def _window(share: npt.NDArray[np.float32], consensus: Labels) -> tuple[slice, ...]:
    drawn = (share > 0) | (consensus > 0) & (consensus != IGNORE)
    if not drawn.any():
        return tuple(slice(0, n) for n in drawn.shape)
    window = []
    for axis, n in enumerate(drawn.shape):
        span = np.flatnonzero(drawn.any(axis=1 - axis))
        margin = int(0.15 * (span[-1] - span[0] + 1)) + 4
        window.append(slice(max(0, span[0] - margin), min(n, span[-1] + 1 + margin)))
    return tuple(window)


def _steps(share: npt.NDArray[np.float32], judges: npt.NDArray[np.int64]) -> Steps:
    """Upper ends of the shares that have one colour, with words: so many raters of so many, or per cent."""
    n = int(judges.max(initial=0))
    found = np.unique(np.round(share[share > 0] * n)).astype(int)
    if (judges == n).all() and len(found) and n * float(share[share > 0].max()) <= MOST_STEPS:
        return [((j + 0.5) / n, f"{j} of {n} differ{'s' if j == 1 else ''}") for j in range(1, int(found.max()) + 1)]
    words = [f"up to {100 * BINS[0]:.0f} % differ", *(f"up to {100 * end:.0f} %" for end in BINS[1:-1]), "more"]
    return [(end + 1e-6, text) for end, text in zip(BINS, words, strict=True)]


def _colours(n: int) -> npt.NDArray[np.float64]:
    return np.array(mpl.colormaps["inferno"](np.linspace(0.46, 0.95, n) if n > 1 else [0.75]))


def _overlay(share: npt.NDArray[np.float32], steps: Steps, grey: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64]:
    if grey is None:
        picture = np.broadcast_to(to_rgba(DARK), (*share.shape, 4)).copy()
    else:
        picture = np.dstack([0.6 * grey] * 3 + [np.ones_like(grey)])
    where = share > 0
    picture[where] = _colours(len(steps))[np.searchsorted([end for end, _ in steps], share[where])]
    picture[np.isnan(share)] = to_rgba(palette.MUTED)
    return picture


def _outline(axes: Axes, consensus: Labels, n_classes: int) -> None:
    if min(consensus.shape) < 2:
        return
    for k in range(1, n_classes):
        here = consensus == k
        if here.any() and not here.all():
            lines = axes.contour(here, levels=[0.5], colors=[OUTLINES[(k - 1) % len(OUTLINES)]], linewidths=0.6)
            lines.set_path_effects([withStroke(linewidth=1.1, foreground="black")])


def _legend(figure: Figure, steps: Steps, share: npt.NDArray[np.float32], classes: Sequence[str], panels: int) -> None:
    handles: list[Patch | Line2D] = []
    if (share > 0).any():
        handles += [Patch(color=c, label=text) for c, (_, text) in zip(_colours(len(steps)), steps, strict=True)]
    if np.isnan(share).any():
        handles.append(Patch(color=palette.MUTED, label="nobody judged"))
    for k, name in enumerate(classes[1:]):
        words = "consensus" if len(classes) == 2 else f"consensus: {style.wrapped(name, 24, 1)}"
        line = Line2D([], [], color=OUTLINES[k % len(OUTLINES)], label=words, linewidth=1.6)
        line.set_path_effects([withStroke(linewidth=2.8, foreground="black")])
        handles.append(line)
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 3 * panels), handlelength=1.4)
