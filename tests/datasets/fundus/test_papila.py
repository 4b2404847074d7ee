import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from raterbench.benchmark.checks.datasets import CHECKS, check_dataset
from raterbench.datasets import PAPILA, RaterbenchError, load_dataset
from raterbench.datasets.fundus.workbook import read_sheet

from .made_eyes import circle, dice, disc, photograph, save

STATES = {"od": {"#002": 0, "#004": 1, "#005": 2}, "os": {"#002": 0, "#004": 2, "#005": 1}}
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def cell(place: str, value: object, shared: list[str]) -> str:
    """A cell as Excel writes it: texts lie elsewhere, and a number stands for each."""
    if isinstance(value, str):
        shared.append(value)
        return f'<c r="{place}" t="s"><v>{len(shared) - 1}</v></c>'
    return f'<c r="{place}"/>' if value is None else f'<c r="{place}"><v>{value}</v></c>'


def workbook(file: Path, rows: list[list[object]]) -> None:
    shared: list[str] = []
    body = "".join(
        f'<row r="{n}">' + "".join(cell(f"{'ABCDE'[k]}{n}", v, shared) for k, v in enumerate(row)) + "</row>"
        for n, row in enumerate(rows, start=1)
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.xml", f"<worksheet {MAIN}><sheetData>{body}</sheetData></worksheet>")
        archive.writestr("xl/sharedStrings.xml", f"<sst {MAIN}>{''.join(f'<si><t>{t}</t></si>' for t in shared)}</sst>")


def clinical(states: dict[str, object]) -> list[list[object]]:
    """The table of one side, below its headings."""
    head = [["", "Age", "Gender", "Diagnosis", "Refractive Defect"], [None, None, None, None, "dioptre_1"], ["ID"]]
    return [*head, *([patient, 47, 0, state, 0.75] for patient, state in states.items())]


@pytest.fixture(scope="module")
def download(tmp_path_factory) -> Path:
    """Three patients in the layout of the archive, which no test may change."""
    root = tmp_path_factory.mktemp("data") / "papila" / "PapilaDB-PAPILA-17f8fa77"
    for side in ("od", "os"):
        for patient in (2, 4, 5):
            eye = f"RET{patient:03}{side.upper()}"
            save(root / "FundusImages" / f"{eye}.jpg", photograph(patient))
            for part, radius in (("disc", 25), ("cup", 12)):
                for k in (1, 2):
                    file = root / "ExpertsSegmentations" / "Contours" / f"{eye}_{part}_exp{k}.txt"
                    file.parent.mkdir(parents=True, exist_ok=True)
                    np.savetxt(file, circle(radius + 2 * k), fmt="%.4f")
        workbook(root / "ClinicalData" / f"patient_data_{side}.xlsx", clinical(STATES[side]))
    contours = root / "ExpertsSegmentations" / "Contours"
    (contours / "RET002OD_cup_exp2 2.txt").write_text("1 1\n2 2\n3 1\n")
    save(root / "ExpertsSegmentations" / "ImagesWithContours" / "Opht_cont_RET002OD.jpg", photograph())
    return root


@pytest.fixture
def changed(download, tmp_path) -> Path:
    """A copy of the download for one test."""
    return shutil.copytree(download, tmp_path / "PAPILA")


def diagnosed(download, **options):
    data = PAPILA(data=download, **options)
    names = [None if case.diagnosis is None else data.diagnoses[case.diagnosis] for case in data]
    return dict(zip(data.index["case"], names, strict=True))


def test_both_eyes_are_one_subject(download):
    for data in (PAPILA(data=download), load_dataset("papila", data=str(download.parents[1]))):
        assert data.index["case"].tolist() == [f"RET00{n}{side}" for n in (2, 4, 5) for side in ("OD", "OS")]
        assert data.index["subject"].tolist() == ["RET002", "RET002", "RET004", "RET004", "RET005", "RET005"]


def test_outlines_become_masks(download):
    case = PAPILA(data=download)[0]
    assert case.image.shape == (3, 90, 120) and tuple(case.ratings) == ("expert1", "expert2")
    for k, rater in enumerate(case.ratings, start=1):
        assert dice(case.ratings[rater] > 0, disc(25 + 2 * k) > 0) > 0.99
        assert dice(case.ratings[rater] == 2, disc(12 + 2 * k) > 0) > 0.98


def test_what_becomes_of_suspects_is_an_option(download):
    eyes = [f"RET00{n}{side}" for n in (2, 4, 5) for side in ("OD", "OS")]
    ill, well = "glaucoma", "healthy"
    assert diagnosed(download) == dict(zip(eyes, [well, well, ill, None, None, ill], strict=True))
    assert diagnosed(download, suspects="glaucoma") == dict(zip(eyes, [well, well, ill, ill, ill, ill], strict=True))
    assert diagnosed(download, suspects="healthy") == dict(zip(eyes, [well, well, ill, well, well, ill], strict=True))
    assert diagnosed(download, suspects="kept") == dict(zip(eyes, [well, well, ill, "suspect", "suspect", ill], strict=True))
    kinds = [PAPILA(data=download, suspects=s) for s in ("left out", "glaucoma", "healthy", "kept")]
    assert [len(data.diagnoses) for data in kinds] == [2, 2, 2, 3]
    assert len({data.fingerprint() for data in kinds}) == 4


def test_a_missing_outline_is_an_absent_rater_and_an_eye_without_a_row_has_no_diagnosis(changed):
    (changed / "ExpertsSegmentations/Contours/RET002OS_disc_exp1.txt").unlink()
    workbook(changed / "ClinicalData/patient_data_os.xlsx", clinical({"#004": "1"}))
    data = PAPILA(data=changed)
    assert tuple(data[1].ratings) == data.index["raters"][1] == ("expert2",) and data[1].diagnosis is None
    assert tuple(PAPILA(data=changed, target="cup")[1].ratings) == ("expert1", "expert2")
    assert data[3].diagnosis == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1.0 2.0\n3.0 x\n", "line 2: '3.0 x' is no point"),
        ("1 2\n\n3 4\n", "has 2 points"),
        ("1 2\n3 nan\n1 1\n", "no outline"),
    ],
)
def test_an_outline_that_is_none_is_named(changed, content, words):
    file = changed / "ExpertsSegmentations/Contours/RET002OD_cup_exp1.txt"
    file.write_text(content)
    with pytest.raises(RaterbenchError, match=rf"RET002OD_cup_exp1\.txt.*{words}"):
        PAPILA(data=changed)[0]


def test_tables_that_are_missing_damaged_or_strange_are_named(changed):
    file = changed / "ClinicalData/patient_data_od.xlsx"
    workbook(file, clinical({"#002": 3}))
    with pytest.raises(
        RaterbenchError, match=r"patient_data_od\.xlsx: patient #002 has the diagnosis '3', which must be 0, 1 or 2"
    ):
        PAPILA(data=changed)
    workbook(file, [["ID", "Age"], ["#002", 3]])
    with pytest.raises(RaterbenchError, match="has no column 'Diagnosis'"):
        PAPILA(data=changed)
    file.write_bytes(b"PK no zip")
    with pytest.raises(RaterbenchError, match=r"patient_data_od\.xlsx cannot be read as an Excel workbook"):
        PAPILA(data=changed)
    file.unlink()
    with pytest.raises(RaterbenchError, match=r"patient_data_od\.xlsx is missing: it belongs to the download"):
        PAPILA(data=changed)


def test_a_workbook_may_hold_texts_in_its_cells_but_no_entities(tmp_path):
    file = tmp_path / "a.xlsx"
    texts = '<row r="1"><c r="B1" t="inlineStr"><is><t>one</t><t> two</t></is></c><c r="AC1" t="str"><v>3</v></c></row>'
    for head in ("", "<!DOCTYPE a>"):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("xl/worksheets/sheet1.xml", f"{head}<worksheet {MAIN}>{texts}</worksheet>")
        if not head:
            assert read_sheet(file) == [{"B": "one two", "AC": "3"}]
    with pytest.raises(RaterbenchError, match="declares a document type"):
        read_sheet(file)


def test_the_fingerprint_sees_the_content_of_what_is_read(changed, files_seen):
    for file in [*changed.rglob("RET004*"), *changed.rglob("RET005*")]:
        file.unlink()
    seen = files_seen(PAPILA(data=changed), changed)
    assert {Path(name).name for name in seen if "Contours" in name} == {
        f"RET002{side}_{part}_exp{k}.txt" for side in ("OD", "OS") for part in ("disc", "cup") for k in (1, 2)
    }
    assert len(seen) == 8 + 2 + 2


def test_absent_data_are_explained(tmp_path, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    for data in (None, tmp_path):
        with pytest.raises(RaterbenchError, match=r"get PAPILA\.zip from https.*<data>/papila, .*RATERBENCH_DATA"):
            PAPILA(data=data)


def test_it_keeps_the_contract_of_a_data_set(download):
    results = check_dataset(PAPILA, data=str(download))
    assert len(results) == len(CHECKS) + 1
    assert all(r.passed for r in results), [r.message for r in results if not r.passed]
