"""Files of data sets that are sent arrive as they were, or not at all."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from raterbench.benchmark.runner.engines import data_files
from raterbench.benchmark.runner.engines.data_files import DataStore, Piece, at_place, file_states, files_to_send, pieces
from raterbench.datasets import DeepFlash, Phantom, RaterbenchError, load_dataset
from raterbench.datasets.downloads import data_folder


@pytest.mark.parametrize("sizes", [(), (0,), (7,), (8,), (16, 0, 3), (5, 5, 5, 1), (40, 1)])
def test_files_of_any_size_arrive_whole(tmp_path, monkeypatch, sizes):
    monkeypatch.setattr(data_files, "MESSAGE", 8)
    random = np.random.default_rng(0)
    files = {f"a/{number}.bin": tmp_path / f"{number}.bin" for number in range(len(sizes))}
    for file, size in zip(files.values(), sizes, strict=True):
        file.write_bytes(random.bytes(size))
    store = DataStore(tmp_path / "store")
    messages = list(pieces(files))
    assert all(sum(len(piece.content) for piece in message) <= 8 for message in messages)
    for message in messages:
        assert not store.is_complete("f")
        store.receive("f", message)
    assert store.missing("f", file_states(files)) == []
    assert all((store.root("f") / name).read_bytes() == file.read_bytes() for name, file in files.items())
    assert sum(path.is_file() for path in tmp_path.glob("store/**/*")) == len(files)
    store.folder.mkdir(exist_ok=True)
    store.finish("f")
    assert store.is_complete("f") and not store.is_complete("g")


def test_what_was_changed_on_the_way_is_refused_and_sent_again(tmp_path):
    (tmp_path / "x").write_bytes(b"content")
    ((piece,),) = pieces({"x": tmp_path / "x"})
    store = DataStore(tmp_path / "store")
    with pytest.raises(RaterbenchError, match="x was not received as it was sent"):
        store.receive("f", [Piece("x", 0, b"contents", piece.checksum)])
    states = file_states({"x": tmp_path / "x"})
    assert store.missing("f", states) == ["x"]
    store.receive("f", [piece])
    assert store.missing("f", states) == []
    for name in ("../x", "/x", "a/../../x"):
        with pytest.raises(RaterbenchError, match="leads out of the folder of data"):
            store.receive("f", [Piece(name, 0, b"", piece.checksum)])


@pytest.mark.parametrize("found", [b"", b"content and more", b"CONTENT", None])
def test_a_copy_that_was_damaged_is_sent_again(tmp_path, found):
    files = {name: tmp_path / name for name in ("x", "y")}
    for file in files.values():
        file.write_bytes(b"content")
    store = DataStore(tmp_path / "store")
    store.receive("f", next(pieces(files)))
    store.finish("f")
    if found is None:
        (store.root("f") / "x").unlink()
    else:
        (store.root("f") / "x").write_bytes(found)
    assert store.missing("f", file_states(files)) == ["x"]
    store.receive("f", next(pieces({"x": files["x"]})))
    assert store.missing("f", file_states(files)) == []
    assert (store.root("f") / "x").read_bytes() == b"content"


def test_simulated_data_have_nothing_to_send(tiny):
    with pytest.raises(RaterbenchError, match="the files of the data set 'phantom' do not lie in the data folder"):
        files_to_send(Phantom(), tiny(), None)


def test_a_copy_of_ones_own_folder_has_its_name(tiny, tmp_path):
    experiment = tiny(dataset=f"folder:{tmp_path / 'mine'}", dataset_options={"darker": True})
    moved = at_place(experiment, Path("/copies/f"))
    assert (moved.dataset, moved.dataset_options) == ("folder:/copies/f/mine", {"darker": True})
    named = tiny(dataset="folder", dataset_options={"path": str(tmp_path / "mine")})
    assert (at_place(named, Path("/copies/f")).dataset, at_place(tiny(), Path("/f"))) == ("folder:/copies/f/mine", tiny())


def test_a_copy_of_a_download_opens_as_the_same_data(tiny, tmp_path):
    try:
        dataset = DeepFlash.from_options()
    except RaterbenchError:
        pytest.skip("the images of deepflash are not there")
    for name, file in files_to_send(dataset, tiny(dataset="deepflash", dataset_options={}), str(data_folder(None))).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, tmp_path / name)
    assert load_dataset("deepflash", str(tmp_path)).fingerprint() == dataset.fingerprint()
