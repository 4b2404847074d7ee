import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench.benchmark.checks.splits import check_split
from raterbench.benchmark.experiment.experiment import Experiment, read_experiment
from raterbench.benchmark.experiment.factory import load_plugins
from raterbench.benchmark.experiment.splits import (
    PARTS,
    SPLITS,
    Split,
    make_folds,
    manifest,
    manifest_hash,
    read_manifest,
)
from raterbench.benchmark.experiment.splits.draw import subjects_per_centre
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
    split = Split(policy, repeats=4, parameters={"folds": 3} if policy == "folds" else {})
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
        split = Split(policy, repeats=2, parameters={"folds": 2} if policy == "folds" else {})
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
    seats = subjects_per_centre(sizes, n)
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
    assert subjects_per_centre(sizes, n) == seats


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


@pytest.mark.parametrize(
    ("split", "hashes"),
    [
        (Split("folds", folds=5, repeats=2), ["84f59fb3ad7bb1a0", "5c0a5b99ee42c819", "8c9d6b4c89a4110c"]),
        (Split("folds", folds=3, repeats=1, validation=0.4), ["e74a18b9b7bbe098", "f079de348906da39", "9b55231d648d9f18"]),
        (Split("holdout", repeats=3), ["e34e781d560da3ad", "c6c4c5a3b3312306", "17686e486df46601"]),
        (Split("leave-one-centre-out", repeats=2), ["8648d16305bd498b", "67a3b9d626398193", "82043bd6ee12f1be"]),
    ],
)
def test_folds_are_those_of_earlier_versions(split, hashes):
    phantom = Phantom(subjects=15, slices=2, size=32)
    subjects = phantom.index["subject"]
    phantom.official_test = tuple(i for i, subject in enumerate(subjects) if subject in sorted(set(subjects))[:3])
    made = [manifest(phantom, make_folds(phantom, split, seed))["hash"] for seed in (0, 1, 7)]
    assert made == hashes


@settings(max_examples=30, deadline=None)
@given(dataset=indexes(), test=st.floats(0.01, 0.99), share=st.floats(0.05, 0.95), seed=st.integers(0, 99))
def test_random_shares_are_of_the_subjects(dataset, test, share, seed):
    subjects = dataset.index["subject"].to_numpy(str)
    made = make_folds(dataset, Split("random", test=test, validation=share, repeats=3), seed)
    n = len(set(subjects))
    assert [(fold.repeat, fold.fold) for fold in made] == [(0, 0), (1, 0), (2, 0)]
    for fold in made:
        tested = len(set(subjects[list(fold.test)]))
        assert tested == min(math.ceil(round(test * n, 9)), n - 2)
        assert len(set(subjects[list(fold.validation)])) == min(math.ceil(share * (n - tested)), n - tested - 1)
        assert sorted((*fold.train, *fold.validation, *fold.test)) == list(range(len(dataset)))


@pytest.mark.parametrize(("subjects", "sizes"), [(15, [9, 3, 3]), (20, [12, 4, 4]), (36, [21, 7, 8]), (40, [24, 8, 8])])
def test_sixty_twenty_twenty_by_subject_in_any_number_of_repeats(subjects, sizes):
    data = cases_of([f"s{i // 2}" for i in range(2 * subjects)])
    folds = make_folds(data, Split("random", test=0.2, validation=0.25, repeats=20), 0)
    for fold in folds:
        parts = [set(data.index["subject"].iloc[list(getattr(fold, part))]) for part in PARTS]
        assert [len(part) for part in parts] == sizes and len(set.union(*parts)) == subjects
    assert len({(fold.validation, fold.test) for fold in folds}) == 20


def test_sixty_twenty_twenty_of_each_centre(phantom):
    subjects, centres = (phantom.index[column].to_numpy(str) for column in ("subject", "centre"))
    folds = make_folds(phantom, Split("random", test=0.2, validation=0.25, repeats=5), 0)
    for fold in folds:
        assert [len(set(subjects[list(getattr(fold, part))])) for part in PARTS] == [9, 3, 3]
        assert set(centres[list(fold.test)]) == set(centres[list(fold.validation)]) == set(CENTRES)
    assert len({fold.test for fold in folds}) == 5


def centres_of(dataset, fold):
    centres = dataset.index["centre"].to_numpy(str)
    return [set(centres[list(getattr(fold, part))].tolist()) for part in PARTS]


def test_centres_rotate_through_validation_and_test(phantom):
    folds = make_folds(phantom, Split("centres", repeats=8), 0)
    for fold in folds:
        parts = centres_of(phantom, fold)
        assert sorted(map(len, parts)) == [1, 1, 1]
        assert set.union(*parts) == set(CENTRES)
        assert parts[2] == {CENTRES[fold.fold]}
    assert len(folds) == 24
    assert len({str(centres_of(phantom, fold)[1]) for fold in folds if fold.fold == 0}) == 2


def test_of_four_centres_two_train_and_each_is_tested_in_ten_trainings():
    data = Phantom(subjects=8, slices=1, size=16, centres=4)
    folds = make_folds(data, Split("centres", repeats=10), 0)
    names, drawn = sorted(set(data.index["centre"])), {}
    for fold in folds:
        train, validation, test = centres_of(data, fold)
        assert [len(train), len(validation)] == [2, 1] and test == {names[fold.fold]}
        assert train | validation | test == set(names)
        drawn.setdefault(fold.fold, []).append(*validation)
    assert [len(validating) for validating in drawn.values()] == [10] * 4
    # Over the ten repeats every other centre validates at some time.
    assert all(set(validating) == {*names} - {names[tested]} for tested, validating in drawn.items())


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"test_centre": "south", "validation_centre": "west"}, [[{"north"}, {"west"}, {"south"}]]),
        ({"validation_centre": "west"}, [[{"south"}, {"west"}, {"north"}], [{"north"}, {"west"}, {"south"}]]),
        ({"train_centres": ("west",), "test_centre": "south"}, [[{"west"}, {"north"}, {"south"}]]),
        ({"train_centres": ["west"]}, [[{"west"}, {"south"}, {"north"}], [{"west"}, {"north"}, {"south"}]]),
    ],
)
def test_named_centres_stay_where_they_are(phantom, named, expected):
    assert [centres_of(phantom, fold) for fold in make_folds(phantom, Split("centres", **named), 0)] == expected


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"test_centre": "sout"}, "'sout' is no centre of data set 'phantom'; did you mean 'south'?"),
        ({"test_centre": "south", "validation_centre": "south"}, "centre 'south' is named twice"),
        ({"train_centres": ("south", "west")}, "too few centres of data set 'phantom' are left"),
        ({"train_centres": "south"}, "train_centres = 'south' must be a list"),
    ],
)
def test_centres_that_cannot_be_are_a_sentence(phantom, named, says):
    with pytest.raises(RaterbenchError, match=says):
        make_folds(phantom, Split("centres", **named), 0)


def test_too_few_centres_or_subjects_are_a_sentence():
    with pytest.raises(RaterbenchError, match="has 2 centres, and training, validation and test need one each"):
        make_folds(cases_of(["a", "b"], ["n", "s"]), Split("centres"), 0)
    with pytest.raises(RaterbenchError, match="has 2 subjects, too few for training, validation and test"):
        make_folds(cases_of(["a", "b"]), Split("random"), 0)


def test_the_policies_are_found_by_name_and_keep_the_contract():
    assert SPLITS.names() == ["centres", "folds", "holdout", "leave-one-centre-out", "random"]
    for name in SPLITS.names():
        assert [result for result in check_split(SPLITS.get(name)) if not result.passed] == []


def test_a_split_holds_the_parameters_of_its_policy():
    assert Split() == Split(folds=5) == Split(parameters={"folds": 5})
    assert Split("random").parameters == {"test": 0.2}
    assert Split("random", test=0.2) == Split(policy="random")
    with pytest.raises(RaterbenchError, match="split: unknown key 'fold'; did you mean 'folds'"):
        Split(fold=3)
    with pytest.raises(RaterbenchError, match="split: test = 0 must be a number greater than 0 and less than 1"):
        Split("random", test=0)
    with pytest.raises(RaterbenchError, match="split: unknown key 'folds'"):
        Split("holdout", folds=3)


EVERY_OTHER = """
import numpy as np
from raterbench.benchmark.experiment.splits import SplitPolicy


class EveryOther(SplitPolicy):
    \"\"\"Every n-th subject is tested.\"\"\"

    def __init__(self, *, every: int = 3):
        self.every = every

    def outer(self, cases, seeds):
        test = np.isin(cases.subjects, np.unique(cases.subjects)[::self.every])
        yield np.flatnonzero(~test), np.flatnonzero(test)
"""


@pytest.fixture
def plugin_file(tmp_path):
    (tmp_path / "mine.py").write_text(EVERY_OTHER)
    return tmp_path / "mine.py"


@pytest.fixture
def toml(tmp_path):
    def write(text, name="mine.toml"):
        (tmp_path / name).write_text(text + "\n[[candidates]]\nmethod = 'tgce'\n")
        return str(tmp_path / name)

    return write


def test_a_plugin_adds_a_split(phantom, plugin_file, toml):
    text = "plugins = ['mine.py']\n[split]\npolicy = 'every-other'\nevery = 5\nrepeats = 2"
    experiment = read_experiment(toml(text))
    load_plugins(experiment.plugins)
    folds = make_folds(phantom, experiment.split, 0)
    assert len(set(phantom.index["subject"].iloc[list(folds[0].test)])) == 3
    assert Experiment.from_json(json.loads(json.dumps(experiment.to_json()))) == read_experiment(toml(text))
    assert [result for result in check_split(SPLITS.get("every-other")) if not result.passed] == []
    with pytest.raises(RaterbenchError, match="split: unknown key 'evry'; did you mean 'every'"):
        make_folds(phantom, Split("every-other", evry=3), 0)


def test_a_leak_of_a_plugin_is_found(phantom, plugin_file):
    plugin_file.write_text(EVERY_OTHER.replace("yield np.flatnonzero(~test)", "yield np.arange(len(test))"))
    load_plugins((str(plugin_file),))
    with pytest.raises(RaterbenchError, match=r"subject '.*' is in (train|validation) and test of repeat 0, fold 0"):
        make_folds(phantom, Split("every-other"), 0)
    assert "no subject is in two parts of a fold" in [r.name for r in check_split(SPLITS.get("every-other")) if not r.passed]


def test_a_split_of_a_plugin_that_raises_is_a_sentence(phantom, plugin_file):
    plugin_file.write_text(EVERY_OTHER.replace("test = np", "1 / 0; test = np"))
    load_plugins((str(plugin_file),))
    with pytest.raises(RaterbenchError, match=r"split policy 'every-other': ZeroDivisionError: .*mine\.py, line"):
        make_folds(phantom, Split("every-other"), 0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("policy = 'fold'", r"mine\.toml: .*no split.policy called 'fold'; did you mean 'folds'"),
        ("policy = 'random'\ntets = 0.2", r"mine\.toml: split: unknown key 'tets'; did you mean 'test'"),
        ("policy = 'folds'\nself = 2", r"mine\.toml: split: unknown key 'self'"),
        ("policy = 3", r"mine\.toml: split: policy = 3 must be a text"),
        ("parameters = 3", r"mine\.toml: split: parameters must be a table"),
    ],
)
def test_a_wrong_split_in_a_file_is_a_sentence(toml, text, says):
    with pytest.raises(RaterbenchError, match=says):
        read_experiment(toml(f"[split]\n{text}"))


def test_another_policy_keeps_only_what_all_policies_share(toml):
    toml("[split]\nfolds = 3\nrepeats = 4", "below.toml")
    own = read_experiment(toml("extends = 'below.toml'\n[split]\npolicy = 'random'"))
    assert own.split == Split("random", repeats=4)
    file = toml("[split]\nfolds = 3\nrepeats = 4")
    assert read_experiment(file, ["split.policy=random"]).split == Split("random", repeats=4)
    assert read_experiment(file, ["split.policy=random", "split.test=0.5"]).split == Split("random", repeats=4, test=0.5)
    assert read_experiment(file, ["split.policy=folds"]).split == Split(folds=3, repeats=4)
