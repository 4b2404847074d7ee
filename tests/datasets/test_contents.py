import os
import threading

import numpy as np
import pytest

from raterbench.datasets import RaterbenchError, contents
from raterbench.datasets.contents import content_hashes, contents_hash
from raterbench.steps import listening


class Heard(list):
    """The steps that began."""

    def begin(self, step):
        self.append(step)

    def end(self, step):
        pass


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The file in which hashes are remembered. Files are believed however young they are, as far as no test changes that."""
    file = tmp_path / "cache" / "raterbench" / "contents.json"
    monkeypatch.setattr(contents, "_cache_file", lambda folder: file)
    monkeypatch.setattr(contents, "YOUNG", -60)
    return file


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    made = {f"{i}.raw": folder / f"{i}.raw" for i in range(5)}
    for i, file in enumerate(made.values()):
        file.write_bytes(np.random.default_rng(i).bytes(5000))
    return made


def read(files):
    """The hash of some files, and how many of them were read for it."""
    heard = Heard()
    with listening(heard):
        found = contents_hash(files)
    return found, sum(step.done for step in heard)


def test_a_change_of_the_same_size_is_seen_and_only_that_file_is_read(files, cache):
    first, paid = read(files)
    assert (first, 0) == read(files)
    files["3.raw"].write_bytes(files["3.raw"].read_bytes()[::-1])
    changed, again = read(files)
    assert (paid, again) == (5, 1)
    assert changed != first
    assert contents_hash({**files, "3.raw": files["2.raw"]}) not in (first, changed)


def test_names_decide_and_their_order_does_not(files, cache):
    first = contents_hash(files)
    assert contents_hash(dict(reversed(files.items()))) == first
    assert contents_hash({f"a{name}": file for name, file in files.items()}) != first


def test_a_file_whose_times_were_set_back_is_read_again(files, cache):
    first, _ = read(files)
    file, times = files["0.raw"], files["0.raw"].stat()
    file.write_bytes(file.read_bytes()[::-1])
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert read(files)[0] != first


def test_a_file_put_in_the_place_of_another_is_read_again(files, cache):
    first, _ = read(files)
    files["0.raw"].rename(files["0.raw"].with_name("old"))
    files["1.raw"].rename(files["0.raw"])
    files["0.raw"].with_name("old").rename(files["1.raw"])
    assert read(files)[0] != first


def test_young_files_are_not_remembered(files, cache, monkeypatch):
    monkeypatch.setattr(contents, "YOUNG", 2.0)
    first, _ = read(files)
    assert not cache.exists()
    assert read(files) == (first, 5)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-40],
        lambda content: content.replace(b"0.raw", b"9.raw"),
        lambda content: b"\0" * len(content),
        lambda content: content.partition(b"\n")[0] + b"\n[]",
        lambda content: b"\xff" + content,
    ],
)
def test_a_damaged_cache_is_made_anew(files, cache, damage):
    first, _ = read(files)
    good = cache.read_bytes()
    cache.write_bytes(damage(good))
    assert read(files) == (first, 5)
    assert cache.read_bytes() == good


def test_no_link_is_followed(files, cache, tmp_path):
    first, _ = read(files)
    elsewhere = tmp_path / "elsewhere"
    cache.rename(elsewhere)
    before = elsewhere.read_bytes()
    cache.symlink_to(elsewhere)
    files["0.raw"].write_bytes(b"new")
    changed, paid = read(files)
    assert paid == 5
    assert changed != first
    assert elsewhere.read_bytes() == before
    assert not cache.is_symlink()


def test_without_a_place_for_the_cache_it_only_takes_longer(files, cache, monkeypatch, tmp_path):
    first, _ = read(files)
    (tmp_path / "a file").write_text("")
    for place in (None, tmp_path / "a file" / "contents.json"):
        monkeypatch.setattr(contents, "_cache_file", lambda folder, place=place: place)
        assert read(files) == (first, 5)


def test_processes_at_the_same_time_leave_a_cache_that_can_be_read(files, cache):
    first, found = contents_hash(files), []
    threads = [threading.Thread(target=lambda: [found.append(_anew(files, cache)) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {first}
    assert read(files) == (first, 0)
    assert list(cache.parent.iterdir()) == [cache]


def _anew(files, cache):
    cache.unlink(missing_ok=True)
    return contents_hash(files)


def test_files_that_are_gone_are_forgotten(files, cache):
    contents_hash(files)
    files.pop("4.raw").unlink()
    files["0.raw"].write_bytes(b"new")
    contents_hash(files)
    assert b"4.raw" not in cache.read_bytes()
    assert b"3.raw" in cache.read_bytes()


def test_what_cannot_be_read_is_named(files, cache, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for wrong in (tmp_path / "nothing", tmp_path, tmp_path / "pipe"):
        with pytest.raises(RaterbenchError, match=f"{wrong} cannot be read: "):
            content_hashes([files["0.raw"], wrong])


def test_no_files_at_all_have_a_hash(cache):
    assert content_hashes([]) == []


def test_hashes_lie_in_the_folder_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.setenv("RATERBENCH_CACHE", str(tmp_path / "elsewhere"))
    assert contents._cache_file("/data").parent == tmp_path / "elsewhere" / "contents"
    monkeypatch.delenv("RATERBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert tmp_path / "elsewhere" not in contents._cache_file("/data").parents
