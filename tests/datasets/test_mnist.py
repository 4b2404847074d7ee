import dataclasses
import gzip
from pathlib import Path

import numpy as np
import pooch
import pytest

from raterbench.datasets import MNIST, RaterbenchError, load_dataset, pooled_confusion
from raterbench.datasets.mnist import _read_idx


def write_idx(file: Path, items: np.ndarray) -> None:
    head = b"\0\0\x08" + bytes([items.ndim]) + np.array(items.shape, ">i4").tobytes()
    file.write_bytes(gzip.compress(head + items.tobytes()))


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """A data folder with four small files in the official format, and a card that has their checksums."""
    folder, draws = tmp_path / "mnist", np.random.default_rng(0)
    folder.mkdir()
    for part, count in (("train", 30), ("t10k", 10)):
        images = np.zeros((count, 28, 28), np.uint8)
        images[:, 8:20, 10:16] = draws.integers(100, 256, (count, 12, 6))
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", draws.integers(0, 10, count).astype(np.uint8))
    checksums = {file.name: f"md5:{pooch.file_hash(str(file), 'md5')}" for file in folder.iterdir()}
    monkeypatch.setattr(MNIST, "card", dataclasses.replace(MNIST.card, checksums=checksums))
    return tmp_path


def test_the_fingerprint_sees_the_content_of_its_files(data, files_seen):
    assert len(files_seen(MNIST(train=20, test=5, data=data), data / "mnist")) == 4


def test_the_parts_and_the_official_test(data):
    digits = MNIST(train=20, test=5, data=data)
    assert len(digits) == 25
    assert digits.official_test == tuple(range(20, 25))
    assert [digits.index["case"][i] for i in (0, 19, 20)] == ["train-00000", "train-00019", "test-00000"]
    assert (digits.index["subject"] == digits.index["case"]).all()
    case = digits[21]
    assert case.image.shape == (1, 28, 28)
    assert case.image.dtype == np.float32
    assert 0 <= case.image.min() <= case.image.max() <= 1
    assert np.array_equal(case.truth.labels, case.image[0] * 255 > 127)
    assert np.array_equal(case.truth.probability.argmax(axis=0), case.truth.labels)
    assert case.diagnosis == digits.index["digit"][21]


def test_the_diagnosis_is_the_digit_or_whether_it_is_5_or_more(data):
    digits, halves = MNIST(train=20, test=0, data=data), MNIST(train=20, test=0, diagnosis="5 or more", data=data)
    assert digits.diagnoses == tuple("0123456789") and halves.diagnoses == ("below 5", "5 or more")
    assert [case.diagnosis for case in digits] == digits.index["digit"].tolist()
    assert [case.diagnosis for case in halves] == (digits.index["digit"] >= 5).astype(int).tolist()
    assert digits.fingerprint() != halves.fingerprint()


def test_every_rater_rates_every_digit_the_same_way_each_time(data):
    one, other = MNIST(train=8, test=2, data=data), MNIST(train=3, test=2, data=data / "mnist")
    assert tuple(one[0].ratings) == one.raters == ("good", "over", "under", "wrong", "blank")
    for position, same in ((2, 2), (8, 3)):
        assert all(np.array_equal(v, other[same].ratings[r]) for r, v in one[position].ratings.items())
    assert np.array_equal(one[0].ratings["good"], one[0].truth.labels)
    assert not one[0].ratings["blank"].any()


def test_one_rater_a_digit_is_drawn_once_and_for_all(data):
    one, again = (MNIST(train=30, test=10, regime="one", data=data) for _ in range(2))
    assert one.index["raters"].tolist() == again.index["raters"].tolist()
    assert all(
        tuple(case.ratings) == raters and len(raters) == 1 for case, raters in zip(one, one.index["raters"], strict=True)
    )
    assert len(set(one.index["raters"])) == 5
    other = MNIST(train=30, test=10, regime="one", seed=1, data=data)
    assert one.index["raters"].tolist() != other.index["raters"].tolist()
    everyone = MNIST(train=30, test=10, data=data)
    rater = one.index["raters"][4][0]
    assert np.array_equal(one[4].ratings[rater], everyone[4].ratings[rater])


def test_a_data_folder_by_variable_or_option(data, monkeypatch):
    monkeypatch.setenv("RATERBENCH_DATA", str(data))
    assert len(load_dataset("mnist", train=2, test=0)) == 2
    with pytest.raises(RaterbenchError, match=r"'/no/such' .* is no folder"):
        load_dataset("mnist", data="/no/such")


def test_a_damaged_file_is_named(data):
    file = data / "mnist" / "train-labels-idx1-ubyte.gz"
    write_idx(file, np.zeros(30, np.uint8))
    with pytest.raises(RaterbenchError, match=r"train-labels-idx1-ubyte\.gz is damaged"):
        MNIST(train=3, test=0, data=data)


def test_without_files_and_network_it_says_where_they_belong(tmp_path, monkeypatch):
    def offline(*_args, **_options):
        raise ConnectionError("no network")

    monkeypatch.setattr(pooch, "retrieve", offline)
    with pytest.raises(RaterbenchError, match="put the four official files into <data>/mnist"):
        MNIST(data=tmp_path)


def test_files_that_are_too_short_or_something_else_are_named(tmp_path):
    write_idx(tmp_path / "a.gz", np.zeros((3, 2, 2), np.uint8))
    assert _read_idx(tmp_path / "a.gz", 2).shape == (2, 2, 2)
    with pytest.raises(RaterbenchError, match="fewer than 4"):
        _read_idx(tmp_path / "a.gz", 4)
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"hello world"))
    with pytest.raises(RaterbenchError, match="no IDX file"):
        _read_idx(tmp_path / "b.gz", 1)


@pytest.mark.parametrize(
    "options", [{"train": -1}, {"test": 10001}, {"train": "5"}, {"regime": "some"}, {"train": 0, "test": 0}]
)
def test_an_option_out_of_range_is_named(options):
    with pytest.raises(RaterbenchError, match=next(iter(options))):
        MNIST(**options)


def test_the_real_digits_and_their_raters(real_data):
    digits = MNIST(train=300, test=100, data=real_data)
    cases = list(digits)
    assert digits.index["digit"][:5].tolist() == [5, 0, 4, 1, 9]
    found = pooled_confusion(cases)
    assert np.array_equal(found["good"], np.eye(2))
    assert found["over"][1, 1] == 1
    assert 0.2 < found["over"][1, 0] < 0.4
    assert 0.2 < found["under"][1, 1] < 0.5
    assert found["under"][1, 0] == 0
    assert 0.7 < found["wrong"][1, 1] < 0.9
    assert np.array_equal(found["blank"], [[1, 1], [0, 0]])


def test_some_of_the_raters_rate_as_they_do_among_all(data):
    four = MNIST(train=6, test=2, raters=["wrong", "good"], data=data)
    everyone = MNIST(train=6, test=2, data=data)
    assert four.raters == ("good", "wrong") == tuple(four[0].ratings)
    np.testing.assert_array_equal(four[3].ratings["wrong"], everyone[3].ratings["wrong"])
    with pytest.raises(RaterbenchError, match="did you mean 'good'"):
        MNIST(raters=["god"], data=data)
    with pytest.raises(RaterbenchError, match="raters is empty"):
        MNIST(raters=[], regime="one", data=data)
