"""The pages under docs/: the tests, columns and numbers that they name are there, and their examples run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raterbench.benchmark import read_experiment, run
from raterbench.benchmark.experiment.factory import build_method, build_metrics
from raterbench.benchmark.experiment.files import shipped
from raterbench.benchmark.statistics import compare
from raterbench.benchmark.store.diagnoses import COLUMNS as DIAGNOSIS_COLUMNS
from raterbench.benchmark.store.diagnoses import LABELS_COLUMNS
from raterbench.benchmark.store.predictions import FULL
from raterbench.benchmark.store.results import BY_CASE, CALIBRATION_COLUMNS, LONG_COLUMNS, REPAIR_COLUMNS, UNIT_COLUMNS
from raterbench.reports.describe.compared import direction_of
from raterbench.reports.published.command import published_beside
from raterbench.reports.tables.wording import p_number, write_number

ROOT = Path(__file__).parents[1]
FORMAT = (ROOT / "docs" / "results-format.md").read_text(encoding="utf-8")
SMALL = [
    *("split.folds=3", "budget.epochs=1", "budget.features=[4,4,4,4,4,4]", "keep_weights=true", "keep_cases=1"),
    *("split.repeats=1", "dataset_options.subjects=3", "dataset_options.slices=1", "dataset_options.size=32"),
    'candidates=[{ name = "STAPLE", method = "fused-labels", fusion = "staple" }]',
]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))])
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    places = [place for place in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in place]
    assert [place for place in places if not ((ROOT / page).parent / place).exists()] == []


def test_every_edge_case_names_tests_that_exist():
    text = (ROOT / "docs" / "edge-cases.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert all("::" in row or "contract of methods" in row for row in rows)
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", text)
    missing = [f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")]
    assert named and missing == []


@pytest.mark.parametrize(
    "columns",
    [LONG_COLUMNS, CALIBRATION_COLUMNS, UNIT_COLUMNS, BY_CASE, REPAIR_COLUMNS, DIAGNOSIS_COLUMNS, LABELS_COLUMNS],
    ids=lambda columns: columns[-1],
)
def test_every_column_of_the_tables_is_described(columns):
    prose = re.sub(r"```.*?```", "", FORMAT, flags=re.DOTALL)
    assert set(columns) <= set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", prose))))


def test_the_fixed_point_numbers_are_those_of_the_code():
    assert f"q / {FULL}" in FORMAT
    multiples = re.search(r"is a multiple of ([\d, and]+),", FORMAT).group(1)
    assert all(FULL % int(n) == 0 for n in re.findall(r"\d+", multiples))


def test_the_experiment_of_the_page_can_be_built(tmp_path):
    text = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text("\n".join(re.findall(r"```toml\n(.*?)```", text, re.DOTALL)), encoding="utf-8")
    experiment = read_experiment(str(tmp_path / "mine.toml"))
    for candidate in experiment.candidates:
        build_method(candidate, experiment).check_parameters()
    assert [metric.name for metric in build_metrics(experiment)] == ["dice", "surface dice", "hd95"]


def test_the_table_of_experiments_is_theirs():
    text = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
    listed = {}
    table = text[text.index("## Shipped experiments") : text.index("## Several experiments")]
    for line in re.findall(r"^\| `.*$", table, re.MULTILINE):
        names, _, repeats, networks, _ = (cell.strip() for cell in line.strip("|").split("|"))
        named, numbers = re.findall(r"`([\w-]+)`", names), networks.split(" and ")
        for name, number in zip(named, numbers * len(named) if len(numbers) == 1 else numbers, strict=True):
            listed[name] = repeats, int(number)
    derived = [name for name in shipped() if name.endswith("-full") and name.startswith(("vadineanu2025-", "wu2022-"))]
    assert sorted([*listed, *derived]) == shipped()
    assert "Each `vadineanu2025-` and `wu2022-` experiment but `vadineanu2025-table1-bias1` also has a full size" in text
    for name, (repeats, networks) in listed.items():
        experiment = read_experiment(name)
        split, folds = experiment.split, experiment.split.parameters.get("folds", 1)
        if split.policy == "centres":
            folds = experiment.dataset_options.get("centres", 4)
        policies = {"holdout": "a hold-out", "random": "a random split", "centres": f"{folds} test centres"}
        assert repeats == f"{split.repeats} of {policies.get(split.policy, f'{folds} folds')}"
        assert networks == split.repeats * folds * len(experiment.candidates)


def test_its_examples_run_on_a_finished_experiment(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(read_experiment("quick", SMALL), jobs=1)
    capsys.readouterr()
    predictions, weights = re.findall(r"```python\n(.*?)```", FORMAT, re.DOTALL)
    names: dict[str, object] = {}
    exec(predictions, names)
    assert np.shape(names["probability"])[0] == 3 and "float32" in capsys.readouterr().out
    exec(weights, {})
    assert capsys.readouterr().out.count(".safetensors") == 3


PAGES = {"soft-training": ("lemay2022",), "cheap-annotations": ("vadineanu2025",), "learners": ("wu2022", "ten-seeds")}
"""Pages with comparisons, and how their experiments begin; the values of each experiment stand in a folder beside the page."""
STUDIES = sorted(path.parent for page in PAGES for path in (ROOT / "docs" / page).glob("*/subjects.csv.gz"))
OF_ANNOTATIONS = " of annotations"
"""Ends the metric of a row that compares annotations, not networks."""


@pytest.mark.parametrize("folder", [f for f in STUDIES if (f / "published.md").exists()], ids=lambda f: f.name)
def test_a_shipped_table_is_made_again_from_its_values(folder):
    made = published_beside(folder / "subjects.csv.gz").table
    assert made.markdown() == (folder / "published.md").read_text(encoding="utf-8")


def compared(table, metric, class_, reference, baseline):
    """What ``raterbench compare`` finds in these rows, by candidate."""
    kind = "annotations" if metric.endswith(OF_ANNOTATIONS) else "method"
    where = {"kind": kind, "metric": metric.removesuffix(OF_ANNOTATIONS), "class": class_, "reference": reference}
    chosen = table[(table[list(where)] == pd.Series(where)).all(axis=1)]
    roles = {name: name for name in ("candidate", "value", "repeat", "fold")}
    roles |= {"subject": "subject"} if chosen["subject"].notna().any() else {}
    return compare(chosen, **roles, baseline=baseline, better=direction_of(where["metric"])).table.set_index("candidate")


@pytest.mark.parametrize("page", PAGES)
def test_the_comparisons_of_a_page_are_those_of_the_values(page):
    tables = {f.name: pd.read_csv(f / "subjects.csv.gz", dtype={"subject": str}) for f in STUDIES if f.parent.name == page}
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    starts = tuple(f"| {start}" for start in PAGES[page])
    lines = [line for line in text.splitlines() if line.startswith(starts) and line.count("|") == 12]
    assert {line.split(" | ")[0].strip("| ") for line in lines} == set(tables)
    found = {}
    for line in lines:
        study, metric, class_, reference, candidate, mean, baseline, *_ = line.strip("| ").split(" | ")
        key = study, metric, class_, reference, baseline
        if key not in found:
            found[key] = compared(tables[study], *key[1:])
        row, other, decimals = found[key].loc[candidate], found[key].loc[baseline], len(mean.partition(".")[2])
        means = [write_number(one["mean"], decimals) for one in (row, other)]
        gap, low, high = (write_number(row[name], decimals, sign=True) for name in ("difference", "low", "high"))
        test = f"{gap} [{low}, {high}] | {p_number(row['p_holm'])} | {row['verdict']}"
        assert line == f"| {' | '.join([*key[:4], candidate, means[0], baseline, means[1]])} | {test} |"


AREAS = {
    "parameterisation": ("wu2022-parameterisations", "predicted", "", lambda name: name[0].upper() + name[1:]),
    "labels of": ("wu2022-raters", "fused", "cross-fitted", str.capitalize),
    "learner": (
        *("wu2022-learners-diagnosis", "predicted", ""),
        lambda name: {"Take-and-Give on the majority vote": "Take and Give"}.get(name, name[0].upper() + name[1:]),
    ),
}
"""Tables of areas on the page of the diagnosis, by their first head: study, labels, control, and the name of a candidate."""


@pytest.mark.parametrize("head", AREAS)
def test_areas_of_the_page_of_the_diagnosis_are_those_of_its_tables(head):
    """With the p of each difference from the majority vote that is told, and of no other that is below .05."""
    study, source, control, named = AREAS[head]
    folder = ROOT / "docs" / "diagnosis-first"
    table = pd.read_csv(folder / study / "diagnosis.csv", keep_default_na=False, na_values=[""])
    found = table[
        table["source"].str.startswith(source) & (table["control"].isna() if not control else table["control"] == control)
    ]
    page = (folder.parent / "diagnosis-first.md").read_text(encoding="utf-8")
    lines = page.partition(f"\n| {head} |")[2].partition("\n\n")[0].splitlines()
    networks = re.findall(r"by `([^`]+)`", lines[0])
    compared = 0
    for line in lines[2:]:
        name, *cells = (cell.strip().replace("*", "") for cell in line.strip("|").split("|"))
        for network, cell in zip(networks, cells, strict=False):
            (row,) = found[(found["candidate"] == named(name.partition(",")[0])) & (found["network"] == network)].to_dict(
                "records"
            )
            area, p = row["auc"], row["p_holm"]
            shown = write_number(area, 3).lstrip("0") + (f" (p {p_equals(p)})" if p <= 0.05 or "(p" in cell else "")
            assert cell == shown, f"{name} by {network}"
            compared += 1
        assert cells[len(networks)] == write_number(row["dice"], 3).lstrip("0"), name
    assert compared == len(networks) * len(found[found["network"] == networks[0]])


def test_areas_of_the_other_arms_are_those_of_their_tables():
    folder = ROOT / "docs" / "diagnosis-first"
    page = (folder.parent / "diagnosis-first.md").read_text(encoding="utf-8")
    lines = page.partition("\n| arm | labels of |")[2].partition("\n\n")[0].splitlines()
    networks = re.findall(r"by `([^`]+)`", lines[0])
    arms = set()
    for line in lines[2:]:
        arm, name, *cells = (cell.strip().replace("*", "") for cell in line.strip("|").split("|"))
        table = pd.read_csv(folder / f"wu2022-raters-{arm.replace(' ', '-')}" / "diagnosis.csv").set_index("network")
        found = table[(table["candidate"] == name.capitalize()) & (table["control"] == "cross-fitted")]
        for network, cell in zip(networks, cells, strict=False):
            p = found["p_holm"][network]
            told = f" (p {p_equals(p)})" if p <= 0.05 else ""
            assert cell == write_number(found["auc"][network], 3).lstrip("0") + told, line
        assert cells[-1] == write_number(found["dice"][networks[0]], 3).lstrip("0")
        arms.add((arm, name))
    assert len(arms) == 4 == len(lines) - 2


def test_areas_of_fusions_are_those_of_their_tables():
    folder = ROOT / "docs" / "diagnosis-first"
    page = (folder.parent / "diagnosis-first.md").read_text(encoding="utf-8")
    lines = (
        page.partition("\n| arm | diagnosed by | majority vote | diagnosis first | p |")[2].partition("\n\n")[0].splitlines()
    )
    tables = {"knows": "wu2022-fusion", "independent": "wu2022-fusion-independent", "sees more": "wu2022-fusion-sees-more"}
    arm, seen = "", set()
    for line in lines[2:]:
        named, network, *cells = (cell.strip().strip("`") for cell in line.strip("|").split("|"))
        arm = named or arm
        table = pd.read_csv(folder / tables[arm] / "diagnosis.csv")
        found = table[(table["source"] == "predicted segmentation") & (table["network"] == network)].set_index("candidate")
        first, other = found.loc["Diagnosis first, ExpG"], found.loc["Majority vote"]
        shown = [write_number(row["auc"], 3).lstrip("0") for row in (other, first)]
        assert cells == [*shown, p_number(first["p_holm"])], line
        seen.add((arm, network))
    assert len(seen) == 9 == len(lines) - 2


def p_equals(p: float) -> str:
    """``= .004`` or ``< .001``."""
    words = p_number(p)
    return words if words.startswith("<") else f"= {words}"
