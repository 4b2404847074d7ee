import pytest

from raterbench.datasets import RaterbenchError
from raterbench.datasets.layout.cases_table import CaseRow, name_diagnoses, read_cases
from raterbench.names import clean_name, likeness, look_alikes

ROWS = [("case", "subject", "centre"), ("c0", "p0", "Köln"), ("c1", "p0", "Köln"), ("c2", "p1", "Bonn")]
RIGHT = {"c0": ("p0", "Köln"), "c1": ("p0", "Köln"), "c2": ("p1", "Bonn")}
CASES = ("c0", "c1", "c2")


def known(file, cases=CASES):
    """Subject and centre of each case."""
    return {case: row[:2] for case, row in read_cases(file, cases).items()}


def text(separator=",", end="\n", rows=ROWS):
    return end.join(separator.join(row) for row in rows) + end


WAYS = {
    "commas": text().encode(),
    "semicolons, as a German Excel has them": text(";", "\r\n").encode("utf-8-sig"),
    "tabs in UTF-16, as Excel's Unicode text has them": text("\t", "\r\n").encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + text().encode("utf-16-be"),
    "bars": text("|").encode(),
    "Windows-1252": text(";").encode("cp1252"),
    "lines as old Macs end them": text(end="\r").encode(),
    "no end of the last line": text().rstrip().encode(),
    "empty rows and lines": ("\n \n" + text() + ",,\n, ,\n\n").encode(),
    "an empty column": text(rows=[(*row, "", " ") for row in ROWS]).encode(),
    "capitals and blanks in the header": text().replace("case,subject,centre", " Case ,SUBJECT,\u00a0Centre").encode(),
    "endings of files": text(rows=[ROWS[0], *((f"{c}.NII.gz", s, m) for c, s, m in ROWS[1:])]).encode(),
    "quotation marks": text('","').replace("\n", '"\n"').join('""').removesuffix('""').encode(),
    "Excel's own line for the separator": ("sep=;\r\n" + text(";", "\r\n")).encode(),
    "names with what nobody sees": text().replace("p0,", "p0\u200b ,", 1).replace("c2", "\ufeffc2\u00a0").encode(),
    "columns in another order": text(rows=[row[::-1] for row in ROWS]).encode(),
    "composed and decomposed letters": text().replace("Kö", "Ko\u0308", 1).encode(),
}


@pytest.mark.parametrize("content", WAYS.values(), ids=WAYS)
def test_a_table_is_read_as_people_save_it(tmp_path, content):
    (tmp_path / "cases.csv").write_bytes(content)
    assert known(tmp_path / "cases.csv") == RIGHT


def test_without_a_table_nothing_is_known(tmp_path):
    assert read_cases(tmp_path / "cases.csv", CASES) == {}
    (tmp_path / "cases.csv").write_text("case\nc0\nc1\nc2\n")
    assert known(tmp_path / "cases.csv") == {case: (case, "unknown") for case in CASES}


def test_a_cell_may_hold_the_separator_and_a_new_line(tmp_path):
    (tmp_path / "cases.csv").write_text('case,subject,centre\nc0,"Doe, Jane","St.\nPaul"\n"a\nb",x,y\n')
    found = known(tmp_path / "cases.csv", ["c0", "a\nb"])
    assert found == {"c0": ("Doe, Jane", "St. Paul"), "a\nb": ("x", "y")}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("case,subject\nc0,1\nc1,2,extra\nc2,3\n", r"line 3: the row has 3 cells, but there are 2 columns"),
        ("case,subject\nc0,1\nc1\nc2,3\n", r"line 3: the row has 1 cells"),
        ("case,subject,Case\nc0,a,c0\n", "the column 'case' twice"),
        ("case,subject,patient\nc0,1,1\n", "unknown column 'patient'"),
        ("case,subjet\nc0,1\n", "did you mean 'subject'"),
        ("# a note\ncase,subject\nc0,1\n", "unknown column '# a note'"),
        ("case,,subject\nc0,1,2\n", "unknown column ''"),
        ('case,subject\n"c0,1\nc1,2\n', r"line 2: this row is no part of a table"),
        ("case,subject\nC0,1\nc1,2\nc2,3\n", "'C0', which has no image; did you mean 'c0'.*Capitals count"),
        ("case,subject\nc0,1\nc1,nan\nc2,3\n", "line 3: 'nan' is no subject"),
        ("case,subject\nc0,1\nc1,#N/A\nc2,3\n", "line 3: '#N/A' is no subject"),
        ("case,subject\nc0,1\nc1,\u200b\nc2,3\n", "is no subject"),
        ("case,subject\nc0,1\nc1,2\nc2,3\nc2.png,3\n", "'c2' 2 times"),
        (",,\n\n", "no table"),
        ("case,diagnosis\nc0,ill\nc1,nan\nc2,\n", "line 3: 'nan' is no diagnosis: leave the cell empty where it is not known"),
        ("case,diagnosis\nc0,ill\nc1,Ill\nc2,\n", r"the diagnoses 'ill' \(case 'c0'\) and 'Ill' .* look alike"),
        ("case,diagnosis,subject\nc0,ill,\nc1,ill,2\nc2,,3\n", "line 2: the row of case 'c0' has an empty cell"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, content, words):
    (tmp_path / "cases.csv").write_text(content)
    with pytest.raises(RaterbenchError, match=rf"(?s)cases\.csv.*{words}"):
        read_cases(tmp_path / "cases.csv", CASES)


def test_zeros_that_a_spreadsheet_took_away_are_named(tmp_path):
    (tmp_path / "cases.csv").write_text("case,subject\n1,a\n2,b\n")
    with pytest.raises(RaterbenchError, match="'1', which has no image; '001' seems to be meant: spreadsheets take zeros"):
        read_cases(tmp_path / "cases.csv", ["001", "002"])


@pytest.mark.parametrize("content", [b"\0" * 50, "case,subject\n".encode("utf-16-le"), b"\xff\xfea", b"case\x81\n"])
def test_what_is_no_text_is_refused(tmp_path, content):
    (tmp_path / "cases.csv").write_bytes(content)
    with pytest.raises(RaterbenchError, match=r"cases\.csv .*UTF"):
        read_cases(tmp_path / "cases.csv", CASES)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("S1", "s1"), ("1", "01"), ("1", "1.0"), ("S_1", "S-1"), ("S1", "S 01"), ("Müller", "Muller"), ("P1", "\u04201"),
        ("sub-03", "SUB_3"), ("a.b", "a b"),
    ],
)  # fmt: skip
def test_subjects_that_look_alike_are_refused(tmp_path, one, other):
    (tmp_path / "cases.csv").write_text(f"case,subject\nc0,{one}\nc1,{other}\nc2,x\n", encoding="utf-8")
    with pytest.raises(RaterbenchError, match=r"case 'c0'\) and .* \(case 'c1'\), which look alike"):
        read_cases(tmp_path / "cases.csv", CASES)


def test_names_that_differ_are_no_look_alikes():
    different = ["1", "11", "1-1", "10", "S1", "S10", "T1", "a1b", "ab1", "1.10", "1.2", "-", "+", "?", "../x", "$\\x$"]
    assert look_alikes(different) == []
    assert clean_name("  ﬁ\u200bx\u00a0 2 ") == "fix 2"
    assert likeness("9" * 5000) == likeness("0" + "9" * 5000)


def diagnosed(tmp_path, cells, declared=()):
    (tmp_path / "cases.csv").write_text("case,diagnosis\n" + "".join(f"c{k},{cell}\n" for k, cell in enumerate(cells)))
    rows = read_cases(tmp_path / "cases.csv", [f"c{k}" for k in range(len(cells))])
    names, found = name_diagnoses(tmp_path / "cases.csv", rows, declared)
    return names, list(found.values())


@pytest.mark.parametrize(
    ("cells", "declared", "names", "found"),
    [
        (["well", "", "ill"], (), ("ill", "well"), ["well", "", "ill"]),
        (["10", "2", "2.0", ""], (), ("2", "10"), ["10", "2", "2", ""]),
        (["", ""], (), (), ["", ""]),
        (["ill", "well", ""], ("well", "ill"), ("well", "ill"), ["ill", "well", ""]),
        (["1", "0", "1.0", ""], ("well", "ill"), ("well", "ill"), ["ill", "well", "ill", ""]),
        (["1", "well"], ("well", "ill"), ("well", "ill"), ["ill", "well"]),
        (["1", "0"], ("0", "1", "2"), ("0", "1", "2"), ["1", "0"]),
    ],
)
def test_diagnoses_are_names_or_whole_numbers(tmp_path, cells, declared, names, found):
    assert diagnosed(tmp_path, cells, declared) == (names, found)


@pytest.mark.parametrize(
    ("cells", "declared", "words"),
    [
        (
            ["wel", "ill"],
            ("well", "ill"),
            "line 2: the diagnosis 'wel' of case 'c0' is none of 'well', 'ill'; did you mean 'well'",
        ),
        (["0", "2"], ("well", "ill"), "line 3: the diagnosis '2' of case 'c1' is none of 'well', 'ill'"),
        (["-1", ""], ("well", "ill"), "line 2: the diagnosis '-1'"),
        (["ill", "1"], (), "line 3: the diagnosis '1' of case 'c1' is a whole number, and others are names, such as 'ill'"),
        (["", ""], ("well", "ill"), "no case has one: add the column 'diagnosis'"),
    ],
)
def test_a_diagnosis_that_is_none_is_named_with_its_line(tmp_path, cells, declared, words):
    with pytest.raises(RaterbenchError, match=words):
        diagnosed(tmp_path, cells, declared)


def test_without_a_table_no_case_has_a_diagnosis(tmp_path):
    assert name_diagnoses(tmp_path / "cases.csv", {}) == ((), {})
    assert CaseRow("s") == ("s", "unknown", "", 0)
