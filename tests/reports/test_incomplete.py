"""Results that are not what was planned: what is missing, damaged, foreign or mixed is said, and what follows from it."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raterbench.__main__ import main
from raterbench.benchmark.experiment.experiment import Split
from raterbench.benchmark.store import completeness
from raterbench.benchmark.store.completeness import MEND, running_process
from raterbench.benchmark.store.results import Results, read_results
from raterbench.benchmark.store.units import TrainingUnit, read_training, write_training
from raterbench.errors import RaterbenchError
from raterbench.reports.analysis import Analysis
from raterbench.reports.answer.answer import answer
from raterbench.reports.tables.captions import main_caption, split_words, validation_words
from raterbench.reports.tables.origins import origins_table
from raterbench.reports.tables.tables import comparison_table
from raterbench.reports.tables.terminal import main_table_text

from ..made_units import MadeUnit
from .conftest import Study, write_study

pytestmark = pytest.mark.usefixtures("figures_undrawn")

STUDY: dict[str, Any] = {
    "candidates": ("A", "B", "C"), "classes": ("lesion",), "raters": ("Ada", "Ben"), "subjects": 4, "slices": 1, "folds": 2,
    "repeats": 3, "pictures": False, "confusions": False, "calibration": False,
    "against": ("raters",),
}  # fmt: skip
UNITS = 3 * 3 * 2 + 2 * 4
"""Units of the study: candidates, repeats and folds, and each fold's raters and three fusions."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("whole"), Study(**STUDY))


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of the study that a test may tamper with."""
    return Path(shutil.copytree(whole, tmp_path / "out"))


def file_of(folder: Path, candidate: str = "A", repeat: int = 0, fold: int = 0, kind: str = "trained") -> Path:
    (path,) = (folder / "units").glob(f"{candidate.lower()}-*.r{repeat}.f{fold}.*.{kind}.npz")
    return path


def delete(folder: Path, pattern: str) -> None:
    for path in (folder / "units").glob(pattern):
        path.unlink()


def flip(path: Path, member: str) -> None:
    """Turn one bit in the middle of what the archive holds of a member."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(member)
    start = info.header_offset
    data = start + 30 + int.from_bytes(content[start + 26 : start + 28], "little")
    data += int.from_bytes(content[start + 28 : start + 30], "little")
    content[data + info.compress_size // 2] ^= 16
    path.write_bytes(content)


def in_place(folder: Path, put: Callable[[Path, Path], object]) -> None:
    """Move a unit out of the folder and put something else in its place."""
    path, away = file_of(folder), folder / "moved"
    path.rename(away)
    put(path, away)


def swap(folder: Path) -> None:
    one, other = file_of(folder), file_of(folder, "B", 2, 1)
    contents = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(contents)


def cut(length: int) -> Callable[[Path], object]:
    return lambda folder: file_of(folder).write_bytes(file_of(folder).read_bytes()[:length])


DAMAGED = [f"DAMAGED: 1 of {UNITS} units is damaged or cannot be read, and left out: A (repeat 0 fold 0).", MEND]
REPLACED = (
    f"INCOMPLETE: 1 of {UNITS} units is missing: A (repeat 0 fold 0): in its place is another file: {{0}}.",
    MEND,
    "FOREIGN: 1 file among the units is not of this experiment and left out: {1} ({0}). Remove what does not belong there.",
)
TAMPERED: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "cut to nothing": (cut(0), DAMAGED),
    "cut after the first byte": (cut(1), DAMAGED),
    "cut in the middle": (cut(700), DAMAGED),
    "cut before the last byte": (cut(-1), DAMAGED),
    "a bit of the training": (lambda folder: flip(file_of(folder), "contents.json"), DAMAGED),
    "a bit of what was measured": (lambda f: flip(file_of(f, kind="measured"), "contents.json"), DAMAGED),
    "a bit of an array": (lambda folder: flip(file_of(folder), "unit.0.npy"), DAMAGED),
    "not measured": (
        lambda folder: file_of(folder, kind="measured").unlink(),
        [f"INCOMPLETE: 1 of {UNITS} units is missing: A (repeat 0 fold 0): trained, but not measured.", MEND],
    ),
    "a link": (lambda f: in_place(f, lambda path, away: path.symlink_to(away)), [s.format("a link", "A") for s in REPLACED]),
    "a pipe": (lambda f: in_place(f, lambda path, _: os.mkfifo(path)), [s.format("a pipe", "A") for s in REPLACED]),
    "a folder": (lambda f: in_place(f, lambda path, _: path.mkdir()), [s.format("a folder", "A") for s in REPLACED]),
    "a deleted fold": (
        lambda folder: delete(folder, "*.r0.f1.*"),
        [
            f"INCOMPLETE: 7 of {UNITS} units are missing: raters (repeat 0 fold 1); fused labels majority-vote "
            "(repeat 0 fold 1); fused labels staple (repeat 0 fold 1); fused labels soft-average (repeat 0 fold 1); "
            "A (repeat 0 fold 1); B (repeat 0 fold 1); C (repeat 0 fold 1).",
            MEND,
        ],
    ),
    "a candidate that did not start": (
        lambda folder: delete(folder, "c-*"), [f"INCOMPLETE: 6 of {UNITS} units are missing: C (all 6).", MEND]
    ),
    "one repeat of three": (
        lambda folder: [delete(folder, f"b-*.r{repeat}.*") for repeat in (1, 2)],
        [
            f"INCOMPLETE: 4 of {UNITS} units are missing: B (repeat 1 fold 0, repeat 1 fold 1, repeat 2 fold 0, "
            "repeat 2 fold 1).",
            MEND,
        ],
    ),
    "nothing": (lambda _: None, []),
    "hidden files": (lambda folder: (folder / "units" / ".DS_Store").write_text("x"), []),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERED)
def test_what_is_not_as_planned_is_said(folder: Path, name: str) -> None:
    tamper, said = TAMPERED[name]
    said = [
        text.replace("left out: A (", f"left out: {file_of(folder).name} (") if "FOREIGN" in text else text for text in said
    ]
    tamper(folder)
    results = read_results(folder)
    assert results.completeness.notices() == said
    assert results.completeness.is_sound == results.completeness.is_complete == (not said)
    counted = results.rows[results.rows["kind"] == "method"].drop_duplicates(["candidate", "repeat", "fold"])
    states = results.units["status"].value_counts()
    assert len(counted) == states["done"] - (4 if name == "a deleted fold" else 8)
    assert states.sum() == UNITS


def test_swapped_units_count_for_neither(folder: Path) -> None:
    swap(folder)
    results = read_results(folder)
    missing = [str(entry.unit.owner + entry.unit.place) for entry in results.completeness.having("missing")]
    assert missing == ["Arepeat 0 fold 0", "Brepeat 2 fold 1"]
    assert [file.why for file in results.completeness.foreign] == [
        "it holds B repeat 2 fold 1, whose file has another name",
        "it holds A repeat 0 fold 0, whose file has another name",
    ]
    assert "B repeat 2 fold 1" in results.completeness.gaps()[0]


def test_a_copy_counts_once_and_units_of_other_settings_are_kept_in_silence(folder: Path, whole: Path) -> None:
    path, before = file_of(folder), read_results(whole)
    shutil.copy(path, path.with_name(f"Copy of {path.name}"))
    MadeUnit("A", "method", 0, 0, key="another").write(folder)
    results = read_results(folder)
    assert results.rows.equals(before.rows)
    assert results.completeness.is_complete and not results.completeness.is_sound
    (said,) = results.completeness.notices()
    assert said.startswith(
        f"FOREIGN: 1 file among the units is not of this experiment and left out: Copy of {path.name} (it holds"
    )
    assert results.completeness.other_settings == 2


def test_without_any_unit_the_error_says_how_many_are_missing(folder: Path) -> None:
    delete(folder, "*.npz")
    with pytest.raises(
        RaterbenchError, match=f"no finished unit to report on. INCOMPLETE: {UNITS} of {UNITS} units are missing"
    ):
        read_results(folder)
    (folder / "units").rmdir()
    with pytest.raises(RaterbenchError, match=f"INCOMPLETE: {UNITS} of {UNITS} units are missing"):
        read_results(folder)


def test_a_unit_that_must_not_be_read_is_not_called_damaged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An administrator may read everything, so the system's answer is put in its place."""
    locked = file_of(folder)

    def refuse(path: Path) -> TrainingUnit | None:
        if path == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return read_training(path)

    monkeypatch.setattr(completeness, "read_training", refuse)
    (entry,) = read_results(folder).completeness.having("damaged")
    assert entry.reason == "Permission denied"


def test_a_plan_of_an_earlier_version_is_a_sentence_with_the_mend(folder: Path) -> None:
    file = folder / "experiment.json"
    stored = json.loads(file.read_text())
    stored["keys"] = [unit["key"] for unit in stored.pop("units")]
    file.write_text(json.dumps(stored))
    with pytest.raises(RaterbenchError, match=r"experiment.json has no 'units'; .* run the experiment again"):
        read_results(folder)


def test_a_run_that_is_going_on_is_said(folder: Path) -> None:
    delete(folder, "c-*")
    lock = folder / ".lock"
    lock.write_text("4711")
    assert running_process(folder) == ""
    with lock.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = read_results(folder).completeness.notices()
        lock.write_text(str(os.getpid()))
        assert running_process(folder) == "", "the process that reads is no other run"
    assert said[0] == "A RUN IS GOING ON (process 4711): these are the results so far."
    assert MEND not in said
    lock.unlink()
    os.mkfifo(lock)
    assert running_process(folder) == ""


def test_an_unstarted_candidate_stays_in_the_family_and_nothing_is_confirmatory(folder: Path, whole: Path) -> None:
    delete(folder, "c-*")
    analysis, complete = Analysis(read_results(folder)), Analysis(read_results(whole))
    assert "confirmatory" in set(complete.comparison.table["family"]) and "confirmatory" not in set(analysis.table["family"])
    assert analysis.comparison.n_comparisons == complete.comparison.n_comparisons == 2
    dice = analysis.rows_for("dice")
    assert dice.loc["B", "p_holm"] == pytest.approx(min(1, 2 * dice.loc["B", "p"]))
    table = comparison_table(analysis)
    assert [cell.text for row in table.rows if row[0].text == "C" for cell in row[1:]] == ["–"] * (len(table.head) - 1)
    assert "Dice of C, p (Holm) of C: not run yet." in " ".join(table.paragraphs)
    assert "INCOMPLETE: 6 of 26 units are missing: C (all 6)." in table.caption
    assert "so nothing is confirmatory" in table.caption and "Confirmatory" not in table.caption
    assert "3 repeats planned" in table.caption
    found = answer(analysis)
    assert found.headline.startswith("Incomplete results. ")
    assert "The results are incomplete, so nothing here is confirmatory." in found.warnings
    assert "INCOMPLETE: without 6 of 26 units." in " ".join(main_table_text(analysis.results).split())


def by_hand(results: Results, candidate: str, lost: tuple[int, int] | None = None) -> float:
    rows = results.rows
    mine = rows[(rows["candidate"] == candidate) & (rows["metric"] == "dice") & (rows["reference"] == "truth")]
    if lost:
        mine = mine[(mine["repeat"] != lost[0]) | (mine["fold"] != lost[1])]
    return float(mine.groupby(["subject", "repeat"])["value"].mean().groupby("subject").mean().mean())


def test_means_are_over_the_trained_models_that_every_compared_candidate_has(folder: Path) -> None:
    delete(folder, "b-*.r2.f1.*")
    results = read_results(folder)
    analysis = Analysis(results)
    comparison = analysis.comparison
    assert (comparison.n_repeats, comparison.n_subjects, comparison.n_models) == (3, 4, 5)
    for name in ("A", "B", "C"):
        assert analysis.rows_for("dice").loc[name, "mean"] == pytest.approx(by_hand(results, name, (2, 1)))
    said = "\n".join(main_caption(analysis, ["dice"]))
    assert "Repeat 2, fold 1 is left out, because B has no value there" in said


def test_a_candidate_with_one_repeat_of_three_takes_nobodys_repeats_away(folder: Path) -> None:
    for repeat in (1, 2):
        delete(folder, f"b-*.r{repeat}.*")
    results = read_results(folder)
    analysis = Analysis(results)
    assert analysis.comparison.n_repeats == 3
    dice = analysis.rows_for("dice")
    assert dice.loc["C", "mean"] == pytest.approx(by_hand(results, "C"))
    assert dice["complete"].to_dict() == {"A": True, "B": False, "C": True}
    assert "B: results on less than half of the others’ data".replace("’", "'") in "\n".join(main_caption(analysis, ["dice"]))


def test_without_a_whole_repeat_the_folds_that_all_share_are_compared(folder: Path) -> None:
    delete(folder, "a-*.r0.f1.*")
    delete(folder, "b-*.r1.f1.*")
    delete(folder, "c-*.r2.f1.*")
    comparison = Analysis(read_results(folder)).comparison
    assert (comparison.n_repeats, comparison.n_models) == (3, 3)
    assert comparison.rows_for("dice").loc[["B", "C"], "n_trainings"].tolist() == [4, 4]


def test_code_and_libraries_that_differ_are_told_apart(folder: Path, whole: Path) -> None:
    for repeat, fold in ((1, 0), (1, 1)):
        path = file_of(folder, "C", repeat, fold)
        trained = read_training(path)
        assert trained is not None
        origin = dataclasses.replace(trained.origin, code="abc", versions={"python": "3.11.4", "torch": "2.12.0"})
        write_training(path, dataclasses.replace(trained, origin=origin), (), {})
    analysis = Analysis(read_results(folder))
    said = (
        "MIXED: the units were computed by different libraries. A: 6 units by torch 2.13.0; B: 6 units by torch 2.13.0; "
        "C: 4 units by torch 2.13.0, 2 units by torch 2.12.0; raters and fused labels: 8 units by torch 2.13.0. "
    )
    assert analysis.notices == [f"{said}Candidates are compared across them."]
    assert analysis.results.completeness.is_sound and analysis.confirmatory
    assert said in "\n".join(main_caption(analysis, ["dice"])) and "MIXED" in main_table_text(analysis.results)
    table = origins_table(analysis.results.units)
    assert table is not None
    assert ["C", "2", "abc", "torch 2.12.0", "x86_64, Linux"] in [[cell.text for cell in row] for row in table.rows]
    same = Analysis(read_results(whole))
    assert same.notices == [] and origins_table(same.results.units) is None


SPLITS: list[tuple[Split, dict[str, Any], str, str]] = [
    (
        Split(folds=5),
        {"n_repeats": 1, "n_folds": [5]},
        "5-fold cross-validation grouped by subject, 1 repeat",
        "20% of the training subjects",
    ),
    (
        Split(manifest="/far/away/mine.json"),
        {"n_repeats": 1, "n_folds": [1], "n_tested": [3], "validation_share": [0.25]},
        "manifest ‘mine.json’ with 1 fold, 3 of 12 cases tested, 1 repeat",
        "25% of the training subjects",
    ),
    (
        Split(manifest="mine.json"),
        {"n_repeats": 2, "n_folds": [2, 3], "n_tested": [12], "validation_share": [0.2, 0.25]},
        "manifest ‘mine.json’ with 2 to 3 folds, each case tested once in each repeat, 2 repeats",
        "20% to 25% of the training subjects",
    ),
    (
        Split(policy="holdout", repeats=3),
        {"n_repeats": 3, "n_folds": [1], "n_tested": [4], "validation_share": [0.2]},
        "the data set’s own test part (4 of 12 cases), 3 repeats",
        "20% of the training subjects",
    ),
    (
        Split(policy="leave-one-centre-out"),
        {"n_repeats": 1, "n_folds": [3], "n_tested": [12], "validation_share": [0.2]},
        "leaving one centre out (3 folds), 1 repeat",
        "20% of the training subjects",
    ),
]


@pytest.mark.parametrize(("split", "facts", "words", "validation"), SPLITS)
def test_the_split_is_what_was_run(whole: Path, split: Split, facts: dict[str, Any], words: str, validation: str) -> None:
    results = read_results(whole)
    told = {**results.facts, "n_cases": 12, **facts}
    analysis = Analysis(dataclasses.replace(results, facts=told, experiment=results.experiment.replace(split=split)))
    assert split_words(analysis) == f"Split: {words}."
    assert validation_words(analysis) == validation


def test_terminal_page_and_exit_status_say_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    delete(folder, "c-*")
    flip(file_of(folder, "B", 2, 1, "measured"), "contents.json")
    (folder / "units" / "notes.txt").write_text("x")
    assert main(["report", str(folder)]) == 1
    printed = capsys.readouterr().out
    page = (folder / "report.html").read_text(encoding="utf-8")
    top = page[page.index('role="alert"') : page.index('id="answer"')]
    for notice in read_results(folder).completeness.notices():
        assert f"{notice}\n" in printed and notice in top
    assert "DAMAGED" in top and "INCOMPLETE" in top and "FOREIGN" in top
    assert "<dd>19 of 26 finished</dd>" in page
