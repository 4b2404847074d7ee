"""The documentation's figure of type-I errors and coverage."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd

from raterbench.benchmark.statistics.simulation import DESIGNS, SPREADS, WAYS
from raterbench.reports.figures.error_rates import draw_error_rates


def test_it_is_drawn_with_a_way_that_a_design_does_not_have(tmp_path: Path) -> None:
    rows = [(design, spread, way, 0.05, 0.95) for design in DESIGNS for spread in SPREADS for way in WAYS]
    table = pd.DataFrame(rows, columns=["design", "spread", "way", "type_one", "coverage"])
    lacking = (table["design"] == list(DESIGNS)[-1]) & (table["way"] == "corrected_t")
    table.loc[lacking, ["type_one", "coverage"]] = np.nan
    drawn = matplotlib.image.imread(draw_error_rates(table, tmp_path / "rates.png"))
    assert drawn.shape[1] > 1000 and drawn.std() > 0
    # Panels fill the figure: there is ink in each tenth of its width.
    ink = (drawn[..., :3].min(axis=2) < 0.9).any(axis=0)
    assert all(part.any() for part in np.array_split(ink, 10))
