"""The documentation's figure on how fast estimated raters come close to what they really are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt

from ...whole_files import replacing
from . import palette, style


def draw_convergence(sizes: Sequence[int], errors: Mapping[str, npt.NDArray[np.float64]], path: Path) -> Path:
    """Error of the matrices against voxels, a line for each estimator; ``errors`` maps its name to one value a size."""
    with plt.rc_context(style.SETTINGS):
        figure, axes = plt.subplots(figsize=(style.SINGLE * style.MM, 70 * style.MM), layout="constrained")
        for (name, values), colour, marker in zip(errors.items(), palette.COLOURS, palette.MARKERS, strict=False):
            axes.loglog(sizes, values, color=colour, marker=marker, markersize=4, label=name)
        first = max(values[0] for values in errors.values())
        slope = first * 1.6 * np.sqrt(sizes[0] / np.asarray(sizes, float))
        axes.loglog(sizes, slope, color=palette.MUTED, linestyle="--", linewidth=0.8, label="1 / root of voxels")
        axes.set(xlabel="Voxels", ylabel="Error of the matrices (RMSE)")
        axes.grid(visible=True)
        for axis in (axes.xaxis, axes.yaxis):
            style.label_powers_of_ten(axis)
        axes.legend()
        with replacing(path) as file:
            figure.savefig(file, dpi=200, metadata={"Software": None})
        plt.close(figure)
    return path
