"""What the case browser is given: the right pixels, few enough of them."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from raterbench.benchmark.measuring.kept_references import kept_references
from raterbench.benchmark.measuring.references import StoredReference
from raterbench.benchmark.store.archive import write_archive
from raterbench.benchmark.store.picture_cases import PictureCase
from raterbench.reports.analysis import Analysis
from raterbench.reports.page import cases
from raterbench.reports.page.cases import case_browser, cut_of, grid, png_text

from .conftest import reference_parts


def volume(depth: int = 30) -> PictureCase:
    """A ball that two raters mark, one of them a little higher; slices are along the first axis."""
    z, y, x = np.indices((depth, 40, 50))
    ratings = {
        name: (np.hypot(np.hypot(z - depth / 2 - shift, y - 20), x - 25) < 10).astype(np.uint8)
        for name, shift in {"Ada": 0, "Ben": 4}.items()
    }
    return PictureCase("ball", "", np.broadcast_to(x / 50, z.shape).astype(np.float32), ratings)


def plane(case: dict, layer: dict, slice_: int = 0) -> np.ndarray:
    """The first plane of a layer, read back from the picture."""
    png = base64.b64decode(case["pictures"][slice_].partition(",")[2])
    whole, n = np.asarray(Image.open(io.BytesIO(png))), layer["plane"]
    top, left = n // case["across"] * case["height"], n % case["across"] * case["width"]
    return whole[top : top + case["height"], left : left + case["width"]]


def test_a_picture_holds_every_layer(analysis: Analysis) -> None:
    given = case_browser(analysis)
    assert given is not None
    shown, kept = given["cases"][0], analysis.results.pictures[0]
    assert shown["name"] == kept.id and shown["why"] == kept.why
    cut = cut_of(kept, 224)
    layers = {(layer["group"], layer["name"]): layer for layer in shown["layers"]}
    assert {name for group, name in layers if group == "Candidates"} == set(kept.predictions)
    np.testing.assert_array_equal(plane(shown, layers["Raters", "Cleo"]), cut.of(kept.ratings["Cleo"])[0])
    soft = plane(shown, layers["Candidates", "STAPLE"]) / 252
    np.testing.assert_allclose(soft, cut.of(kept.predictions["STAPLE"], 1)[0, 1], atol=0.02)
    value = analysis.results.rows.query(
        f"kind == 'rater' and candidate == 'Cleo' and case == '{kept.id}' and metric == 'dice' and reference == 'truth'"
    )["value"].mean()
    assert layers["Raters", "Cleo"]["value"] == pytest.approx(value)
    assert ("How far a candidate believes a rater", "Confusion matrices: Ada") in layers


def test_of_a_volume_a_few_slices_that_somebody_marked_are_shown() -> None:
    case = volume()
    cut = cut_of(case, 224)
    assert len(cut.slices) <= cases.MOST_SLICES + 1 and (min(cut.slices), max(cut.slices)) == (6, 28)
    shown = cut.of(case.ratings["Ada"])
    assert shown.shape == cut.of(case.image).shape and shown.shape[1] < 40
    assert (shown.sum(axis=(1, 2)) == case.ratings["Ada"][cut.slices].sum(axis=(1, 2))).all()
    disagree = (case.ratings["Ada"] != case.ratings["Ben"]).sum(axis=(1, 2))
    assert disagree[cut.slices[cut.start]] == disagree.max()
    assert max(cut_of(case, 10).of(case.image).shape[1:]) <= 10
    assert cut.of(np.stack([case.image] * 2), leading=1).shape == (len(cut.slices), 2, *shown.shape[1:])


def test_pictures_become_smaller_until_they_fit(analysis: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "BUDGET", 8_000)
    given = case_browser(analysis)
    assert given is not None and max(given["cases"][0]["width"], given["cases"][0]["height"]) <= cases.SIDES[-1]


def test_planes_stand_in_a_grid() -> None:
    planes = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((5, 2, 3), np.uint8)
    assert (grid(planes) == np.kron([[0, 1, 2], [3, 4, 0]], np.ones((2, 3)))).all()
    assert png_text(grid(planes)).startswith("data:image/png;base64,")


def test_references_are_read_from_their_files(shown_page: object, analysis: Analysis, tmp_path) -> None:
    first = analysis.results.pictures[0].id
    found = kept_references(analysis.results.folder, {first, "other"})
    assert {name: found[first][name].probability is None for name in found[first]} == {"majority": True, "soft average": False}
    assert kept_references(tmp_path, {first}) == {}
    (tmp_path / "references").mkdir()
    for path in (analysis.results.folder / "references").iterdir():
        (tmp_path / "references" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "references" / "damaged.npz").write_bytes(b"no archive")
    assert set(kept_references(tmp_path, {first})[first]) == {"majority", "soft average"}
    write_archive(
        tmp_path / "references" / "other.npz", reference_parts(first, "majority", StoredReference(np.zeros((40, 48), np.uint8)))
    )
    assert set(kept_references(tmp_path, {first})[first]) == {"soft average"}, "nobody knows which of the two was used"
