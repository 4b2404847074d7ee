"""What a tired person types: each mistake gets one sentence that says what is wrong, where, and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from raterbench import __version__
from raterbench.__main__ import main
from raterbench.paths import nearby_layout


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the data sets ``good`` and ``up/inner``, from which commands are given; home is beside it."""
    mask = np.zeros((12, 12), np.uint8)
    mask[3:8, 4:9] = 255
    for root in ("here/good", "here/up/inner", "home/data"):
        for folder in ("images", "ratings/anna", "ratings/ben"):
            (tmp_path / root / folder).mkdir(parents=True)
            for case in ("c0", "c1"):
                Image.fromarray(mask).save(tmp_path / root / folder / f"{case}.png")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


RATINGS = ("good/ratings/anna/c0.png", "good/ratings/ben/c0.png")
MISTAKES = [
    (["run", "quick", "--dataset", "good"], "'good' is no data set by name: for a folder of your own write folder:good"),
    (["run", "quick", "--dataset", "folder:up"], "up/images is missing", "did you mean 'up/inner'?"),
    (["run", "quick", "--dataset", "folder:good/ratings"], "good/ratings/images is missing", "did you mean 'good'?"),
    (["run", "quick", "--dataset", "folder:good/ratings/anna"], "did you mean 'good'?"),
    (["run", "quick", "--dataset", "folder:good/images"], "did you mean 'good'?"),
    (["run", "good"], "nor a TOML file but a folder", "such as quick", "folder:good"),
    (["run", "folder:good"], "'folder:good' is neither", "name the folder as its data set, folder:good"),
    (["describe", "up"], "up/ratings is missing", "did you mean 'up/inner'?"),
    (["describe", "good/images"], "did you mean 'good'?"),
    (["describe", "~/nothing"], "home/nothing is no folder"),
    (["describe", "folder:~/nothing"], "home/nothing is no folder"),
    (["fuse", "good", "-o", "out"], "the fusion's name comes first, then what is fused: raterbench fuse staple good"),
    (["fuse", *RATINGS, "-o", "out.png"], f"raterbench fuse staple {RATINGS[0]} {RATINGS[1]}"),
    (["fuse", "a.nii", "b.nii", "-o", "out.nii"], "raterbench fuse staple a.nii b.nii"),
    (["fuse", "staple", "good", "-o", "out.png"], "out.png is called as a file is", "give a folder, such as out"),
    (["fuse", "staple", "good", "-o", "out", "--figure", "f.pdf"], "f.pdf is called as a file is", "such as f"),
    (["fuse", "staple", "up", "-o", "out"], "did you mean 'up/inner'?"),
    (["fuse", "stapel", "good", "-o", "out"], "did you mean 'staple'?"),
]


@pytest.mark.parametrize(("arguments", "says"), [(first, rest) for first, *rest in MISTAKES], ids=lambda v: " ".join(v)[:40])
def test_a_mistake_gets_a_sentence_with_the_mend(
    arguments: list[str], says: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path().rglob("*"))
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and len(shown.err.splitlines()) == 1
    assert all(words in shown.err for words in says), shown.err
    assert sorted(Path().rglob("*")) == before


TYPOS = [
    (["rnu", "quick"], "there is no 'rnu'; did you mean 'run'?"),
    (["list", "method"], "there is no 'method'; did you mean 'methods'?"),
    (["run", "quick", "--datset", "good"], "raterbench run: error: there is no '--datset'; did you mean '--dataset'?"),
    (["run", "quick", "--epochs", "3"], "what is a setting or a parameter is given as --set budget.epochs=VALUE"),
    (["run", "quick", "folder:good"], "'folder:good' is one argument too many; a data set is given as --dataset folder:good"),
    (["fuse", "staple", "good", "--ties", "lowest"], "there is no '--ties'; what is a setting or a parameter is given as --set "
     "ties=VALUE"),
    (["fuse", "staple", "good", "-o", "out", "--bad\x1b[2J"], r"--bad\x1b[2J"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "says"), TYPOS, ids=lambda v: " ".join(v)[:30] if isinstance(v, list) else "")
def test_what_no_command_has_is_named_with_what_is_like_it(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert says in shown.splitlines()[-1] and "\x1b" not in shown


def test_the_version_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"raterbench {__version__}\n"


def test_home_is_spelt_out_in_every_path(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["fuse", "majority-vote", "~/data", "-o", "~/out", "--raters=~/raters.csv", "--jobs", "1"]) == 0
    assert {"c0.png", "c1.png"} <= {file.name for file in (tmp_path / "home" / "out").iterdir()}
    assert (tmp_path / "home" / "raters.csv").is_file() and not Path("~").exists()
    for arguments in (
        ["run", "~/no.toml"],
        ["report", "~/no"],
        ["check", "~/no.py"],
        ["list", "methods", "--plugin", "~/no.py"],
    ):
        assert main(arguments) == 2
        assert f"{tmp_path}/home/no" in capsys.readouterr().err


def test_a_folder_called_as_a_fusion_is_a_folder(tmp_path: Path) -> None:
    shutil.copytree("good", "STAPLE")
    assert main(["fuse", "STAPLE", "STAPLE", "-o", "out", "--jobs", "1"]) == 0


def test_a_folder_that_is_close_is_named_as_the_user_would_write_it(tmp_path: Path) -> None:
    assert nearby_layout(Path("up")) == "; did you mean 'up/inner'?"
    assert nearby_layout(tmp_path / "here" / "up") == f"; did you mean '{tmp_path}/here/up/inner'?"
    assert nearby_layout(Path("good/ratings/anna")) == "; did you mean 'good'?"
    (tmp_path / "here" / "alone").mkdir()
    assert nearby_layout(tmp_path / "home") == f"; did you mean '{tmp_path}/home/data'?"
    assert nearby_layout(Path("alone")) == ""
