"""A run never overwrites other results, or what somebody put where its files go; it says so before it opens any data."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from raterbench.benchmark.experiment.experiment import Experiment
from raterbench.benchmark.experiment.splits import manifest_hash
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.workers import only_run
from raterbench.benchmark.store.own_files import WrittenFiles
from raterbench.benchmark.store.results_folder import check_results_folder, check_same_data
from raterbench.benchmark.store.run_file import write_json
from raterbench.datasets import RaterbenchError

Make = Callable[..., Experiment]


def planned(folder: Path, experiment: Experiment, fingerprint: str = "f") -> Path:
    """A folder as the plan of an experiment leaves it."""
    facts = {"classes": [], "raters": [], "fingerprint": fingerprint}
    write_json(folder / "experiment.json", {"experiment": experiment.to_json(), "facts": facts, "keys": []})
    write_json(folder / "splits.json", {"dataset": "phantom", "hash": manifest_hash([]), "folds": []})
    return folder


def test_another_experiment_or_data_set_is_refused_with_the_difference(tiny: Make, tmp_path: Path) -> None:
    planned(tmp_path, tiny())
    check_results_folder(tmp_path, tiny(seed=3, metrics=("dice",)))
    for other, says in (
        (tiny(name="mine"), "'tiny' on 'phantom', this is 'mine' on 'phantom': give another folder"),
        (tiny(dataset="mnist", dataset_options={}), "'tiny' on 'phantom', this is 'tiny' on 'mnist': give another folder"),
        (tiny(dataset="folder:x", dataset_options={}), "this is 'tiny' on 'folder:x'"),
    ):
        with pytest.raises(RaterbenchError, match=f"{tmp_path} holds the experiment .*{says}"):
            check_results_folder(tmp_path, other)
    with pytest.raises(RaterbenchError, match="holds the experiment 'tiny'"):
        make_plan(tiny(name="mine", dataset_options={"no": "such option"}), tmp_path)


def test_the_same_data_may_have_another_path_and_other_data_may_not(tiny: Make, tmp_path: Path) -> None:
    def on(path: Path | str) -> Experiment:
        return tiny(dataset=f"folder:{path}", dataset_options={})

    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    out = planned(tmp_path / "out", on(tmp_path / "data"), "f")
    for path, fingerprint in (("data", "corrected"), ("link", "corrected"), ("../moved", "f")):
        check_results_folder(out, on(tmp_path / path))
        check_same_data(out, on(tmp_path / path), fingerprint)
    with pytest.raises(RaterbenchError, match=r"'tiny' on 'folder:.*data', this is 'tiny' on 'folder:.*more': give"):
        check_same_data(out, on(tmp_path / "more"), "other")


@pytest.mark.parametrize("name", ["experiment.json", "splits.json", "declaration.json", "units", ".lock"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "file"])
def test_what_somebody_put_where_a_file_of_a_run_goes_stays(tiny: Make, tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / "mine").write_text('{"lr": 0.1}')
    out = tmp_path / "out"
    out.mkdir()
    makers: dict[str, Callable[[Path], object]] = {
        "pipe": os.mkfifo,
        "folder": os.mkdir,
        "link": lambda path: path.symlink_to("../mine"),
        "file": lambda path: path.write_text('{"lr": 0.1}'),
    }
    makers[kind](out / name)
    if (name, kind) == ("units", "folder"):
        check_results_folder(out, tiny())
        return
    with pytest.raises(RaterbenchError, match=rf"{name}\b.*: ?.*(move it elsewhere, or )?give (another|a) f"):
        check_results_folder(out, tiny())
        with only_run(out):
            pass
    assert (tmp_path / "mine").read_text() == '{"lr": 0.1}'
    assert kind != "file" or (out / name).read_text() == '{"lr": 0.1}'
    assert list(out.iterdir()) == [out / name]


@pytest.mark.parametrize("name", ["experiment.json", "splits.json", "units"])
def test_a_link_is_refused_even_if_what_it_leads_to_is_right(tiny: Make, tmp_path: Path, name: str) -> None:
    elsewhere = planned(tmp_path / "elsewhere", tiny())
    (elsewhere / "units").mkdir()
    out = planned(tmp_path / "out", tiny())
    (out / name).unlink(missing_ok=True)
    (out / name).symlink_to(elsewhere / name)
    with pytest.raises(RaterbenchError, match=rf"{name} is a link.*: move it elsewhere, or give another folder"):
        check_results_folder(out, tiny())


def test_a_split_that_was_changed_by_hand_stays(tiny: Make, tmp_path: Path) -> None:
    planned(tmp_path, tiny())
    stored = json.loads((tmp_path / "splits.json").read_text())
    write_json(tmp_path / "splits.json", stored | {"folds": [{"mine": 1}]})
    with pytest.raises(RaterbenchError, match=r"splits\.json was changed since raterbench wrote it: move it elsewhere"):
        check_results_folder(tmp_path, tiny())


def test_files_that_are_not_in_the_way_are_no_reason_against_a_folder(tiny: Make, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    (tmp_path / "out" / "notes.md").write_text("mine")
    (tmp_path / "out" / "figures").mkdir()
    check_results_folder(tmp_path / "out", tiny())
    with only_run(tmp_path / "out"):
        assert (tmp_path / "disk" / ".lock").read_text() == str(os.getpid())
    with pytest.raises(RaterbenchError, match=r"notes\.md is in the way, where the folder of results goes"):
        check_results_folder(tmp_path / "out" / "notes.md", tiny())


def test_a_folder_of_a_description_holds_no_results(tiny: Make, tmp_path: Path) -> None:
    WrittenFiles(tmp_path, "description").write({"describe.html": b"page"})
    with pytest.raises(RaterbenchError, match="holds the files of a 'description', not of a 'report': give another folder"):
        check_results_folder(tmp_path, tiny())
