"""``raterbench fuse`` and ``raterbench describe`` as a user meets them."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from raterbench.__main__ import main
from raterbench.benchmark.store.own_files import LIST
from raterbench.datasets import Geometry
from raterbench.datasets.images import read_labels, write_labels

SPACED = Geometry((2.0, 0.5, 0.5), (1.0, 2.0, 3.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))


def _made(file: str) -> str:
    """A file's path, after its folder was made."""
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    return file


def volume(shift: int, kind=np.uint8) -> np.ndarray:
    labels = np.zeros((4, 12, 12), kind)
    labels[1:3, 3 + shift : 9, 3:9] = 255
    return labels


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A working directory with three volumes, and things that are wrong."""
    monkeypatch.chdir(tmp_path)
    for k, name in enumerate("abc"):
        write_labels(f"{name}.nii.gz", volume(k), SPACED)
    write_labels("small.nii.gz", volume(0)[:, :6], SPACED)
    write_labels("moved.nii.gz", volume(0), Geometry(SPACED.spacing, (1.0, 2.0, 9.0), SPACED.direction))
    write_labels("coarse.nii.gz", volume(0), Geometry((2.5, 0.5, 0.5), SPACED.origin, SPACED.direction))
    write_labels("real.nii.gz", volume(0, np.float32) / 2, SPACED)
    write_labels("image.nii.gz", np.arange(576, dtype=np.int16).reshape(4, 12, 12), SPACED)
    Path("text.nii.gz").write_text("no image")
    Path("notes.txt").write_text("no image")
    Path("empty").mkdir()
    return tmp_path


def fuse(*arguments) -> int:
    return main(["fuse", "staple", *map(str, arguments), "--jobs", "1"])


GOOD = ("a.nii.gz", "b.nii.gz", "c.nii.gz")


def test_files_in_a_consensus_out(here, capsys):
    more = ("--probability", "p.nii.gz", "--raters", "r.csv", "--figure", "d.png", "--image", "image.nii.gz")
    assert fuse(*GOOD, "-o", "new/consensus.nii.gz", *more) == 0
    said = capsys.readouterr().out
    assert "staple: 1 case, 3 raters; background = 0, foreground = 255" in said
    assert "written: new/consensus.nii.gz, p.nii.gz, d.png, r.csv" in said
    assert set(np.unique(read_labels("new/consensus.nii.gz").pixels)) == {0, 255}
    assert Path("r.csv").read_text().startswith("case,rater,class,label,sensitivity,specificity,dice")
    assert Path("d.png").read_bytes().startswith(b"\x89PNG")
    assert not list(here.rglob(".*"))


def test_a_folder_in_a_folder_out(here, capsys):
    for rater in "abc":
        Path(f"data/ratings/{rater}").mkdir(parents=True)
        for case in ("one", "two"):
            Path(f"data/ratings/{rater}/{case}.nii.gz").write_bytes(Path(f"{rater}.nii.gz").read_bytes())
    assert main(["fuse", "majority-vote", "data", "-o", "out", "--figure", "figures", "--jobs", "1"]) == 0
    assert "2 cases, 3 raters" in capsys.readouterr().out
    assert {f.name for f in Path("out").iterdir()} == {LIST, "one.nii.gz", "raters.csv", "two.nii.gz"}
    assert {f.name for f in Path("figures").iterdir()} == {LIST, "one.png", "two.png"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no rating to fuse"),
        (("a.nii.gz", "small.nii.gz"), "a.nii.gz and small.nii.gz differ in size: (4, 12, 12) against (4, 6, 12)"),
        (("a.nii.gz", "moved.nii.gz"), "a.nii.gz and moved.nii.gz differ in origin: (1, 2, 3) against (1, 2, 9)"),
        (("a.nii.gz", "coarse.nii.gz"), "a.nii.gz and coarse.nii.gz differ in spacing: (2, 0.5, 0.5) against (2.5, 0.5, 0.5)"),
        (("a.nii.gz", "real.nii.gz"), "real.nii.gz has labels that are no whole numbers: 127.5"),
        (("a.nii.gz", "text.nii.gz"), "text.nii.gz cannot be read"),
        (("a.nii.gz", "notes.txt"), "notes.txt is no image that can be read"),
        (("a.nii.gz", "gone.nii.gz"), "gone.nii.gz is not there"),
        (("a.nii.gz", "a.nii.gz"), "a.nii.gz is given twice"),
        (("a.nii.gz", "empty"), "empty is a folder"),
        (("empty",), "empty/ratings is missing"),
        ((*GOOD, "--image", "small.nii.gz"), "differ in size"),
        ((*GOOD, "--classes", "0,1"), "a.nii.gz has the value 255 in"),
        ((*GOOD, "--set", "ties=never"), "ties = 'never' must be 'lowest' or 'highest'"),
        ((*GOOD, "--set", "ties"), "has no '='"),
        ((*GOOD, "--probability", "p.png"), "p.png has an ending that a probability cannot have"),
        ((*GOOD, "--probability", "out.nii.gz"), "out.nii.gz is asked for twice"),
        ((*GOOD, "--raters", "r.txt"), "r.txt has an ending"),
        ((*GOOD, "--figure", "f.doc"), "f.doc has an ending"),
        ((*GOOD, "--raters", "b.nii.gz"), "b.nii.gz has an ending"),
        ((*GOOD, "--probability", "b.nii.gz"), "b.nii.gz is one of the inputs"),
        ((*GOOD, "--figure", "notes.txt/f.png"), "notes.txt is no folder that can be written to"),
    ],
    ids=str,
)
def test_bad_input_is_one_sentence_status_2_and_no_output(here, capsys, arguments, words):
    before = {f: f.read_bytes() for f in here.rglob("*") if f.is_file()}
    assert fuse(*arguments, "-o", "out.nii.gz") == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.startswith("raterbench: ")
    assert len(said.err.strip().splitlines()) == 1
    assert said.out == ""
    assert {f: f.read_bytes() for f in here.rglob("*") if f.is_file()} == before


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("a.nii.gz", "a.nii.gz is one of the inputs"),
        ("./empty/../a.nii.gz", "is one of the inputs"),
        ("out.xyz", "out.xyz has an ending that a consensus cannot have"),
        ("out.jpg", "out.jpg has an ending"),
        ("out.png", "a PNG holds no volume"),
        ("empty", "empty has an ending"),
    ],
)
def test_outputs_that_cannot_be_are_refused(here, capsys, out, words):
    before = Path("a.nii.gz").read_bytes()
    assert fuse(*GOOD, "-o", out) == 2
    assert words in capsys.readouterr().err
    assert Path("a.nii.gz").read_bytes() == before
    assert not list(here.rglob(".*"))


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".mha", ".nrrd", ".tif"])
def test_a_full_disk_is_said_and_leaves_what_was_there(here, capsys, ending):
    noise = np.random.default_rng(0).integers(0, 2, (4, 200, 200)).astype(np.uint8)
    for name in "xy":
        write_labels(f"{name}.mha", noise, SPACED)
    Path(f"out{ending}").write_bytes(b"before")
    before, there = resource.getrlimit(resource.RLIMIT_FSIZE), set(here.iterdir())
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        assert main(["fuse", "majority-vote", "x.mha", "y.mha", "-o", f"out{ending}"]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    said = capsys.readouterr()
    assert f"raterbench: out{ending} cannot be written" in said.err and "written:" not in said.out
    assert Path(f"out{ending}").read_bytes() == b"before"
    assert set(here.iterdir()) == there


def test_a_consensus_corrected_by_hand_is_not_fused_over(here, capsys):
    for rater in "ab":
        write_labels(_made(f"data/ratings/{rater}/c1.nii.gz"), volume(0), SPACED)
    fuse = ["fuse", "majority-vote", "data", "-o", "out"]
    assert main(fuse) == 0 and main(fuse) == 0
    write_labels("out/c1.nii.gz", volume(2), SPACED)
    capsys.readouterr()
    assert main(fuse) == 2
    assert "out/c1.nii.gz was changed since raterbench wrote it: move it elsewhere" in capsys.readouterr().err
    assert np.array_equal(read_labels("out/c1.nii.gz").pixels, volume(2))


def test_a_killed_fuse_leaves_nothing_beyond_the_next_one(here):
    script = (
        "import os; from raterbench.benchmark.labels.outputs import OutputFiles; from pathlib import Path\n"
        "with OutputFiles([]) as outputs: outputs.add(Path('out.nii.gz')).write_text('half'); os.kill(os.getpid(), 9)"
    )
    there = set(here.iterdir())
    subprocess.run([sys.executable, "-c", script], check=False)
    assert len(set(here.iterdir()) - there) == 1
    assert main(["fuse", "majority-vote", "a.nii.gz", "b.nii.gz", "-o", "out.nii.gz"]) == 0
    assert {path.name for path in set(here.iterdir()) - there} == {"out.nii.gz"}


def test_nowhere_to_write_is_said(here, capsys):
    assert fuse(*GOOD) == 2
    assert "nowhere to write" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_said(here, capsys):
    Path("empty").chmod(0o500)
    assert fuse(*GOOD, "-o", "empty/out.nii.gz") == 2
    assert "cannot be" in capsys.readouterr().err or "can be written" in capsys.readouterr().err


def test_outputs_among_the_ratings_would_be_taken_for_a_rater(here, capsys):
    for rater in "ab":
        Path(f"data/ratings/{rater}").mkdir(parents=True)
        Path(f"data/ratings/{rater}/c.nii.gz").write_bytes(Path(f"{rater}.nii.gz").read_bytes())
    assert fuse("data", "-o", "data/ratings/staple") == 2
    assert "taken for a rater" in capsys.readouterr().err
    assert fuse("data", "-o", "out", "--image", "image.nii.gz") == 2
    assert "data/images" in capsys.readouterr().err


def test_fusing_imports_no_network(here):
    code = (
        "import sys; from raterbench.__main__ import main; "
        f"code = main(['fuse', 'staple', *{GOOD!r}, '-o', 'out.nii.gz', '--figure', 'f.png']); "
        "sys.exit(code or bool({'torch', 'monai'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=here, check=False, capture_output=True).returncode == 0


def test_describe_a_folder_without_images(here, capsys):
    for rater in "abc":
        Path(f"data/ratings/{rater}").mkdir(parents=True)
        Path(f"data/ratings/{rater}/one.nii.gz").write_bytes(Path(f"{rater}.nii.gz").read_bytes())
    assert main(["describe", "data/", "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert "data: 3 raters, 1 case" in said
    assert "page: results/describe-data/describe.html" in said
    assert Path("results/describe-data/describe.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere/at/all",), "nowhere/at/all is no folder"),
        (("empty/",), "empty/ratings is missing"),
        (("deepflahs",), "did you mean 'deepflash'"),
        (("phantom", "--set", "subject=3"), "did you mean 'subjects'"),
        (("phantom", "--consensus", "stapel"), "did you mean 'staple'"),
    ],
    ids=str,
)
def test_what_cannot_be_described_is_one_sentence(here, capsys, arguments, words):
    assert main(["describe", *arguments, "--jobs", "1"]) == 2
    assert words in capsys.readouterr().err
    assert not Path("results").exists()
