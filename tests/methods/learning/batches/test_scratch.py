"""Tensors in files that are mapped into memory: all cases together take no memory of the process."""

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import Preparation, RaterbenchError
from raterbench.methods.learning.batches import scratch
from raterbench.methods.learning.batches.scratch import ScratchFile
from raterbench.methods.learning.batches.slices import stack, store_slices
from raterbench.methods.learning.preparation import prepare_case

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
import torch
from raterbench.datasets import Case, Dataset, Geometry, Preparation
from raterbench.datasets.base import index_table
from raterbench.datasets.cache.cases import KeptCases
from raterbench.datasets.cache.disk_cache import DiskCache
from raterbench.methods.learning.network import NetworkMethod
from raterbench.methods.learning.budget import Budget

kept = DiskCache(Path(sys.argv[1]), worthwhile=False)
shape = (32, 64, 64)
labels, image = np.zeros(shape, np.uint8), np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
labels[10:20, 20:40, 20:40] = 1

class Same(Dataset):
    name, classes, raters = "same", ("background", "box"), ("ann", "bob")
    def __init__(self, n, mode):
        self.preparation = Preparation(mode=mode, patch=(32, 32, 32))
        self.index = index_table((str(i), str(i), "", ("ann", "bob")) for i in range(n))
    def load(self, position):
        ratings = {"ann": labels, "bob": labels}
        return Case(str(position), str(position), "", image, ratings, Geometry.axis_aligned(3, (1, 1, 1)))

def anonymous():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

class Read(NetworkMethod):
    most = 0
    def targets(self, case):
        Read.most = max(Read.most, anonymous())
        return super().targets(case)

for mode, cache in (("slices", None), ("volumes", None), ("slices", kept), ("volumes", kept)):
    DiskCache.current = cache
    for n in (4, 16, 240):  # The first time, libraries take memory that they keep.
        Read.most, method, data = 0, Read(budget=Budget(backbone="shallow")), Same(n, mode)
        data.reader = KeptCases(data, "").read
        slices = method.prepare(data, seed=0)
        for rows in torch.randperm(len(slices))[:64].split(8):
            slices.draw(rows, torch.device("cpu"), torch.Generator())
            Read.most = max(Read.most, anonymous())
        print(Read.most)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells how much memory of a process is its own")
def test_fifteen_times_as_many_cases_take_no_more_memory(tmp_path):
    """Of 16 and 240 volumes with 1.3 MB of prepared voxels each: the own memory of the process, not what files are mapped.

    As slices and as volumes, without and with a cache.
    """
    found = list(map(int, subprocess.check_output([sys.executable, "-c", PROGRAM, str(tmp_path)]).split()))
    assert all(more < 1.1 * few for few, more in zip(found[1::3], found[2::3], strict=True)), found


def test_tensors_come_back_whatever_their_types():
    tensors = [torch.rand(2, 3), torch.tensor([True, False, True]), torch.rand(1, 4), torch.zeros(0, 5), torch.arange(7)]
    file = ScratchFile()
    for tensor in tensors:
        file.add(tensor)
    for found, expected in zip(file.tensors(), tensors, strict=True):
        assert found.dtype == expected.dtype and torch.equal(found, expected)


def test_nothing_is_left_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file = ScratchFile()
    file.add(torch.rand(3))
    assert file.tensors()[0].shape == (3,) and not list(tmp_path.iterdir())


def test_a_full_disk_is_a_clear_error(monkeypatch):
    class Full:
        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(scratch.tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(
        RaterbenchError, match=r"cannot be written to .*: No space left on device: make room there, or set .*TMPDIR"
    ):
        ScratchFile().add(torch.rand(3))


@pytest.mark.parametrize("shapes", [[(20, 30)] * 3, [(20, 30), (3, 70, 40), (32, 32)]], ids=["one size", "several sizes"])
def test_stored_slices_are_those_that_were_stacked(shapes):
    """Without the slices that nobody judged; of several sizes all are padded to the largest."""
    dataset = make_dataset(shapes=shapes)
    parts = [prepare_case(case, case.ratings, dataset.raters, 2, Preparation(), position=i) for i, case in enumerate(dataset)]
    parts[1].present[0] = False
    whole, found = stack(parts, (64, 32)), store_slices(iter(parts), (64, 32))
    everything, judged = whole.whole(), whole.judged()
    assert 0 < judged.sum() < len(judged) and found.sides == whole.sides
    for part, expected in zip(found.whole(), everything, strict=True):
        assert torch.equal(part, expected[judged]) and part.dtype == expected.dtype
    for r in range(len(dataset.raters)):
        alone, there = found.of_rater(r).whole(), everything.present[:, r].flatten(1).any(dim=1)
        assert torch.equal(alone.ratings, everything.ratings[there, r : r + 1])
        assert torch.equal(alone.cases, everything.cases[there])
    counted = torch.tensor([True, *[False] * (len(dataset.raters) - 1)])
    only = found.only_raters(counted)
    assert torch.equal(only.seen_raters(), counted) and not only.whole().present[:, 1:].any()
    assert not only.whole().ratings[:, 1:].any() and only.whole().ratings[:, 0].any()
    assert torch.equal(only.whole().present[:, 0], everything.present[everything.present[:, 0].flatten(1).any(dim=1), 0])


def test_slices_of_images_with_different_numbers_of_channels_cannot_be_learned_together():
    case = make_dataset(shapes=[(32, 32)])[0]
    both = replace(case, image=np.concatenate([case.image] * 2))
    parts = [prepare_case(one, one.ratings, tuple(one.ratings), 2, Preparation()) for one in (case, both)]
    with pytest.raises(ValueError, match=r"images of \[1, 2\] channels"):
        store_slices(iter(parts))
