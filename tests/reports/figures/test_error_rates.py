"""The documentation's figure of type-I errors and coverage."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from raterbench import RaterbenchError
from raterbench.benchmark.statistics.simulation import DESIGNS, SPREADS, WAYS
from raterbench.reports.figures.error_rates import draw_error_rates, read_same_candidate
from raterbench.reports.figures.palette import COLOURS


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rows = [(design, spread, way, 0.05, 0.95) for design in DESIGNS for spread in SPREADS for way in WAYS]
    table = pd.DataFrame(rows, columns=["design", "spread", "way", "type_one", "coverage"])
    lacking = (table["design"] == list(DESIGNS)[-1]) & (table["way"] == "corrected_t")
    table.loc[lacking, ["type_one", "coverage"]] = np.nan
    return table


def test_it_is_drawn_with_a_way_that_a_design_does_not_have(table: pd.DataFrame, tmp_path: Path) -> None:
    drawn = matplotlib.image.imread(draw_error_rates(table, tmp_path / "rates.png"))
    assert drawn.shape[1] > 1000 and drawn.std() > 0
    # Panels fill the figure: there is ink in each tenth of its width.
    ink = (drawn[..., :3].min(axis=2) < 0.9).any(axis=0)
    assert all(part.any() for part in np.array_split(ink, 10))


def test_real_trainings_have_a_panel_of_their_own(table: pd.DataFrame, tmp_path: Path) -> None:
    file = tmp_path / "same-candidate.csv"
    assert read_same_candidate(file) is None
    file.write_text("n_pairs,subjects,model_t,variance_ratio\n45,0.33,0.07,0.64\n")
    with_panel = matplotlib.image.imread(draw_error_rates(table, tmp_path / "rates.png", read_same_candidate(file)))
    last = with_panel[: len(with_panel) // 2, -with_panel.shape[1] // 10 :, :3]
    assert all((np.abs(last - to_rgb(colour)).max(axis=2) < 0.02).any() for colour in (COLOURS[0], COLOURS[2]))
    # The lower panel of the last column holds words only: no axis, and no band behind them.
    corner = with_panel[int(0.58 * len(with_panel)) :, -with_panel.shape[1] // 10 :, :3]
    assert np.allclose(corner.min(axis=2), corner.max(axis=2), atol=0.08)


def test_a_table_of_real_trainings_without_a_column_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "same-candidate.csv"
    file.write_text("n_pairs,subjects\n45,0.33\n")
    with pytest.raises(RaterbenchError, match="no column 'model_t'"):
        read_same_candidate(file)
