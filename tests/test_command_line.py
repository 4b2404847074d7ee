"""Every command, as a user gives it."""

import os
import re
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import torch

from raterbench import RaterbenchError, __version__
from raterbench.__main__ import main
from raterbench.arguments import make_parser
from raterbench.benchmark import read_results

pytestmark = pytest.mark.usefixtures("figures_undrawn")

TOML = """
name = "tiny"
description = "One network and one that is none."
dataset = "phantom"
keep_cases = 1
metrics = ["dice", "brier"]
dataset_options = {subjects = 6, slices = 1, size = 32}
fused_rows = ["majority-vote"]
plugins = ["mine.py"]

[split]
folds = 2

[budget]
epochs = 1
features = [4, 4, 4, 4, 4, 4]

[[candidates]]
name = "Vote"
method = "fused-labels"

[[candidates]]
name = "Instant"
method = "instant"
"""

PLUGIN = '''
import numpy as np
from raterbench.methods import Method


class Instant(Method):
    """Says the same everywhere."""

    def fit(self, train, validation, *, seed, device="cpu"):
        self.n_classes_ = train.n_classes
        return self

    def predict_proba(self, case):
        return np.full((self.n_classes_, *case.shape), 1 / self.n_classes_, np.float32)


class Broken(Instant):
    """Fails in every fold."""

    def fit(self, train, validation, *, seed, device="cpu"):
        raise RuntimeError("it is broken")
'''


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder to work in, with no data of the machine in sight."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def toml(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "tiny.toml").write_text(TOML)
    return str(tmp_path / "tiny.toml")


def command(*arguments):
    """Run in a process of its own, as in a shell."""
    return subprocess.run([sys.executable, "-m", "raterbench", *arguments], check=False, capture_output=True, text=True)


def files(folder="."):
    """The contents of every file below a folder, by its path, but for the catalogue, which is no part of the results."""
    paths = (path for path in Path(folder).rglob("*") if path.is_file() and path.name != ".catalogue.json")
    return {path.as_posix(): path.read_bytes() for path in paths}


def test_a_run_from_a_file_to_the_report_and_again_with_one_more_metric(toml, capsys):
    assert main(["run", toml, "--jobs", "1"]) == 0
    said = capsys.readouterr()
    assert "8 units: 0 done, 4 to train, 4 only to measure, 1 at a time; about " in said.err
    # A line for each training that is measured, and one for all rows of a fold that need none.
    assert len(re.findall(r"^\d/8 measuring .*; (about|took) ", said.err, re.MULTILINE)) == 6
    assert "Vote" in said.out
    assert "Instant" in said.out
    assert "report: results/tiny/report.html" in said.out
    written = files("results/tiny")
    wanted = ("report.html", "experiment.json", "splits.json", "declaration.json", "results.csv.gz", "calibration.csv.gz")
    for name in (*wanted, "tables/comparison.csv"):
        assert f"results/tiny/{name}" in written
    units = [name for name in written if name.startswith("results/tiny/units/")]
    assert sum(name.endswith(".trained.npz") for name in units) == 4
    assert sum(name.endswith(".measured.npz") for name in units) == len(units) - 4 == 8
    table = pd.read_csv("results/tiny/results.csv.gz")
    assert set(table.loc[table["kind"] == "method", "candidate"]) == {"Vote", "Instant"}

    page = Path("results/tiny/report.html")
    page.unlink()
    assert main(["run", toml]) == 0
    assert "8 units: all done, nothing to run" in capsys.readouterr().err
    assert files("results/tiny") == written
    assert main(["report", "results/tiny", "--protocol", "as-published"]) == 0
    assert "these p-values are too small" in page.read_text(encoding="utf-8")

    before = {path: content for path, content in written.items() if path.endswith(".trained.npz")}
    capsys.readouterr()
    assert main(["run", toml, "--jobs", "1", "--set", "metrics=['dice', 'brier', 'precision']"]) == 0
    assert "8 units: 0 done, 0 to train, 8 only to measure, 1 at a time\n" in capsys.readouterr().err
    assert files("results/tiny/units").items() >= before.items()
    assert Path("results/tiny/declaration.json").read_bytes() == written["results/tiny/declaration.json"]
    assert len(before) == 4 and "precision" in set(pd.read_csv("results/tiny/results.csv.gz")["metric"])


def test_a_run_with_failures_reports_the_rest_and_ends_with_1(toml, capsys):
    settings = ["--set", "candidates=[{method = 'broken'}, {method = 'instant'}]", "--out", "here", "--jobs", "1"]
    assert main(["run", toml, *settings]) == 1
    said = capsys.readouterr()
    assert "failed: broken, repeat 0, fold 0: RuntimeError: it is broken (mine.py, line " in said.err
    assert "2 units failed" in said.err
    assert "it is broken" in Path("here/report.html").read_text(encoding="utf-8")


def test_if_everything_fails_the_reason_is_the_error(toml, capsys):
    assert main(["run", toml, "--set", "candidates=[{method = 'broken'}]", "--jobs", "1"]) == 2
    said = capsys.readouterr().err
    assert "raterbench: " in said.splitlines()[-1]
    assert "it is broken" in said.splitlines()[-1]
    assert "Traceback" not in said


def test_a_dry_run_prints_the_plan_and_writes_nothing(toml, capsys):
    assert main(["run", toml, "--dry-run", "--jobs", "3"]) == 0
    *_, first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("tiny: 2 candidates on phantom (6 subjects, 6 cases, 5 raters, 3 classes), folds, 2 folds, 1")
    assert re.fullmatch("8 units: 0 done, 4 to train, 4 only to measure, 3 at a time; about \\d+ s", second)
    assert not files()


@pytest.mark.parametrize(
    ("kind", "some"),
    [
        ("methods", "tgce"),
        ("fusions", "staple"),
        ("recipes", "softseg"),
        ("datasets", "phantom"),
        ("metrics", "hd95"),
        ("experiments", "quick"),
    ],
)
def test_lists_have_a_line_for_each_name(capsys, kind, some):
    assert main(["list", kind]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith(f"{some} ")]
    assert all(re.fullmatch(r"\S.{23} ?\S.*|\S.*", line) for line in lines)


def test_a_list_shows_what_a_plugin_adds(toml, tmp_path, capsys):
    assert main(["list", "methods", "--plugin", str(tmp_path / "mine.py")]) == 0
    assert re.search(r"^instant +Says the same everywhere\.$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "qick"], "'qick' is neither a shipped experiment nor a TOML file; did you mean 'quick'?"),
        (["run", "missing.toml"], "'missing.toml' is neither a shipped experiment nor a TOML file"),
        (["run", "quick", "--set", "split.fold=3"], "split: unknown key 'fold'; did you mean 'folds'?"),
        (["run", "quick", "--set", "split.folds"], "has no '='"),
        (["run", "quick", "--set", "split.folds=99"], "has 15 subjects, too few for 99 folds"),
        (["run", "quick", "--set", "metrics=['dice', 'dyce']"], "no metric called 'dyce'; did you mean 'dice'?"),
        (["run", "quick", "--set", "budget.epochs=0"], "epochs = 0 must be a whole number from 1 to 1000000"),
        (["run", "quick", "--dataset", "fantom"], "did you mean 'phantom'?"),
        (
            ["run", "quick", "--dataset", "./mine"],
            "'./mine' is no data set by name: for a folder of your own write folder:./mine",
        ),
        (["run", "quick", "--dataset", "folder:nowhere"], "'nowhere' is no folder"),
        (["run", "quick", "--dataset", "folder:."], "images is missing"),
        (["run", "quick", "--dataset", "deepflash"], "images of deepflash are not there"),
        (["run", "quick", "--dataset", "deepflash", "--data", "nowhere"], "'nowhere' .* is no folder"),
        (["run", "quick", "--device", "tpu"], "--device 'tpu' is unknown: use cpu or cuda"),
        (["run", "quick", "--plugin", "nowhere.py"], "'[^']*nowhere.py' is not a file"),
        (["run", "quick", "--set", "split.manifest=nowhere.json"], "split manifest 'nowhere.json' is not a file"),
        (["report", "."], "holds no experiment.json: give the folder that 'raterbench run' wrote"),
        (["check", "nowhere.py"], "nowhere.py' is not a file"),
        (["perf", "--rows", "units", "-o", "speed.md"], "leave --rows out"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence_and_status_2(capsys, arguments, says):
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert re.search(says, said.err)
    assert said.err.startswith("raterbench: ")
    assert len(said.err.splitlines()) == 1
    assert said.out == ""
    assert not files()


def test_a_plugin_that_cannot_be_imported_is_one_sentence(tmp_path, capsys):
    bad = tmp_path / "bad.py"
    bad.write_text("class Mine(\n")
    assert main(["run", "quick", "--plugin", str(bad)]) == 2
    said = capsys.readouterr().err
    assert f"plug-in '{bad}' cannot be imported: SyntaxError" in said
    assert len(said.splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_one_sentence(toml, capsys):
    assert main(["run", toml, "--out", f"{toml}/below"]) == 2
    assert re.search("below cannot be written: Not a directory; a file is where a folder is needed", capsys.readouterr().err)


WRONG_ARGUMENTS = [
    *(["run", "quick", "--jobs", n] for n in ("-2", "1e3", "nan", "9" * 5000, "", "True")),
    *(["fuse", "staple", "a.png", "--ignore", n] for n in ("1.5", "9" * 40, "x")),
    *(["describe", ".", "--cases", n] for n in ("0", "-1", "1.5")),
    *(["perf", "--repeats", n] for n in ("0", "-1", "9" * 20)),
    *(["run", "quick", option, " "] for option in ("--out", "--data", "--dataset", "--plugin", "--set", "--device")),
    *(["fuse", "staple", "a.png", option, ""] for option in ("-o", "--probability", "--figure", "--raters", "--image")),
    *([command, ""] for command in ("run", "report", "fuse", "describe", "check")),
]


@pytest.mark.parametrize(
    "arguments", [[], ["rum"], ["run"], ["list", "things"], ["run", "quick", "--jobs", "many"], *WRONG_ARGUMENTS]
)
def test_a_command_that_does_not_parse_ends_with_2(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: raterbench" in capsys.readouterr().err


def test_debug_shows_where_an_error_comes_from(capsys):
    with pytest.raises(RaterbenchError, match="did you mean 'quick'"):
        main(["run", "qick", "--debug"])
    assert main(["run", "qick"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    debug = command("run", "qick", "--debug")
    assert debug.returncode != 0
    assert "Traceback" in debug.stderr


def write(path, array, geometry=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(array)
    if geometry:
        image.SetSpacing(geometry["spacing"])
        image.SetOrigin(geometry["origin"])
        image.SetDirection(geometry["direction"])
    sitk.WriteImage(image, str(path))


def ball(shape, radius):
    grid = np.indices(shape, dtype=float)
    inside = sum(((g - (s - 1) / 2) / s) ** 2 for g, s in zip(grid, shape, strict=True)) < radius**2
    return inside.astype(np.uint8)


def test_a_folder_of_pictures_needs_nothing_else(tmp_path, capsys):
    """PNG masks of 0 and 255, a missing rating, an empty one."""
    random, folder = np.random.default_rng(0), tmp_path / "lesions"
    for i in range(4):
        mask = ball((30, 37), 0.25 + 0.02 * i)
        write(folder / "images" / f"c{i}.png", (100 * mask + random.integers(0, 80, mask.shape)).astype(np.uint8))
        write(folder / "ratings" / "ada" / f"c{i}.png", mask * 255)
        if i != 2:
            write(folder / "ratings" / "ben" / f"c{i}.png", np.zeros_like(mask) if i == 1 else ball((30, 37), 0.3) * 255)
    two = "candidates=[{method = 'fused-labels'}, {method = 'confusion-network'}]"
    settings = [
        f"--set={s}" for s in ("split.folds=2", "split.repeats=1", "budget.epochs=1", "budget.features=[4, 4, 4, 4, 4, 4]", two)
    ]
    assert main(["run", "quick", "--dataset", f"folder:{folder}", *settings]) == 0
    assert "report: results/quick-lesions/report.html" in capsys.readouterr().out
    results = read_results("results/quick-lesions")
    assert set(results.units["status"]) == {"done"}
    assert results.primary_reference == "raters"
    assert set(results.rows.loc[results.rows["kind"] == "rater", "candidate"]) == {"ada", "ben"}
    assert results.units.loc[results.units["kind"] == "method", "threshold"].between(0, 1).all()


def test_a_folder_of_volumes_is_measured_in_native_geometry(tmp_path, toml):
    """NIfTI volumes of odd sizes, spacings and directions, two cases a subject."""
    random, folder, turn = np.random.default_rng(0), tmp_path / "volumes", np.deg2rad(20)
    rotation = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    shapes = {}
    for i in range(8):
        shape = (3 + i % 3, 33 - i, 21 + i)
        shapes[f"c{i}"] = shape
        geometry = {"spacing": (0.7, 0.9 + i / 10, 3.1), "origin": (-5.0, 7.5, i), "direction": np.ravel(rotation).tolist()}
        mask = ball(shape, 0.3)
        write(folder / "images" / f"c{i}.nii.gz", (mask + random.normal(0, 0.3, shape)).astype(np.float32), geometry)
        for rater, radius in (("ada", 0.3), ("ben", 0.36), ("cleo", 0.24)):
            write(folder / "ratings" / rater / f"c{i}.nii.gz", ball(shape, radius), geometry)
    (folder / "cases.csv").write_text("case,subject\n" + "".join(f"c{i},s{i // 2}\n" for i in range(8)))
    candidates = ["--set", "candidates=[{name = 'Vote', method = 'fused-labels'}]", "--set", "keep_cases=3"]
    measured = ["--set", "metrics=['dice', 'hd95', 'avd', 'brier']"]
    assert main(["run", toml, "--dataset", f"folder:{folder}", *candidates, *measured, "--out", "volumes", "--jobs", "2"]) == 0
    results = read_results("volumes")
    assert set(results.units["status"]) == {"done"}
    assert len(results.pictures) == 3
    for kept in results.pictures:
        assert kept.image.shape == shapes[kept.id]
        assert kept.predictions["Vote"].shape == (2, *shapes[kept.id])
    # The distance between raters' surfaces is at least one voxel's smaller side, in millimetres.
    between = results.rows[(results.rows["kind"] == "rater") & (results.rows["metric"] == "hd95")]["value"].dropna()
    assert (between >= 0.7 - 1e-6).all()
    assert results.rows[results.rows["metric"] == "dice"]["value"].between(0, 1).all()


def test_the_version_is_known():
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def shell(line, **environment):
    """A line of a shell, in which ``rb`` is the command."""
    script = f'rb() {{ "{sys.executable}" -m raterbench "$@"; }}; set -o pipefail; {line}'
    return subprocess.run(["bash", "-c", script], check=False, capture_output=True, env={**os.environ, **environment})


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("rb list experiments | head -c 1", None),
        ("rb run --help | head -c 1", None),
        ("rb list experiments >&-", 0),
        ("rb list experiments >&- 2>&- <&-", 0),
        ("rb run nothing 2>&-", 2),
        ("rb list experiments > /dev/full", 2),
        ("rb run nothing 2> /dev/full", 2),
        ("rb run $'\\xff\\xfe'", 2),
        ("rb check $'[bold]\\n\\xe2\\x80\\xae.py'", 2),
    ],
)
def test_streams_that_are_closed_full_or_left_alone_give_no_traceback(line, code):
    done = shell(line)
    assert code is None or done.returncode == code
    for word in (b"Traceback", b"Exception ignored", b"fault of raterbench"):
        assert word not in done.stderr


PLAIN_TERMINAL = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TERM": "dumb"}


BOTH_WIDTHS = """
import os, sys
from raterbench.__main__ import main

for columns in (b"1", b"\\xc2\\xb2"):
    os.environb[b"COLUMNS"] = columns
    sys.stderr.write(f"{main(sys.argv[1:])} is the status\\n")
"""


def test_any_terminal_will_do(tmp_path):
    text = TOML.replace("tiny", "größe 中 [bold]").replace('plugins = ["mine.py"]', "").replace("instant", "gce")
    (tmp_path / "é.toml").write_text(text)
    arguments = ["run", f"{tmp_path}/é.toml", "--dry-run", "--out", f"{tmp_path}/out"]
    place = {**os.environ, "HOME": "/nowhere", "COLUMNS": "\u00b2", **PLAIN_TERMINAL}
    # One process for both widths: most of its time goes into importing torch.
    done = subprocess.run([sys.executable, "-c", BOTH_WIDTHS, *arguments], check=False, capture_output=True, env=place)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert done.stderr.splitlines().count(b"0 is the status") == 2
    assert done.stderr.count(b"[bold]") >= 2


def test_what_nobody_foresaw_is_called_a_fault_with_its_place(monkeypatch, capsys):
    def fails(*arguments):
        raise KeyError("some\nkey")

    monkeypatch.setattr("raterbench.benchmark.experiment.listing.describe", fails)
    assert main(["list", "methods"]) == 70
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"raterbench: this is a fault of raterbench: KeyError: .*\(test_command_line.py, line \d+\).*--debug\n", said
    )
    with pytest.raises(KeyError):
        main(["list", "methods", "--debug"])


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (MemoryError, 2, "not enough memory"),
        (OSError(28, "No space", "f"), 2, "f: No space"),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might"), 2, "out of memory: end what else uses the GPU"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), 2, "CUDA out of memory: end what else"),
    ],
)
def test_what_the_machine_lacks_is_a_sentence(monkeypatch, capsys, error, code, says):
    def fails(*arguments):
        raise error

    monkeypatch.setattr("raterbench.benchmark.experiment.listing.describe", fails)
    assert main(["list", "methods"]) == code
    assert says in capsys.readouterr().err


def test_a_message_is_one_line_of_bounded_length(capsys):
    assert main(["run", "a\nb\x1b[1m" + "x" * 10_000]) == 2
    said = capsys.readouterr().err
    assert said.startswith("raterbench: ")
    assert len(said) < 3000
    assert "\x1b" not in said
    assert len(said.splitlines()) == 1


def test_a_description_is_not_written_outside_results(tmp_path, capsys):
    for rater in ("ada", "ben"):
        write(tmp_path / "d" / "ratings" / rater / "c0.png", ball((30, 37), 0.3) * 255)
    (tmp_path / "d" / "dataset.toml").write_text('name = "../../../x"')
    assert main(["describe", str(tmp_path / "d")]) == 2
    assert "x" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_a_command_with_a_sentence(monkeypatch, capsys, name, code):
    before, number = signal.getsignal(signal.SIGTERM), signal.Signals[name]
    # Tests that run in the background, or under nohup, inherit that some signals are ignored, and so does the command.
    inherited = signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
    monkeypatch.setattr("raterbench.__main__.list_names", lambda _: signal.raise_signal(number))
    try:
        assert main(["list", "methods"]) == code
    finally:
        signal.signal(number, inherited)
    by = "" if name == "SIGINT" else f" by {name}"
    assert capsys.readouterr().err == f"raterbench: stopped{by}; run the same command again to go on\n"
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200)])
def test_a_timeout_has_a_unit_of_time(text, seconds):
    parser = make_parser(defaultdict(lambda: print))
    assert parser.parse_args(["run", "quick", "--timeout", text]).timeout == seconds


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon", "5 d", ""])
def test_a_timeout_that_is_none_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        main(["run", "quick", "--timeout", text])
    assert "must be a time such as 90, 90s, 30m or 2h" in capsys.readouterr().err
