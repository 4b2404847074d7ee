"""Tensors in files that are mapped into memory: all cases together take no memory of the process."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import Preparation, RaterbenchError
from raterbench.methods.learning.preparation import prepare_case, stack, store_slices
from raterbench.methods.learning.volumes import scratch
from raterbench.methods.learning.volumes.scratch import ScratchFile

PROGRAM = """
import numpy as np
import torch
from raterbench.datasets import Case, Dataset, Geometry, Preparation
from raterbench.datasets.base import index_table
from raterbench.methods.learning.network import NetworkMethod
from raterbench.methods.learning.budget import Budget

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

for mode in ("slices", "volumes"):
    for n in (4, 60):
        Read.most, method = 0, Read(budget=Budget(backbone="shallow"))
        slices = method.prepare(Same(n, mode), seed=0)
        for rows in torch.randperm(len(slices))[:64].split(8):
            slices.draw(rows, torch.device("cpu"), torch.Generator())
            Read.most = max(Read.most, anonymous())
        print(Read.most)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells how much memory of a process is its own")
def test_fifteen_times_as_many_cases_take_no_more_memory():
    """Of 4 and 60 volumes with 1.3 MB of prepared voxels each: the own memory of the process, not what files are cached."""
    slices, more_slices, volumes, more_volumes = map(int, subprocess.check_output([sys.executable, "-c", PROGRAM]).split())
    assert more_slices < 1.1 * slices and more_volumes < 1.1 * volumes


def test_tensors_come_back_whatever_their_types():
    tensors = [torch.rand(2, 3), torch.tensor([True, False, True]), torch.rand(1, 4), torch.zeros(0, 5), torch.arange(7)]
    file = ScratchFile()
    for tensor in tensors:
        file.add(tensor)
    for found, expected in zip(file.tensors(), tensors, strict=True):
        assert found.dtype == expected.dtype and torch.equal(found, expected)


def test_parts_are_joined_along_the_first_axis_and_can_be_changed():
    file, parts = ScratchFile(), [torch.rand(n, 3) for n in (2, 0, 1)]
    for part in parts:
        file.add(part)
    joined = file.joined()
    assert torch.equal(joined, torch.cat(parts))
    joined[0] = 5
    assert (joined[0] == 5).all()


def test_parts_of_different_shapes_cannot_be_joined():
    file = ScratchFile()
    for channels in (1, 3):
        file.add(torch.rand(2, channels))
    with pytest.raises(ValueError, match="as many channels"):
        file.joined()


def test_nothing_is_left_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file = ScratchFile()
    file.add(torch.rand(3))
    assert file.joined().shape == (3,) and not list(tmp_path.iterdir())


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
    expected, found = stack(parts, (64, 32)).judged(), store_slices(iter(parts), (64, 32))
    for name in ("images", "ratings", "present", "cases"):
        assert torch.equal(getattr(found, name), getattr(expected, name))
        assert getattr(found, name).dtype == getattr(expected, name).dtype
    for r in range(len(dataset.raters)):
        alone = found.of_rater(r)
        there = expected.present[:, r].flatten(1).any(dim=1)
        assert torch.equal(alone.ratings, expected.ratings[there, r : r + 1]) and torch.equal(
            alone.cases, expected.cases[there]
        )
    counted = torch.tensor([True, *[False] * (len(dataset.raters) - 1)])
    assert np.array_equal(found.only_raters(counted).seen_raters(), counted)
