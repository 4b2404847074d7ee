"""What ``fuse``, ``describe`` and ``run`` say of files that are hardly what they are taken for."""

import json
from pathlib import Path

import numpy as np
import pytest

from raterbench.__main__ import main
from raterbench.datasets import Geometry, RatingFolder
from raterbench.datasets.images import read_labels, write_labels

pytestmark = pytest.mark.usefixtures("figures_undrawn")

Y, X = np.mgrid[:64, :64]


def disc(radius=12, y=32, x=32):
    return ((Y - y) ** 2 + (X - x) ** 2 < radius**2) * np.uint8(255)


def put(file, mask) -> str:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    write_labels(file, mask.astype(np.uint8), Geometry.axis_aligned(2))
    return str(file)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def dataset(change=lambda mask, rater, case: mask, cases=6) -> None:
    """Discs of three raters as a folder ``data`` with images, each changed."""
    for case in range(cases):
        put(f"data/images/{case}.png", X + Y)
        for rater in range(3):
            put(f"data/ratings/{'abc'[rater]}/{case}.png", change(disc(11 + rater, 30 + case), rater, case))


def said_by(capsys, *arguments) -> tuple[int, str]:
    code = main([*arguments])
    said = capsys.readouterr()
    return code, said.out + said.err


COMMANDS = {
    "fuse": ("fuse", "majority-vote", "data", "-o", "out", "--jobs", "1"),
    "describe": ("describe", "data", "-o", "page", "--jobs", "1"),
    "dry run": ("run", "smoke", "--dataset", "folder:data", "--dry-run"),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_inverted_masks_are_asked_about_by_every_command(here, capsys, command):
    dataset(lambda mask, *_: 255 - mask)
    code, said = said_by(capsys, *command)
    assert code == 0
    assert "Please check: 'foreground' fills most of the image" in said
    Path("data/dataset.toml").write_text("darker = true\n")
    if command[0] == "describe":
        assert "are the masks inverted?" in Path("page/describe.html").read_text()
        assert RatingFolder("data").questions == ()
        return
    code, said = said_by(capsys, *command)
    assert (code, "inverted" in said) == (0, False)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_grey_image_among_the_ratings_is_refused_by_every_command(here, capsys, command):
    dataset(lambda mask, rater, case: X * 3 + Y if (rater, case) == (1, 2) else mask)
    code, said = said_by(capsys, *command)
    assert code == 2
    assert f"data/ratings/b/2.png has {len(np.unique(X * 3 + Y))} different values" in said
    assert "threshold = 126" in said
    assert not any(Path(place).exists() for place in ("out", "page", "results"))


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_threshold_for_smooth_masks_holds_for_every_command(here, capsys, command):
    def blurred(mask, *_):
        return sum(np.roll(mask.astype(int), (dy, dx), (0, 1)) for dy in range(3) for dx in range(3)) // 9

    dataset(blurred)
    code, said = said_by(capsys, *command)
    assert code == 2
    assert "smooth edges" in said
    Path("data/dataset.toml").write_text("threshold = 128\n")
    if command[0] == "describe":
        assert RatingFolder("data").classes == ("background", "foreground")
    else:
        assert said_by(capsys, *command)[0] == 0


def test_a_run_keeps_its_questions_for_the_report(here):
    from raterbench.benchmark.experiment.experiment import read_experiment
    from raterbench.benchmark.runner.plan import make_plan
    from raterbench.benchmark.runner.run import write_plan

    dataset(lambda mask, *_: 255 - mask)
    plan = make_plan(read_experiment("smoke", (), "folder:data"), here / "results")
    write_plan(plan)
    stored = json.loads((here / "results" / "experiment.json").read_text())
    assert "are the masks inverted?" in stored["facts"]["questions"][0]


def test_files_are_binarised_and_written_as_masks(here, capsys):
    files = [put(f"{name}.png", np.where(disc(r) > 0, 40, 210) + (X + Y) % 2) for name, r in (("a", 12), ("b", 13), ("c", 14))]
    assert main(["fuse", "majority-vote", *files, "-o", "out.png", "--threshold", "128", "--darker"]) == 0
    assert np.array_equal(read_labels("out.png").pixels, disc(13))
    assert main(["fuse", "majority-vote", *files, "-o", "out.png", "--darker"]) == 0
    assert np.array_equal(read_labels("out.png").pixels, disc(13))
    assert "background = 0, foreground = 255" in capsys.readouterr().out
    assert main(["fuse", "majority-vote", *files, "-o", "out.png", "--classes", "x=0,y=1,z=2", "--threshold", "9"]) == 2
    assert "a threshold makes two classes, but 3 are declared" in capsys.readouterr().err


def test_many_declared_classes_are_fused_and_undeclared_ones_refused(here, capsys):
    files = [put(f"{name}.png", (Y // 8 * 8 + X // 8 + k) % 64) for k, name in enumerate("aab")][1:]
    assert main(["fuse", "majority-vote", *files, "-o", "out.png"]) == 2
    assert "64 different values from 0 to 63" in capsys.readouterr().err
    assert main(["fuse", "majority-vote", *files, "-o", "out.png", "--classes", "0-63"]) == 0
    assert "do not mean the same by a value" in capsys.readouterr().out


def test_a_consensus_of_two_raters_says_what_it_is(here, capsys):
    files = [put("a.png", disc(10)), put("b.png", disc(15))]
    tied = int((disc(15) != disc(10)).sum())
    for fusion, rule, like, other in (
        ("majority-vote", "lowest", "intersection", "union"),
        ("majority-vote", "foreground", "union", "intersection"),
    ):
        assert main(["fuse", fusion, *files, "-o", "out.png", "--set", f"ties={rule}"]) == 0
        said = capsys.readouterr().out
        assert f"ties in {tied} voxels, decided by ties={rule}" in said
        assert f"the consensus of the two raters is their {like}: where they disagree" in said
        assert f"use {other} for the opposite, or soft-average" in said
    assert main(["fuse", "majority-vote", *files, put("c.png", disc(12)), "-o", "out.png"]) == 0
    assert "ties in" not in capsys.readouterr().out
    assert main(["fuse", "intersection", *files, "-o", "out.png"]) == 0
    assert "their intersection" not in capsys.readouterr().out


def test_what_is_not_identified_is_a_sentence():
    import pandas as pd

    from raterbench.benchmark.labels.fuse import FuseResult
    from raterbench.datasets.label_files.rating_files import label_code
    from raterbench.datasets.label_files.value_counts import look_at_case
    from raterbench.reports.describe.fused import fused_lines

    code = label_code([look_at_case("c", {"a": Path("a")}, {"a": disc()})])
    facts = {"case": "c", "status": "not identified", "iterations": 3, "region": "image", "undecided": 0}
    facts |= {"tied": 0, "ties": "lowest", "like": ""}
    lines = fused_lines(FuseResult(pd.DataFrame({"rater": ["a", "b"]}), pd.DataFrame([facts]), code), "staple")
    assert any(line.startswith("not identified in 1 case (c): other estimates of the raters explain") for line in lines)


def test_cases_given_as_raters_are_named_or_refused(here, capsys):
    overlapping = [put(f"data/ratings/anna/c{k}.png", disc(12, 30 + k)) for k in range(3)]
    assert main(["fuse", "majority-vote", *overlapping, "-o", "out.png"]) == 0
    assert "Please check: all 3 files lie in ratings/anna, where each file is a case" in capsys.readouterr().out
    apart = [put(f"data/ratings/anna/c{k}.png", disc(5, 10 + 20 * k)) for k in range(3)]
    assert main(["fuse", "majority-vote", *apart, "-o", "new.png"]) == 2
    assert "their masks hardly overlap" in capsys.readouterr().err
    elsewhere = [put(f"c{k}.png", disc(5, 10 + 20 * k)) for k in range(3)]
    assert main(["fuse", "majority-vote", *elsewhere, "-o", "new.png"]) == 0
    assert "hardly overlap (mean Dice 0.00)" in capsys.readouterr().out


def test_a_copy_under_another_name_is_named(here, capsys):
    files = [put("a.png", disc(10)), put("b.png", disc(10)), put("c.png", disc(15))]
    assert main(["fuse", "majority-vote", *files, "-o", "out.png"]) == 0
    assert "Please check: a and b have identical masks in their only common case" in capsys.readouterr().out


def test_cases_with_one_rater_are_counted(here, capsys):
    dataset()
    for rater in "ab":
        Path(f"data/ratings/{rater}/3.png").unlink()
    code, said = said_by(capsys, *COMMANDS["fuse"])
    assert code == 0
    assert "1 of 6 cases have one rater" in said
    assert "1 of 6 cases have one rater" in RatingFolder("data").questions[0]
