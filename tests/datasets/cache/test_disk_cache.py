"""The folder of entries."""

import os
import time
from collections import namedtuple

import numpy as np
import pytest

from raterbench.datasets import RaterbenchError
from raterbench.datasets.cache import disk_cache
from raterbench.datasets.cache.array_files import Arrays
from raterbench.datasets.cache.disk_cache import DiskCache, cache_folder, cache_limit, kept, user_cache
from raterbench.datasets.cache.summary import cache_summary, clear_cache

BYTES = 1000


class Maker:
    """Makes arrays of some bytes, and counts."""

    def __init__(self, value=1, n=BYTES):
        self.value, self.n, self.calls = value, n, 0

    def __call__(self):
        self.calls += 1
        return Arrays({"values": np.full(self.n, self.value, np.uint8)}, self.value)


def cache_of(folder, **options):
    return DiskCache(folder, **{"worthwhile": False, **options})


def test_what_was_made_once_is_found_again_by_whoever_uses_the_folder(tmp_path):
    make = Maker()
    for cache in (cache_of(tmp_path), cache_of(tmp_path)):
        for _ in range(2):
            found = cache.fetch("cases", ["a", 1], make)
            assert found.facts == 1 and (found.arrays["values"] == 1).all()
    assert make.calls == 1


@pytest.mark.parametrize("other", [("images", ["a", 1], ""), ("cases", ["a", 2], ""), ("cases", ["a", 1], "2.0")], ids=str)
def test_another_kind_origin_or_version_is_another_entry(tmp_path, other):
    kind, made_from, made_by = other
    cache_of(tmp_path).fetch("cases", ["a", 1], Maker(1))
    assert cache_of(tmp_path, made_by=made_by).fetch(kind, made_from, Maker(2)).facts == 2


def test_a_damaged_entry_is_made_again(tmp_path):
    cache, make = cache_of(tmp_path), Maker()
    cache.fetch("cases", "a", make)
    path = cache.path_of("cases", "a")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    other = cache_of(tmp_path)
    assert (other.fetch("cases", "a", make).arrays["values"] == 1).all() and make.calls == 2
    assert other.fetch("cases", "a", make).facts == 1 and make.calls == 2


def test_what_somebody_else_put_there_is_not_believed(tmp_path, monkeypatch):
    cache, make = cache_of(tmp_path / "mine"), Maker(1)
    theirs = cache_of(tmp_path / "theirs")
    theirs.fetch("cases", "a", Maker(2))
    link = cache.path_of("cases", "a")
    link.parent.mkdir(parents=True)
    link.symlink_to(theirs.path_of("cases", "a"))
    assert cache.fetch("cases", "a", make).facts == 1 and not link.is_symlink()
    assert theirs.fetch("cases", "a", make).facts == 2
    monkeypatch.setattr(disk_cache.os, "geteuid", lambda: os.getuid() + 1)
    assert theirs.fetch("cases", "a", make).facts == 1


def test_what_is_made_faster_than_read_back_is_not_kept(tmp_path, monkeypatch):
    taken = iter([0.0, 0.001, 10.0, 10.1])
    monkeypatch.setattr(disk_cache.time, "perf_counter", lambda: next(taken))
    cache = DiskCache(tmp_path)
    cache.fetch("cases", "quick", Maker())
    cache.fetch("cases", "slow", Maker())
    assert [entry.path for entry in cache.entries()] == [cache.path_of("cases", "slow")]


def test_what_must_not_be_kept_is_not(tmp_path):
    assert cache_of(tmp_path).fetch("cases", "a", lambda: None) is None and not cache_of(tmp_path).entries()


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    cache = cache_of(tmp_path, limit=6 * BYTES)
    for i in range(4):
        cache.fetch("cases", i, Maker(i))
        os.utime(cache.path_of("cases", i), (i, i))
    cache_of(tmp_path).fetch("cases", 0, Maker())  # Another process uses the first again.
    for i in range(4, 7):
        cache.fetch("cases", i, Maker(i))
    left = {i for i in range(7) if cache.path_of("cases", i).exists()}
    assert sum(entry.size for entry in cache.entries()) <= cache.limit
    assert {0, 5, 6} <= left and not {1, 2} & left


def test_two_that_make_room_at_once_remove_no_more_than_one_would(tmp_path, monkeypatch):
    cache = cache_of(tmp_path)
    for i in range(10):
        cache.fetch("cases", i, Maker(i))
        os.utime(cache.path_of("cases", i), (i, i))
    listed = cache.entries()
    size = listed[0].size
    assert len(cache_of(tmp_path).remove_oldest(5 * size)) == 5
    late = cache_of(tmp_path)
    monkeypatch.setattr(late, "entries", lambda: listed)  # It looked before the other one began.
    assert late.remove_oldest(5 * size) == [] and len(cache.entries()) == 5


def test_what_is_larger_than_the_cache_pushes_nothing_out(tmp_path):
    cache = cache_of(tmp_path, limit=6 * BYTES)
    cache.fetch("cases", "small", Maker())
    for _ in range(2):
        assert cache.fetch("cases", "large", Maker(2, 6 * BYTES)).facts == 2
    assert [entry.path for entry in cache.entries()] == [cache.path_of("cases", "small")]


def test_unfinished_files_of_processes_that_died_are_removed_after_an_hour(tmp_path):
    cache = cache_of(tmp_path)
    cache.fetch("cases", "a", Maker())
    old, new = (cache.path_of("cases", "a").with_name(f"{name}.new") for name in ("old", "new"))
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 4000,) * 2)
    cache.remove_oldest(10**9)
    assert new.exists() and not old.exists() and len(cache.entries()) == 1


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    make = Maker()
    for _ in range(2):
        assert cache_of(tmp_path / "file").fetch("cases", "a", make).facts == 1
    assert make.calls == 2
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(disk_cache.shutil, "disk_usage", lambda _: usage(0, 0, disk_cache.LEFT_FREE))
    assert cache_of(tmp_path).fetch("cases", "a", make).facts == 1 and not cache_of(tmp_path).entries()


def test_a_process_without_a_cache_makes_everything_anew(tmp_path, monkeypatch):
    make = Maker()
    for _ in range(2):
        kept("images", 10**9, lambda: "a", make)
    assert make.calls == 2
    monkeypatch.setattr(DiskCache, "current", cache_of(tmp_path))
    for _ in range(2):
        kept("images", 1, lambda: "a", make)
    assert make.calls == 3
    monkeypatch.setattr(DiskCache, "current", DiskCache(tmp_path))
    kept("images", disk_cache.SMALL - 1, lambda: "a", make)
    assert make.calls == 4, "small arrays are not looked for"


def test_the_environment_says_where_and_how_much(tmp_path, monkeypatch):
    monkeypatch.setenv("RATERBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("RATERBENCH_CACHE_GIB", " 0.5 ")
    assert cache_folder() == tmp_path and cache_limit() == 2**29 and user_cache("").limit == 2**29
    monkeypatch.setenv("RATERBENCH_CACHE_GIB", "0")
    assert user_cache("") is None
    for wrong in ("-1", "much", "nan", "inf"):
        monkeypatch.setenv("RATERBENCH_CACHE_GIB", wrong)
        with pytest.raises(RaterbenchError, match=f"RATERBENCH_CACHE_GIB is '{wrong}', but must be a number of GiB"):
            cache_limit()


def test_the_summary_says_what_is_there_and_clearing_touches_nothing_else(tmp_path):
    cache = cache_of(tmp_path)
    for i in range(3):
        cache.fetch("cases", i, Maker(i))
    cache.fetch("images", 0, Maker(n=2_000_000))
    own = tmp_path / "cases" / "notes.txt"
    own.write_text("mine")
    first, cases, images, last = cache_summary(cache).split("\n")
    assert first.startswith(f"{tmp_path}: 4 entries, 1.9 MiB of at most 20 GiB")
    assert "3 entries, 0.0 MiB, last used 20" in cases and cases.endswith("cases as they were read")
    assert images.split()[:2] == ["images", "1"] and "RATERBENCH_CACHE_GIB" in last
    assert clear_cache(cache) == f"{tmp_path}: removed 4 entries, 1.9 MiB"
    assert not cache.entries() and own.read_text() == "mine"
