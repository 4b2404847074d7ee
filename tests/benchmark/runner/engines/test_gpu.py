"""How many units train on a GPU at a time."""

from raterbench.benchmark.runner.engines.gpu import USABLE, GPUMemory, GPUShare, gpu_memory

GIB = 1 << 30


def test_one_unit_runs_until_it_is_known_what_it_takes():
    share = GPUShare()
    assert share.units == 1
    share.note(None)
    assert share.units == 1
    share.note(GPUMemory(2 * GIB, 22 * GIB))
    assert share.units == int(USABLE * 24 / 2) == 10


def test_the_largest_unit_counts_and_what_is_free_beside_others_does_not():
    share = GPUShare()
    share.note(GPUMemory(2 * GIB, 22 * GIB))
    share.note(GPUMemory(GIB, 4 * GIB))
    assert share.units == 10
    share.note(GPUMemory(6 * GIB, 0))
    assert share.units == 3


def test_a_full_gpu_makes_one_unit_fewer_and_one_always_runs():
    share = GPUShare()
    share.was_full(1)
    assert share.units == 1
    share.note(GPUMemory(2 * GIB, 6 * GIB))
    seen = [share.units]
    for _ in range(4):
        share.was_full(share.units)
        seen.append(share.units)
    assert seen == [3, 2, 1, 1, 1]
    share.note(GPUMemory(20 * GIB, 0))
    assert share.units == 1


def test_one_fewer_than_ran_fits_where_fewer_ran_than_were_thought_to_fit():
    share = GPUShare()
    share.note(GPUMemory(GIB, 39 * GIB))
    assert share.units == 36
    share.was_full(16)
    assert share.units == 15


def test_the_cpu_has_no_such_memory():
    assert gpu_memory("cpu") is None
