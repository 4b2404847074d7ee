import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench.benchmark.experiment.experiment import Split
from raterbench.benchmark.experiment.splits import PARTS, make_folds, manifest, manifest_hash, read_manifest, validation_seats
from raterbench.datasets import Case, CaseList, Geometry, Phantom, RaterbenchError

CENTRES = ("north", "south", "west")


def cases_of(subjects, centres=None):
    """A data set of one-pixel cases; ``subjects`` has a name for each case."""
    centres = centres or ["here"] * len(subjects)
    image, labels = np.zeros((1, 1, 1), np.float32), np.zeros((1, 1), np.uint8)
    cases = [
        Case(f"case-{i}", subject, centre, image, {"a": labels}, Geometry.axis_aligned(2))
        for i, (subject, centre) in enumerate(zip(subjects, centres, strict=True))
    ]
    return CaseList("made", cases, ("background", "thing"))


@pytest.fixture(scope="module")
def phantom():
    return Phantom(subjects=15, slices=2, size=32)


@st.composite
def indexes(draw):
    """Subjects with one to five cases each, one centre a subject."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=4, max_size=12))
    homes = draw(st.lists(st.sampled_from(CENTRES), min_size=len(sizes), max_size=len(sizes)))
    order = draw(st.permutations([s for s, size in enumerate(sizes) for _ in range(size)]))
    return cases_of([f"s{s}" for s in order], [homes[s] for s in order])


@settings(max_examples=60, deadline=None)
@given(
    dataset=indexes(),
    folds=st.integers(2, 4),
    repeats=st.integers(1, 3),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
)
def test_no_subject_is_in_two_parts_and_every_case_is_tested_once_a_repeat(dataset, folds, repeats, share, seed):
    subjects = dataset.index["subject"].to_numpy(str)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = make_folds(dataset, Split(folds=folds, repeats=repeats, validation=share), seed)
    assert [(f.repeat, f.fold) for f in made] == [(r, f) for r in range(repeats) for f in range(folds)]
    for fold in made:
        parts = [set(subjects[list(part)]) for part in (fold.train, fold.validation, fold.test)]
        assert all(parts)
        assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
        assert sorted((*fold.train, *fold.validation, *fold.test)) == list(range(len(dataset)))
    for repeat in range(repeats):
        tested = [i for fold in made if fold.repeat == repeat for i in fold.test]
        assert sorted(tested) == list(range(len(dataset)))
        sizes = [len(set(subjects[list(fold.test)])) for fold in made if fold.repeat == repeat]
        assert max(sizes) - min(sizes) <= 1


def test_folds_depend_on_the_index_the_repeat_and_the_seed_only(phantom):
    split = Split(folds=5, repeats=2)
    first = make_folds(phantom, split, 0)
    assert make_folds(Phantom(subjects=15, slices=2, size=48), split, 0) == first
    assert make_folds(phantom, Split(folds=5, repeats=1), 0) == first[:5]
    assert make_folds(phantom, split, 1) != first
    assert {f.test for f in first[:5]} != {f.test for f in first[5:]}


def test_centres_are_spread_evenly_over_folds(phantom):
    centres = phantom.index["centre"].to_numpy(str)
    for fold in make_folds(phantom, Split(folds=5), 0):
        names, counts = np.unique(centres[list(fold.test)], return_counts=True)
        assert dict(zip(names, counts, strict=True)) == {"north": 2, "south": 2, "west": 2}


@settings(max_examples=10, deadline=None)
@given(first=st.integers(0, 2**31 - 5), policy=st.sampled_from(["folds", "holdout"]))
def test_no_seed_and_repeat_has_the_folds_of_another(first, policy):
    dataset = cases_of([f"s{i}" for i in range(60)])
    dataset.official_test = tuple(range(10))
    split = Split(policy=policy, folds=3, repeats=4)
    made = [fold for seed in range(first, first + 4) for fold in make_folds(dataset, split, seed)]
    validation = {fold.validation for fold in made}
    assert len(validation) == len(made)
    if policy == "folds":
        assert len({fold.test for fold in made}) == len(made)


@settings(max_examples=30, deadline=None)
@given(dataset=indexes(), data=st.data(), seed=st.integers(0, 99))
def test_the_order_of_the_cases_plays_no_part(dataset, data, seed):
    order = data.draw(st.permutations(range(len(dataset))))
    shuffled = CaseList("made", [dataset.cases[i] for i in order], dataset.classes)
    dataset.official_test = tuple(i for i, name in enumerate(dataset.index["subject"]) if name == "s0")
    shuffled.official_test = tuple(i for i, name in enumerate(shuffled.index["subject"]) if name == "s0")
    for policy in ("folds", "holdout"):
        split = Split(policy=policy, folds=2, repeats=2)
        assert manifest(shuffled, make_folds(shuffled, split, seed)) == manifest(dataset, make_folds(dataset, split, seed))


def test_each_part_lists_its_cases_by_name(phantom, tmp_path):
    backwards = phantom.subset(range(len(phantom))[::-1])
    names = backwards.index["case"].to_numpy(str)
    made = make_folds(backwards, Split(folds=3), 0)
    (tmp_path / "splits.json").write_text(json.dumps(manifest(phantom, make_folds(phantom, Split(folds=3), 0))))
    assert read_manifest(tmp_path / "splits.json", backwards) == made
    for fold in made:
        assert all(list(names[list(getattr(fold, part))]) == sorted(names[list(getattr(fold, part))]) for part in PARTS)


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6), share=st.floats(0.01, 0.99))
def test_seats_go_to_every_centre_that_can_spare_a_subject(sizes, share):
    n = min(math.ceil(share * sum(sizes)), sum(sizes) - 1)
    seats = validation_seats(sizes, n)
    assert sum(seats) == n
    assert all(0 <= given <= size for given, size in zip(seats, sizes, strict=True))
    able = [i for i, size in enumerate(sizes) if size >= 2]
    if n >= len(able):
        assert all(seats[i] for i in able)
    else:
        assert min(sizes[i] for i in able if seats[i]) >= max(sizes[i] for i in able if not seats[i])
    if n <= sum(size - 1 for size in sizes):
        assert all(given < size for given, size in zip(seats, sizes, strict=True))


@pytest.mark.parametrize(
    ("sizes", "n", "seats"),
    [
        ([4, 4, 4], 3, [1, 1, 1]),
        ([20, 3, 1], 6, [5, 1, 0]),
        ([3, 20, 4], 2, [0, 1, 1]),
        ([10, 10, 2], 5, [2, 2, 1]),
        ([7, 2], 3, [2, 1]),
        ([1, 1, 1], 2, [1, 1, 0]),
        ([2, 1], 2, [1, 1]),
    ],
)
def test_seats_follow_the_sizes_of_the_centres(sizes, n, seats):
    assert validation_seats(sizes, n) == seats


@settings(max_examples=40, deadline=None)
@given(dataset=indexes(), folds=st.integers(2, 4), share=st.floats(0.1, 0.6), seed=st.integers(0, 99))
def test_a_centre_that_can_spare_a_subject_is_in_validation_and_in_training(dataset, folds, share, seed):
    subjects, centres = (dataset.index[column].to_numpy(str) for column in ("subject", "centre"))
    for fold in make_folds(dataset, Split(folds=folds, validation=share), seed):
        rest = [*fold.train, *fold.validation]
        sizes = {centre: len(set(subjects[rest][centres[rest] == centre])) for centre in CENTRES}
        able = {centre for centre, size in sizes.items() if size >= 2}
        n = len(set(subjects[list(fold.validation)]))
        if n >= len(able):
            assert able <= set(centres[list(fold.validation)])
        if n <= sum(size - 1 for size in sizes.values() if size):
            assert able <= set(centres[list(fold.train)])


def test_the_validation_share_is_of_the_training_subjects(phantom):
    subjects = phantom.index["subject"].to_numpy(str)
    for fold in make_folds(phantom, Split(folds=5, validation=0.25), 0):
        assert len(set(subjects[list(fold.validation)])) == 3
        assert len(set(subjects[list(fold.train)])) == 9


def test_each_centre_is_left_out_once(phantom):
    centres = phantom.index["centre"].to_numpy(str)
    folds = make_folds(phantom, Split(policy="leave-one-centre-out"), 0)
    assert [set(centres[list(fold.test)]) for fold in folds] == [{"north"}, {"south"}, {"west"}]
    assert not any(set(centres[list(f.test)]) & set(centres[[*f.train, *f.validation]]) for f in folds)


def test_the_official_test_part_is_held_out():
    dataset = cases_of([f"s{i}" for i in range(8)])
    dataset.official_test = (6, 7)
    (one, two) = make_folds(dataset, Split(policy="holdout", repeats=2), 0)
    assert one.test == two.test == (6, 7)
    assert sorted((*one.train, *one.validation)) == list(range(6))
    assert one.validation != two.validation


@pytest.mark.parametrize(
    ("subjects", "centres", "split", "says"),
    [
        (["a", "b"], None, Split(folds=2), "has 2 subjects, too few for 2 folds: training and validation need one each"),
        (["a", "b", "c"] * 4, None, Split(folds=2), "has 3 subjects, too few for 2 folds"),
        (["a", "b", "c"] * 4, None, Split(folds=5), "has 3 subjects, too few for 5 folds: lower split.folds"),
        (["a", "b", "c"], None, Split(policy="leave-one-centre-out"), "has one centre only"),
        (["a", "b", "c"], None, Split(policy="holdout"), "has no test part of its own"),
        (["a", "b"], ["n", "s"], Split(policy="leave-one-centre-out"), "one subject leaves nothing to validate on"),
        (
            ["a", "b", "c", "a", "d"],
            ["n", "n", "n", "s", "s"],
            Split(policy="leave-one-centre-out"),
            "subject 'a' is in .* and test of repeat 0, fold 0",
        ),
    ],
)
def test_data_that_cannot_be_split_so_are_a_sentence(subjects, centres, split, says):
    with pytest.raises(RaterbenchError, match=says):
        make_folds(cases_of(subjects, centres), split, 0)


@pytest.fixture
def stored(phantom, tmp_path):
    """Writes the manifest of three folds after an alteration; gives its path and the folds."""
    folds = make_folds(phantom, Split(folds=3), 0)

    def write(alter=lambda values: None):
        values = json.loads(json.dumps(manifest(phantom, folds)))
        alter(values)
        path = tmp_path / "splits.json"
        path.write_text(json.dumps(values, indent=1))
        return path, folds

    return write


def test_a_manifest_can_be_handed_in_again(phantom, stored):
    path, folds = stored()
    assert read_manifest(path, phantom) == folds
    assert make_folds(phantom, Split(folds=7, manifest=str(path)), seed=9) == folds


def test_the_hash_is_that_of_the_folds(phantom, stored):
    path, folds = stored()
    values = json.loads(path.read_text())
    assert values["hash"] == manifest_hash(values["folds"]) == manifest(phantom, folds)["hash"]
    values["folds"][0]["train"].pop()
    assert manifest_hash(values["folds"]) != values["hash"]


def unhashed(change):
    def alter(values):
        del values["hash"]
        change(values["folds"])

    return alter


def move(folds):
    folds[0]["train"].append(folds[0]["test"].pop())


@pytest.mark.parametrize(
    ("alter", "says"),
    [
        (lambda v: v["folds"][0]["train"].pop(), "was altered"),
        (unhashed(lambda folds: folds[0]["train"].append("nobody")), "names case 'nobody', which 'phantom' lacks"),
        (unhashed(move), "subject '.*' is in train and test of repeat 0, fold 0: give each subject to one part"),
        (unhashed(lambda folds: folds[1].pop("train")), "fold 1 has no key 'train'"),
        (
            unhashed(lambda folds: folds[1].update(train=None)),
            "fold 1: train = None must be a list",
        ),
        (unhashed(lambda folds: folds.clear()), "must be numbered 0, 1"),
        (unhashed(lambda folds: folds.pop(0)), "must be numbered 0, 1"),
        (unhashed(lambda folds: folds[1].update(fold=0)), "must be numbered 0, 1"),
        (unhashed(lambda folds: folds[1].update(test=[])), "the test part of repeat 0, fold 1 is empty"),
        (unhashed(lambda folds: folds[0].update(validation=[])), "the validation part of repeat 0, fold 0 is empty"),
        (unhashed(lambda folds: folds[1].update(folds[0], fold=1)), "case '.*' is tested twice in repeat 0"),
        (lambda v: v.pop("folds"), "has no list of folds"),
    ],
)
def test_an_altered_manifest_is_a_sentence(phantom, stored, alter, says):
    path, _ = stored(alter)
    with pytest.raises(RaterbenchError, match=says):
        read_manifest(path, phantom)


def test_the_order_in_which_a_manifest_lists_cases_plays_no_part(phantom, stored):
    path, folds = stored(unhashed(lambda listed: [fold[part].reverse() for fold in listed for part in PARTS]))
    assert read_manifest(path, phantom) == folds


def test_a_manifest_written_by_hand_needs_no_hash(phantom, stored):
    path, folds = stored(unhashed(lambda folds: None))
    assert read_manifest(path, phantom) == folds


@pytest.mark.parametrize("text", ["", "[]", "{", "3"])
def test_what_is_no_manifest_is_a_sentence(phantom, tmp_path, text):
    path = tmp_path / "splits.json"
    path.write_text(text)
    with pytest.raises(RaterbenchError, match=r"is not valid JSON|has no list of folds"):
        read_manifest(path, phantom)
    with pytest.raises(RaterbenchError, match=r"split manifest '.*missing\.json' is not a file"):
        read_manifest(tmp_path / "missing.json", phantom)
