"""One rater or one case that looks like two, and two that look like one."""

from pathlib import Path

import pytest

from raterbench.datasets import RaterbenchError
from raterbench.datasets.layout.folder_layout import RatedFiles
from raterbench.datasets.layout.rater_layout import (
    check_files_apart,
    check_raters_meet,
    files_of_one_rater,
    layout_questions,
    spelt_twice,
)


def rated(**cases_by_rater):
    """Each case and its raters, from each rater and the cases."""
    cases = {}
    for rater, names in cases_by_rater.items():
        for name in names.split():
            cases.setdefault(name, []).append(rater)
    return cases


@pytest.mark.parametrize(
    ("cases", "words"),
    [
        (rated(anna="C1 C2", ben="c1 c2"), "'C1' and 'c1' differ only in spelling"),
        (rated(anna="case1", ben="case_01"), "'case1' and 'case_01' differ only in spelling"),
        (rated(anna="c1 c2"), "anna is the only rater"),
        (rated(anna="liver", ben="spleen"), "ratings/<rater>/<case>"),
    ],
)
def test_cases_of_one_rater_each_are_refused_with_the_likely_cause(cases, words):
    with pytest.raises(RaterbenchError) as error:
        check_raters_meet(cases, "mydata")
    said = str(error.value)
    assert "no case of mydata has two raters" in said
    assert f"{len(cases)} of {len(cases)} have one" in said
    assert words in said


def files_of(cases):
    """The files of the usual layout for each case and its raters."""
    return [RatedFiles(case, {r: Path(f"d/ratings/{r}/{case}.png") for r in who}) for case, who in cases.items()]


@pytest.mark.parametrize(
    ("cases", "mend"),
    [
        (rated(anna="c1_anna c2_anna", ben="c1_ben c2_ben"), "{rater}/{case}_{rater}"),
        (rated(anna="case1-seg1 case2-seg1", ben="case1-seg2 case2-seg2"), "{rater}/{case}-*"),
        (rated(Anna="anna.c1 anna.c2", Ben="ben.c1 ben.c2"), "{rater}/{rater}.{case}"),
        (rated(case1="rater1 rater2 rater3", case2="rater1 rater2 rater3"), "{case}/{rater}"),
        (rated(case01="task01_seg01 task01_seg02", case02="task01_seg01 task01_seg02"), "{case}/{rater}"),
        (rated(img_1="anna ben", img_2="anna ben"), "{case}/{rater}"),
        (rated(all="c1_anna c1_ben c2_anna c2_ben", rest="c3_anna c3_ben"), "*/{case}_{rater}"),
    ],
)
def test_a_wrong_layout_is_refused_with_the_line_that_mends_it(cases, mend):
    with pytest.raises(RaterbenchError) as error:
        check_raters_meet(cases, "mydata", files_of(cases))
    assert f'write under [layout] in dataset.toml: ratings = "ratings/{mend}"' in str(error.value)


@pytest.mark.parametrize(
    "cases",
    [
        rated(rater1="case1 case2", rater2="case1 case2"),
        rated(anna="1 2", ben="1 2"),
        rated(anna="1", ben="1 2"),
        # Anonymous raters by number, whose cases are called after what was segmented.
        {"seg01": ["1", "2"], "seg02": ["1", "2"]},
        rated(expert_1="scan_7", expert_2="scan_7"),
        rated(scan1="scan_1 scan_2", scan2="scan_1"),
    ],
)
def test_usual_layouts_are_not_refused(cases):
    check_raters_meet(cases, "mydata", files_of(cases))


def test_names_that_may_be_one_and_lone_ratings_are_counted():
    cases = {"c1": ["Anna", "ben"], "c01": ["anna"], "c3": ["ben"], "c4": ["Anna", "ben"]}
    assert layout_questions(cases) == (
        "raters: 'Anna' and 'anna' differ only in spelling: if they are one, call them alike",
        "cases: 'c1' and 'c01' differ only in spelling: if they are one, call them alike",
        "2 of 4 cases have one rater, whose mask is no consensus: c01, c3",
    )
    assert len(layout_questions(cases, count=False)) == 2
    assert spelt_twice(["1_2", "12", "a1", "a2", "a", "b"]) == []
    assert spelt_twice(["anna ", "anna", "Zoe\u0308", "Zo\u00eb"]) != []


def test_two_names_of_one_file_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "c.png").touch()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(RaterbenchError, match=r"case 'c': .*b/c\.png and .*a/c\.png are the same file"):
        check_files_apart({"a": tmp_path / "a" / "c.png", "b": tmp_path / "b" / "c.png"}, "c")


def test_files_in_the_folder_of_one_rater_are_cases():
    said = files_of_one_rater([Path(f"data/ratings/anna/c{k}.png") for k in range(6)])
    assert "all 6 files lie in ratings/anna, where each file is a case" in str(said)
    assert files_of_one_rater([Path(f"data/ratings/{r}/c1.png") for r in ("anna", "ben")]) is None
    assert files_of_one_rater([Path("data/anna.png"), Path("data/ben.png")]) is None
