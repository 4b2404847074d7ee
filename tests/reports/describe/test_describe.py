from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raterbench.benchmark.labels.describe import describe_data, find_data
from raterbench.datasets import IGNORE, Case, CaseList, Geometry
from raterbench.methods import STAPLE, MajorityVote
from raterbench.reports.describe.page import write_description
from raterbench.reports.describe.tables import describe_tables, pair_matrix, rater_means, raters_table
from raterbench.reports.describe.words import findings, headline, warnings
from raterbench.reports.figures import style
from raterbench.reports.figures.disagreement import disagreement_figure

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
    assert "Dan is an outlier: Dice 0." in said
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
    logs = [np.log(ratings["Dan"].sum() / m.sum()) for m in others.values()]
    assert row["volume_bias"] == pytest.approx(np.exp(np.mean(logs)) - 1)
    matrix = pair_matrix(described)
    assert matrix.loc["Ben", "Eve"] == 1
    assert np.allclose(matrix, matrix.T, equal_nan=True)
    notes = {row[0].text: row[7].text for row in raters_table(described).rows}
    assert notes == {"Ada": "", "Ben": "same as Eve", "Cleo": "", "Dan": "outlying", "Eve": "same as Ben"}


def test_the_page_stands_alone_with_its_files(described, tmp_path):
    page = write_description(described, study(), STAPLE(), tmp_path / "out")
    text = page.read_text(encoding="utf-8")
    assert "http" not in text.replace("http-equiv", "")
    for words in ("In short", "Dan is an outlier", "Who agrees with whom", "Files to look at", "What is missing", "Case c"):
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
def test_few_raters_are_no_reason_to_fail(tmp_path, n_raters, figures_unsaved):
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


def test_nothing_marked_anywhere_is_described(tmp_path, figures_unsaved):
    ratings = {r: np.zeros((6, 6), np.uint8) for r in "abc"}
    data = CaseList(
        "void", [Case("c", "s", "x", np.zeros((1, 6, 6), np.float32), ratings, Geometry.axis_aligned(2))], ("no", "yes")
    )
    found = describe_data(data, STAPLE())
    assert np.isnan(found.coefficients["kappa"])
    assert headline(found).startswith("No rater marked anything, so there is no overlap to measure; only one class")
    assert write_description(found, data, STAPLE(), tmp_path).is_file()


def square(at: int, label: int = 1, side: int = 64) -> np.ndarray:
    mask = np.zeros((side, side), np.uint8)
    mask[10:30, at : at + 20] = label
    return mask


def listed(cases: list[dict[str, np.ndarray]], classes: tuple[str, ...]) -> CaseList:
    shape = next(iter(cases[0].values())).shape
    void = np.zeros((0, *shape), np.float32)
    made = [Case(f"c{i}", f"s{i}", "x", void, masks, Geometry.axis_aligned(len(shape))) for i, masks in enumerate(cases)]
    return CaseList("listed", made, classes)


def test_a_class_that_neither_marked_is_no_agreement(tmp_path, figures_unsaved):
    """Ten cases, two classes, one object of each in all: the two raters half agree on both."""
    nothing = np.zeros((64, 64), np.uint8)
    cases = [{"a": square(10), "b": square(20)}, {"a": square(10, 2), "b": square(20, 2)}]
    cases += [{"a": nothing, "b": nothing}] * 8
    data = listed(cases, ("background", "first", "second"))
    found = describe_data(data, STAPLE())
    assert found.coefficients["dice"] == pytest.approx(0.5)
    assert found.coefficients["dice_empty_as_1"] == pytest.approx((2 * 0.75 + 8) / 10)
    assert found.compared == (18, 20)
    assert headline(found).startswith("Two raters overlap with a Dice of 0.50 on average; Fleiss’ kappa is 0.49")
    assert "In 18 of 20 comparisons neither rater marked the class" in headline(found)
    assert headline(found).endswith("counted as 1, they would make it 0.95.")
    text = describe_tables(found)[0].markdown()
    assert "Dice of two raters, first (1 case)" in text
    assert "18 of 20 comparisons (two raters, a case, a class) are left out" in text
    assert found.intervals["dice"] != found.intervals["dice_empty_as_1"]
    matrix = pair_matrix(found)
    assert matrix.loc["a", "b"] == pytest.approx(0.5)
    write_description(found, data, STAPLE(), tmp_path)
    pairs = pd.read_csv(tmp_path / "pairs.csv")
    assert pairs["dice"].count() == 2
    assert pairs["dice_empty_as_1"].count() == 20
    plain = pd.read_csv(tmp_path / "tables" / "agreement.csv").set_index("coefficient")
    assert plain.loc["left out", ["value", "of"]].tolist() == [18, 20]
    assert len(list((tmp_path / "figures").glob("contested-*.png"))) == 2


def test_a_class_that_is_marked_everywhere_says_nothing_of_empty_masks():
    found = describe_data(listed([{"a": square(10), "b": square(20)}] * 3, ("background", "thing")), STAPLE())
    assert found.compared == (0, 3)
    assert "neither" not in headline(found) + describe_tables(found)[0].markdown()


def test_who_marks_something_where_all_others_mark_nothing_is_still_far_off():
    nothing = np.zeros((64, 64), np.uint8)
    cases = [{r: square(10 + i) for i, r in enumerate("abcd")} for _ in range(6)]
    cases.append({"a": nothing, "b": nothing, "c": nothing, "d": square(10)})
    cases.append(dict.fromkeys("abcd", nothing))
    found = describe_data(listed(cases, ("background", "thing")), MajorityVote())
    assert [(r.case, r.rater) for r in found.outlying_ratings()] == [("c6", "d")]
    assert found.ratings.query("case == 'c7'")["dice"].isna().all()


@pytest.mark.parametrize("fusion", [STAPLE(), MajorityVote(), MajorityVote(ties="highest")])
@pytest.mark.parametrize("n_raters", [2, 3, 4, 5, 13])
def test_raters_of_one_size_have_no_volume_bias_whatever_the_consensus(n_raters, fusion):
    rng = np.random.default_rng(n_raters)
    y, x = np.mgrid[:64, :64]
    cases = []
    for _ in range(8):
        shifts = rng.normal(0, 2, (n_raters, 2))
        masks = [((y - 32 - dy) ** 2 + (x - 32 - dx) ** 2 < 15**2).astype(np.uint8) for dy, dx in shifts]
        masks[0] = ((y - 32) ** 2 + (x - 32) ** 2 < 1.2 * 15**2).astype(np.uint8)
        cases.append({f"r{r:02d}": mask for r, mask in enumerate(masks)})
    table = rater_means(describe_data(listed(cases, ("background", "disc")), fusion))
    assert table["volume_bias"].iloc[0] == pytest.approx(0.2, abs=0.01)
    others = (1 / 1.2) ** (1 / (n_raters - 1)) - 1
    assert table["volume_bias"].iloc[1:].to_numpy() == pytest.approx(others, abs=0.01)


def test_a_consensus_of_another_size_than_its_raters_is_warned_of():
    """The consensus of two others is their intersection: every rater looks too sensitive."""
    rng = np.random.default_rng(0)
    cases = [{r: disc(64, 15, rng.normal(0, 3)) for r in "abc"} for _ in range(8)]
    said = " ".join(warnings(describe_data(listed(cases, ("background", "disc")), MajorityVote())))
    assert "% smaller than what a rater marks on average, so that all sensitivities are too high and all specif" in said
    said = " ".join(warnings(describe_data(listed(cases, ("background", "disc")), MajorityVote(ties="highest"))))
    assert "% larger than what a rater marks on average, so that all sensitivities are too low and all specif" in said
    alike = [dict.fromkeys("abc", disc(64, 15))] * 8
    assert "consensus" not in " ".join(warnings(describe_data(listed(alike, ("background", "disc")), STAPLE()))[1:])


def test_several_classes_are_averaged_and_listed(tmp_path, figures_unsaved):
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


@pytest.mark.parametrize("thin", [0, 1, 2])
def test_the_figure_of_one_slice_shows_it_wherever_its_axis_lies(thin):
    masks = {r: np.expand_dims(disc(48, radius), thin) for r, radius in (("a", 10), ("b", 14))}
    spacing = [2.0, 1.0]
    spacing.insert(thin, 7.0)
    shape = masks["a"].shape
    case = Case("c", "s", "x", np.zeros((1, *shape), np.float32), masks, Geometry.axis_aligned(3, spacing))
    with style.house_style():
        figure = disagreement_figure(case, masks["a"], ("background", "disc"))
    assert "slice 1 of 1" in figure.get_suptitle().replace("\n", " ")
    assert figure.axes[0].get_aspect() == 2.0
    assert min(figure.axes[1].images[0].get_array().shape[:2]) > 30


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
