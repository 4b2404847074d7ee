import shutil
from pathlib import Path

import numpy as np
import pytest

from raterbench.benchmark.checks.datasets import CHECKS, check_dataset
from raterbench.benchmark.experiment.experiment import read_experiment
from raterbench.benchmark.runner.measure import measure_units
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.train import train_unit
from raterbench.benchmark.store.units import Rows, measuring_path, read_measuring
from raterbench.datasets import ISBI2015, Geometry, RaterbenchError, load_dataset, pooled_confusion

from ..written_files import put

SHAPE = (5, 20, 24)
TIMES = {1: 4, 2: 4, 3: 5, 4: 4, 5: 4}


def lesions(patient: int, time: int, rater: int = 1) -> np.ndarray:
    """Two blobs in two slices, a little larger in the eyes of the second rater."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:3, 4:9, 4 + patient : 8 + patient + rater] = 1
    mask[2, 12:16, 8 + time : 14 + time] = 1
    return mask


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    """Small scans of five patients in the layout of the download, which no test may change."""
    root = tmp_path_factory.mktemp("download") / "isbi2015" / "training"
    for patient, times in TIMES.items():
        for time in range(1, times + 1):
            stem = f"training{patient:02d}_{time:02d}"
            for number, contrast in enumerate(("flair", "mprage", "pd", "t2")):
                image = 50 + 20 * number + 60 * lesions(patient, time).astype(np.int16)
                put(root / stem[:10] / "preprocessed" / f"{stem}_{contrast}_pp.nii", image)
            for rater in (1, 2):
                put(root / stem[:10] / "masks" / f"{stem}_mask{rater}.nii", lesions(patient, time, rater))
    return root


@pytest.fixture
def training(download, tmp_path):
    """A copy of the download for one test."""
    return Path(shutil.copytree(download, tmp_path / "isbi2015" / "training"))


@pytest.mark.parametrize("up", [0, 1, 2])
def test_it_is_found_wherever_the_download_lies(training, up):
    data = load_dataset("isbi2015", data=str([training, *training.parents][up]))
    assert len(data) == 21
    assert data.raters == ("rater1", "rater2")
    assert data.index["case"].tolist()[:5] == [f"training01_0{t}" for t in range(1, 5)] + ["training02_01"]
    assert data.index.groupby("subject").size().tolist() == list(TIMES.values())


def test_a_scan_has_its_volume_and_both_raters(training):
    case = ISBI2015(data=training)[8]
    assert (case.id, case.subject, case.truth) == ("training03_01", "training03", None)
    assert case.image.shape == (1, *SHAPE) and case.image.dtype == np.float32
    for number, rater in enumerate(("rater1", "rater2"), start=1):
        assert np.array_equal(case.ratings[rater], lesions(3, 1, number))
    assert case.geometry.spacing == (1.0, 1.0, 1.0)


def test_contrasts_are_channels(training):
    data = ISBI2015(data=training, contrasts=("t2", "flair"))
    assert data[0].image[:, 0, 0, 0].tolist() == [110, 50]
    assert data.fingerprint() != ISBI2015(data=training).fingerprint()


def test_the_fingerprint_sees_the_content_of_what_is_read(training, files_seen):
    for patient in ("training03", "training04", "training05"):
        shutil.rmtree(training / patient)
    every = {file.relative_to(training).as_posix() for file in training.rglob("*.nii")}
    read = {name for name in every if "flair" in name or "mask" in name}
    assert files_seen(ISBI2015(data=training), training) == read
    simulated = ISBI2015(data=training, raters="simulated", contrasts=("t2",))
    assert files_seen(simulated, training) == {name for name in every if "t2" in name or "mask1" in name}


def test_compressed_files_are_read_as_well(training):
    for stem in ("preprocessed/training01_01_flair_pp", "masks/training01_01_mask1"):
        file = training / "training01" / f"{stem}.nii"
        pixels = lesions(1, 1)
        file.unlink()
        put(file.with_name(file.name + ".gz"), pixels)
    case = ISBI2015(data=training)[0]
    assert np.array_equal(case.image[0], lesions(1, 1)) and np.array_equal(case.ratings["rater1"], lesions(1, 1))


def test_a_missing_mask_is_an_absent_rater(training):
    (training / "training01" / "masks" / "training01_02_mask2.nii").unlink()
    data = ISBI2015(data=training)
    assert data.index["raters"][1] == ("rater1",)
    assert tuple(data[1].ratings) == ("rater1",)
    (training / "training01" / "masks" / "training01_02_mask1.nii").unlink()
    with pytest.raises(RaterbenchError, match=r"training01_02.*has neither"):
        ISBI2015(data=training)
    with pytest.raises(RaterbenchError, match=r"training01_02_mask1\.nii .* is missing"):
        ISBI2015(data=training, raters="simulated").load(1)


@pytest.mark.parametrize(
    ("pixels", "geometry", "says"),
    [
        (np.zeros((5, 20, 23), np.uint8), None, "size"),
        (np.zeros(SHAPE, np.uint8), Geometry.axis_aligned(3, (2.0, 1.0, 1.0)), "spacing"),
    ],
)
def test_a_mask_that_lies_elsewhere_is_named_with_its_image(training, pixels, geometry, says):
    put(training / "training02" / "masks" / "training02_03_mask2.nii", pixels, geometry)
    with pytest.raises(RaterbenchError, match=rf"training02_03_flair_pp\.nii and .*training02_03_mask2\.nii differ in {says}"):
        ISBI2015(data=training).load(6)


def test_a_contrast_that_lies_elsewhere_is_named(training):
    put(training / "training01" / "preprocessed" / "training01_01_t2_pp.nii", np.zeros((4, 20, 24), np.int16))
    with pytest.raises(RaterbenchError, match=r"flair_pp\.nii and .*t2_pp\.nii differ in size"):
        ISBI2015(data=training, contrasts=("flair", "t2")).load(0)


def test_values_that_are_no_class_are_named(training):
    put(training / "training01" / "masks" / "training01_01_mask1.nii", 3 * lesions(1, 1))
    with pytest.raises(RaterbenchError, match=r"mask1\.nii .*3"):
        ISBI2015(data=training).load(0)


def test_simulated_raters_are_made_from_the_first_rater_in_the_plane(training):
    data = ISBI2015(data=training, raters="simulated")
    case = data[0]
    truth = lesions(1, 1)
    assert data.raters == tuple(case.ratings) == ("good", "over", "under", "wrong", "blank")
    assert np.array_equal(case.truth.labels, truth) and np.array_equal(case.truth.probability[1], truth)
    assert np.array_equal(case.ratings["good"], truth)
    assert not case.ratings["blank"].any()
    assert not any(labels[[0, 3, 4]].any() for labels in case.ratings.values())
    assert (case.ratings["under"] <= truth).all() and (case.ratings["over"] >= truth).all()
    wrong = case.ratings["wrong"]
    assert (truth & ~wrong & 1).any() and (wrong & ~truth & 1).any()
    found = pooled_confusion([case])
    assert found["good"].tolist() == [[1, 0], [0, 1]] and found["blank"].tolist() == [[1, 1], [0, 0]]
    assert 0.2 < found["wrong"][1, 1] < 0.8


def test_simulated_raters_depend_on_scan_and_seed_alone(training):
    one, again = (ISBI2015(data=training, raters="simulated")[3].ratings["wrong"] for _ in range(2))
    assert np.array_equal(one, again)
    other = ISBI2015(data=training, raters="simulated", seed=1)
    assert not np.array_equal(one, other[3].ratings["wrong"])
    assert other.fingerprint() != ISBI2015(data=training, raters="simulated").fingerprint()
    (training / "training01" / "preprocessed" / "training01_01_flair_pp.nii").unlink()
    for contrast in ("mprage", "pd", "t2"):
        (training / "training01" / "preprocessed" / f"training01_01_{contrast}_pp.nii").unlink()
    assert np.array_equal(one, ISBI2015(data=training, raters="simulated")[2].ratings["wrong"])


@pytest.mark.parametrize("raters", ["real", "simulated"])
def test_one_rater_a_scan_is_drawn_once_for_all(training, raters):
    data = ISBI2015(data=training, raters=raters, regime="one")
    everybody = ISBI2015(data=training, raters=raters)
    assert all(len(who) == 1 for who in data.index["raters"])
    assert len({who[0] for who in data.index["raters"]}) > 1
    again = ISBI2015(data=training, raters=raters, regime="one")
    assert data.index.equals(again.index)
    assert not data.index.equals(ISBI2015(data=training, raters=raters, regime="one", seed=1).index)
    for one, full in zip(data, everybody, strict=True):
        assert all(np.array_equal(labels, full.ratings[rater]) for rater, labels in one.ratings.items())


def test_absent_data_are_explained(tmp_path, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    for data in (None, tmp_path):
        with pytest.raises(
            RaterbenchError, match=r"register at https://smart-stats-tools.*<data>/isbi2015/training.*RATERBENCH_DATA"
        ):
            ISBI2015(data=data)


def test_a_contrast_that_was_not_downloaded_is_named(training):
    (training / "training05" / "preprocessed" / "training05_04_pd_pp.nii").unlink()
    with pytest.raises(RaterbenchError, match=r"training05_04_pd_pp\.nii .* is missing"):
        ISBI2015(data=training, contrasts=("pd",)).load(20)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"raters": "simulatde"}, "raters = 'simulatde' must be 'real' or 'simulated'; did you mean 'simulated'"),
        ({"regime": "two"}, "regime = 'two' must be 'all' or 'one'"),
        ({"contrasts": ["t1"]}, r"contrasts = \['t1'\] must be a list, each of it 'flair' or 'mprage'"),
        ({"contrasts": []}, "contrasts is empty"),
    ],
)
def test_a_wrong_option_is_a_sentence(training, options, says):
    with pytest.raises(RaterbenchError, match=says):
        ISBI2015(data=training, **options)


def test_it_keeps_the_contract_of_a_data_set(training):
    results = check_dataset(ISBI2015, data=str(training))
    assert len(results) == len(CHECKS) + 1
    assert all(r.passed for r in results), [r.message for r in results if not r.passed]


@pytest.mark.parametrize("name", ["zhang2020-table1-ms", "zhang2020-table2-ms"])
def test_the_published_experiment_runs_on_it(training, tmp_path, name):
    settings = ["budget.epochs=1", "budget.features=[4,4,4,4,4,4]", "split.folds=2", "split.repeats=1", "keep_cases=1"]
    experiment = read_experiment(name, settings)
    kept = tuple(c for c in experiment.candidates if c.name in ("STAPLE", "Confusion network lambda 0.7"))
    plan = make_plan(experiment.replace(candidates=kept), tmp_path, data=str(training))
    subjects = plan.dataset.index["subject"]
    for fold in plan.folds.values():
        assert not {subjects[i] for i in fold.test} & {subjects[i] for i in fold.train}
    units = [unit for unit in plan.units if unit.fold == 0]
    trained = [train_unit(plan.training[unit]) for unit in units if unit.kind == "method"]
    assert [unit.status for unit in trained] == ["done"] * 2, [unit.reason for unit in trained]
    ended = measure_units(plan.measuring_task({unit: plan.parts[unit.kind].names for unit in units}, plan.folds[0, 0]))
    assert [why for _, why in ended] == [""] * len(units)
    found = [read_measuring(measuring_path(tmp_path, unit)) for unit in units]
    measured = {
        (unit.kind, part.reference, part.metric)
        for unit, (_, parts) in zip(units, found, strict=True)
        for part in parts.values()
        if isinstance(part, Rows) and part.measured.any()
    }
    assert {(kind, "truth", "confusion rmse") for kind in ("method", "fusion")} | {("method", "truth", "dice")} <= measured
