from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raterbench.benchmark.describe import describe_data, find_data
from raterbench.datasets import IGNORE, Case, CaseList, Geometry
from raterbench.methods import STAPLE, MajorityVote
from raterbench.reports import style
from raterbench.reports.describe import write_description
from raterbench.reports.describe_tables import describe_tables, pair_matrix, raters_table
from raterbench.reports.describe_words import findings, headline, warnings
from raterbench.reports.disagreement import disagreement_figure

RATERS = ("Ada", "Ben", "Cleo", "Dan", "Eve")


def disc(side: int, radius: float, shift: float = 0.0) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - side / 2
    return ((y + shift) ** 2 + x**2 < radius**2).astype(np.uint8)


def study(n: int = 12, *, image: bool = True, planes: int = 0) -> CaseList:
    """Discs that all raters outline alike, but for Dan, who marks a third of them; Eve hands in Ben's."""
    rng = np.random.default_rng(0)
    cases = []
    for number in range(n):
        ratings = {r: disc(48, 14 + rng.normal(0, 0.5), rng.normal(0, 0.5)) for r in RATERS}
        ratings["Dan"] = disc(48, 8)
        ratings["Eve"] = ratings["Ben"].copy()
        if planes:
            ratings = {r: np.stack([np.zeros_like(m), m, disc(48, 5)]) for r, m in ratings.items()}
        if number == 3 and n > 3:
            del ratings["Ada"]
            ratings["Cleo"][:] = 0
        if number == 4 and n > 4:
            ratings["Cleo"] = np.zeros_like(ratings["Cleo"])
            ratings["Cleo"][..., :3, :3] = 1
            ratings["Ada"][..., :10, :] = IGNORE
        shape = ratings["Ben"].shape
        pixels = np.zeros((int(image), *shape), np.float32) + rng.normal(size=(int(image), *shape)).astype(np.float32)
        geometry = Geometry.axis_aligned(len(shape), (3.0, 1.0, 0.5)[-len(shape) :])
        cases.append(Case(f"c{number}", f"s{number}", "x", pixels, ratings, geometry))
    return CaseList("discs", cases, ("background", "disc"))


@pytest.fixture(scope="module")
def described():
    return describe_data(study(), STAPLE())


def test_the_outlier_the_copies_the_gaps_and_the_odd_files_are_found(described):
    assert described.outlying_raters == ["Dan"]
    assert [(p.rater, p.other, len(p.cases), p.common, p.everywhere) for p in described.duplicates()] == [
        ("Ben", "Eve", 12, 12, True)
    ]
    odd = described.suspects[described.suspects["what"] != "identical"]
    assert odd[["case", "rater", "what"]].to_numpy().tolist() == [["c3", "Cleo", "empty"], ["c4", "Cleo", "touches nobody"]]
    assert {(r.case, r.rater) for r in described.outlying_ratings()[:2]} == {("c3", "Cleo"), ("c4", "Cleo")}
    assert set(described.outlying_cases) == {"c3", "c4"}


def test_what_was_found_is_said_in_words(described):
    said = " ".join(findings(described))
    assert "Dan stands apart: Dice 0." in said
    assert "% less than they do" in said
    assert "Ben and Eve have identical masks in all 12 cases" in said
    assert "1 mask empty though others marked something: Cleo in c3." in said
    assert "1 mask touching nobody else’s mask: Cleo in c4." in said
    assert "1 of 60 ratings are missing; 1 rater left out voxels." in said
    assert "Copies make the agreement look higher" in " ".join(warnings(described))
    assert headline(described).startswith("Two raters overlap with a Dice of 0.")


def test_tables_say_what_a_direct_count_says(described):
    row = described.pairs.query("case == 'c0' and rater == 'Ada' and other == 'Dan'").iloc[0]
    ratings = study()[0].ratings
    assert row["dice"] == pytest.approx(
        2 * (ratings["Ada"] & ratings["Dan"]).sum() / (ratings["Ada"].sum() + ratings["Dan"].sum())
    )
    others = {r: m for r, m in ratings.items() if r != "Dan"}
    fused = STAPLE().fuse(others, 2).labels
    row = described.ratings.query("case == 'c0' and rater == 'Dan'").iloc[0]
    assert row["sensitivity"] == pytest.approx(ratings["Dan"].sum() / fused.sum())
    assert row["specificity"] == 1
    assert row["volume_bias"] == pytest.approx(ratings["Dan"].sum() / fused.sum() - 1)
    matrix = pair_matrix(described)
    assert matrix.loc["Ben", "Eve"] == 1
    assert np.allclose(matrix, matrix.T, equal_nan=True)
    notes = {row[0].text: row[7].text for row in raters_table(described).rows}
    assert notes == {"Ada": "", "Ben": "same as Eve", "Cleo": "", "Dan": "outlying", "Eve": "same as Ben"}


def test_the_page_stands_alone_with_its_files(described, tmp_path):
    page = write_description(described, study(), STAPLE(), tmp_path / "out")
    text = page.read_text(encoding="utf-8")
    assert "http" not in text.replace("http-equiv", "")
    for words in ("In short", "Dan stands apart", "Who agrees with whom", "Files to look at", "What is missing", "Case c"):
        assert words in text
    assert text.count("<img") == 5
    assert text.count("data:image/png;base64") == 5
    assert len(pd.read_csv(tmp_path / "out" / "pairs.csv")) == 12 * 10 - 4
    assert len(pd.read_csv(tmp_path / "out" / "ratings.csv")) == 59
    assert set(pd.read_csv(tmp_path / "out" / "suspicious.csv")["what"]) == {"identical", "empty", "touches nobody"}
    assert {f.stem for f in (tmp_path / "out" / "figures").glob("*.png")} >= {"pairs", "against", "contested-1"}
    for file in text.split('<li><a href="')[1:]:
        assert (tmp_path / "out" / file.partition('"')[0]).is_file()


def test_side_by_side_says_the_same_as_one_by_one(described):
    other = describe_data(study(), STAPLE(), jobs=2)
    for name in ("pairs", "ratings", "cases", "suspects"):
        pd.testing.assert_frame_equal(getattr(described, name), getattr(other, name), check_exact=True)
    assert (described.coefficients, described.intervals) == (other.coefficients, other.intervals)


def test_few_cases_and_other_consensus():
    found = describe_data(study(4), MajorityVote(), cases=2)
    assert found.cases["case"].tolist() == ["c0", "c3"]
    assert found.consensus == "majority-vote"
    assert "Only 2 of 4 cases" in " ".join(warnings(found))


@pytest.mark.parametrize("n_raters", [1, 2])
def test_few_raters_are_no_reason_to_fail(tmp_path, n_raters):
    whole = study(3)
    cases = [
        Case(c.id, c.subject, c.centre, c.image, dict(list(c.ratings.items())[:n_raters]), c.geometry) for c in whole.cases
    ]
    data = CaseList("few", cases, whole.classes)
    if n_raters == 1:
        with pytest.raises(ValueError, match="no case of few has two raters"):
            describe_data(data, STAPLE())
        return
    found = describe_data(data, STAPLE())
    assert "fewer than three raters" in " ".join(findings(found))
    assert write_description(found, data, STAPLE(), tmp_path).is_file()


def test_nothing_marked_anywhere_is_described(tmp_path):
    ratings = {r: np.zeros((6, 6), np.uint8) for r in "abc"}
    data = CaseList(
        "void", [Case("c", "s", "x", np.zeros((1, 6, 6), np.float32), ratings, Geometry.axis_aligned(2))], ("no", "yes")
    )
    found = describe_data(data, STAPLE())
    assert np.isnan(found.coefficients["kappa"])
    assert "only one class was ever marked" in headline(found)
    assert write_description(found, data, STAPLE(), tmp_path).is_file()


def test_several_classes_are_averaged_and_listed(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (10, 10))
    noisy = {r: np.where(rng.random((10, 10)) < 0.2, rng.integers(0, 3, (10, 10)), truth).astype(np.uint8) for r in "abc"}
    cases = [Case(f"c{k}", f"s{k}", "x", np.zeros((0, 10, 10), np.float32), noisy, Geometry.axis_aligned(2)) for k in range(2)]
    data = CaseList("three", cases, ("background", "first", "second"))
    found = describe_data(data, STAPLE())
    assert set(found.pairs["class"]) == {"first", "second"}
    assert "Dice of two raters, second" in describe_tables(found)[0].markdown()
    write_description(found, data, STAPLE(), tmp_path)


def test_the_figure_shows_the_slice_with_most_disagreement():
    case = study(1, planes=3)[0]
    with style.house_style():
        figure = disagreement_figure(case, MajorityVote().fuse(case.ratings, 2).labels, ("background", "disc"))
    assert "slice 2 of 3" in figure.get_suptitle().replace("\n", " ")
    assert len(figure.axes) == 2
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["1 of 5 differs", "2 of 5 differ", "consensus"]
    assert figure.axes[0].get_aspect() == 2.0


@pytest.mark.parametrize("labels", [np.zeros((5, 6), np.uint8), np.ones((5, 6), np.uint8), np.full((5, 6), IGNORE, np.uint8)])
def test_the_figure_of_raters_who_agree_stands_alone(labels):
    case = Case("c", "s", "x", np.zeros((0, 5, 6), np.float32), {"a": labels, "b": labels}, Geometry.axis_aligned(2))
    with style.house_style():
        figure = disagreement_figure(case, labels, ("background", "disc"))
        figure.draw_without_rendering()
    assert "disagree on none" in figure.get_suptitle().replace("\n", " ")
    assert len(figure.axes) == 1


def test_many_raters_are_shown_in_per_cent():
    rng = np.random.default_rng(0)
    ratings = {f"r{k}": (rng.random((8, 8)) < 0.5).astype(np.uint8) for k in range(20)}
    case = Case("c", "s", "x", np.zeros((0, 8, 8), np.float32), ratings, Geometry.axis_aligned(2))
    with style.house_style():
        figure = disagreement_figure(case, MajorityVote().fuse(ratings, 2).labels, ("background", "disc"))
    assert figure.legends[0].get_texts()[0].get_text() == "up to 10 % differ"


@pytest.mark.parametrize(("name", "outlying", "copies"), [("deepflash", ["expert_1"], 0), ("bubil", [], 1)])
def test_the_real_raters_are_seen_through(name, outlying, copies):
    import os

    data = os.environ.get("RATERBENCH_DATA")
    if not data or not Path(data).is_dir():
        pytest.skip("RATERBENCH_DATA names no folder with downloaded data")
    found = describe_data(find_data(name, data), STAPLE(), cases=6)
    assert found.outlying_raters == outlying
    assert [(p.rater, p.other) for p in found.duplicates()] == [("Person2_Amira", "Person2_ImageJ")] * copies
