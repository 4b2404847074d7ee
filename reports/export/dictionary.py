"""The data dictionary: what each file, column and metric of an export is, as a data package and for people."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from ... import __version__
from ..analysis import Analysis
from ..page.escaping import markdown_text
from ..tables.table import Cell, Table
from .columns import BENCHEVAL, CASES, CHALLENGER, DIAGNOSES, LONG, METRICS, SUBJECTS, Column, wide_columns

PACKAGE, DICTIONARY = "datapackage.json", "dictionary.md"
SCHEMA = "https://datapackage.org/profiles/2.0/"
"""Where the standard of ``datapackage.json`` is described: Frictionless Data Package, version 2."""
FORMS = {
    "cases": "Every value of one metric, one row a candidate, repeat, fold and case",
    "challenger": "The same for challengeR: the mean over repeats of each case, with a row where the value is missing",
    "wide": "The same for autorank and scmamp: a row a subject and a column a candidate",
    "bencheval": "The same for bencheval: errors, one row a candidate, subject and repeat",
}
"""The folders of files of single metrics, and what is in them."""


@dataclass(frozen=True)
class Described:
    """A table of the export: its file, what it holds, its columns, and the columns that together name a row."""

    file: str
    title: str
    columns: Sequence[Column]
    key: Sequence[str] = ()

    @property
    def name(self) -> str:
        """What the data package calls it: small letters, digits, dots and hyphens."""
        return self.file.removesuffix(".gz").removesuffix(".csv").replace("/", "-")


def long_description(table: pd.DataFrame) -> Described:
    """The long table, with the names that occur in its columns of few values."""
    seen = {name: [str(value) for value in pd.unique(table[name])] for name in ("candidate", "class", "reference", "metric")}
    columns = [replace(column, allowed=seen.get(column.name, column.allowed)) for column in LONG]
    return Described("results.csv.gz", "Everything that was measured", columns)


def subjects_description() -> Described:
    """The values of each subject."""
    title = "The values of each subject and trained model, for raterbench published and for archives"
    return Described("subjects.csv.gz", title, SUBJECTS)


def diagnoses_description() -> Described:
    """The scores of the diagnosis."""
    key = ("candidate", "repeat", "fold", "case", "source", "control", "network", "positive")
    return Described("diagnoses.csv.gz", "The score of each test case by each network that diagnosed", DIAGNOSES, key)


def form_description(form: str, file: str, label: str, table: pd.DataFrame) -> Described:
    """A file of one metric in one of the forms."""
    wide = wide_columns([str(name) for name in table.columns[1:]])
    columns = {"cases": CASES, "challenger": CHALLENGER, "wide": wide, "bencheval": BENCHEVAL}[form]
    keys = {
        "cases": ("candidate", "repeat", "fold", "case"),
        "challenger": ("case", "algorithm"),
        "wide": ("subject",),
        "bencheval": ("method", "task", "seed"),
    }
    return Described(f"{form}/{file}.csv", f"{FORMS[form]}: {label}", columns, keys[form])


def metrics_table(analysis: Analysis, files: Mapping[str, str]) -> pd.DataFrame:
    """``metrics.csv``: a row for each metric of the long table; ``files`` has the name of each metric's files."""
    rows = []
    for metric in analysis.metrics:
        facts = analysis.results.metric(metric)
        rows.append({
            "metric": metric,
            "label": analysis.label(metric),
            "unit": facts.unit if facts else "",
            "better": analysis.better(metric),
            "lowest": facts.lowest if facts else None,
            "highest": facts.highest if facts else None,
            "primary": metric == analysis.metric,
            "reference": analysis.reference_of(metric),
            "references": "; ".join(analysis.references[metric]),
            "file": files[metric],
            "empty_policy": analysis.empty_policy(metric),
        })  # fmt: skip
    return pd.DataFrame(rows, columns=[column.name for column in METRICS]).astype({"lowest": float, "highest": float})


def metrics_description() -> Described:
    """The table of metrics."""
    return Described("metrics.csv", "What each metric is", METRICS, ("metric",))


def package_text(analysis: Analysis, tables: Sequence[Described], contents: Mapping[str, bytes]) -> str:
    """``datapackage.json``: each file with the schema of its columns, its size and its checksum."""
    facts, experiment = analysis.results.facts, analysis.results.experiment
    source = {"title": facts["title"] or experiment.dataset}
    if re.match(r"https?://", facts["source"]):
        source["path"] = facts["source"]
    package = {
        "$schema": f"{SCHEMA}datapackage.json",
        "name": re.sub(r"[^a-z0-9._-]+", "-", experiment.name.lower()).strip("-") or "experiment",
        "title": f"Results of the raterbench experiment {experiment.name}",
        "description": f"Written by raterbench {__version__}. dictionary.md says the same for people.",
        "sources": [source],
        "resources": [_resource(table, contents[table.file]) for table in tables],
    }
    return json.dumps(package, indent=1, ensure_ascii=True) + "\n"


def _resource(table: Described, content: bytes) -> dict[str, Any]:
    schema: dict[str, Any] = {"fields": [column.field for column in table.columns], "missingValues": [""]}
    if table.key:
        schema["primaryKey"] = list(table.key)
    return {
        "name": table.name,
        "type": "table",
        "path": table.file,
        "title": table.title,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        **({"compression": "gz"} if table.file.endswith(".gz") else {}),
        "bytes": len(content),
        "hash": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "schema": schema,
    }


def dictionary_text(analysis: Analysis, tables: Sequence[Described], metrics: pd.DataFrame) -> str:
    """``dictionary.md``: every file, column and metric for people, and how other programs read the files."""
    experiment = analysis.results.experiment
    first = next(table for table in tables if table.file.startswith("cases/"))
    shown = [table for table in tables if table.file.count("/") == 0]
    by_form = {form: [t for t in tables if t.file.startswith(f"{form}/")] for form in FORMS}
    parts = [
        f"# Data dictionary of {markdown_text(experiment.name)}",
        f"Results of the raterbench experiment {markdown_text(experiment.name)} on {markdown_text(experiment.dataset)}, "
        f"written by raterbench {__version__}. All files are UTF-8 with commas, a decimal point, and one line of heads. "
        "Names stand as they are: a spreadsheet may take one that starts with `=`, `+`, `-` or `@` for a formula. "
        f"`{PACKAGE}` says the same for programs (Frictionless Data Package 2).",
        *map(markdown_text, analysis.notices),
        _files(shown, by_form).markdown(),
        *(_columns(f"Columns of {table.file}", table.columns).markdown() for table in shown),
        *(
            _columns(f"Columns of the files in {form}", _generic(form, found)).markdown()
            for form, found in by_form.items()
            if found
        ),
        _metrics(metrics).markdown(),
        _reading(first.file.removeprefix("cases/"), analysis),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _files(shown: Sequence[Described], by_form: Mapping[str, Sequence[Described]]) -> Table:
    rows = [[Cell(table.file), Cell(table.title)] for table in shown]
    rows += [
        [Cell(f"{form}/METRIC.csv"), Cell(f"{FORMS[form]} ({len(found)} files)")] for form, found in by_form.items() if found
    ]
    caption = (
        "A file of a single metric has its values against the reference that metrics.csv names: of methods only, the mean over "
        "the foreground classes where the metric has a value for each, and of labels at the searched threshold. The long table "
        "has everything. bencheval needs errors of 0 or more: metrics that make none have no file there."
    )
    return Table("files", "Files", caption, ["File", "Content"], rows, pd.DataFrame(), words=frozenset({1}))


def _generic(form: str, found: Sequence[Described]) -> Sequence[Column]:
    """The columns of all files in one form, whatever candidates they have."""
    return wide_columns(["each candidate"]) if form == "wide" else found[0].columns


def _columns(title: str, columns: Sequence[Column]) -> Table:
    rows = [
        [Cell(c.name), Cell(c.type), Cell(c.unit), Cell(c.meaning), Cell(_allowed(c)), Cell(c.empty or "never")]
        for c in columns
    ]
    head = ["Column", "Type", "Unit", "Meaning", "Values", "Empty where"]
    return Table("columns", title, "", head, rows, pd.DataFrame(), words=frozenset(range(1, 6)))


def _allowed(column: Column) -> str:
    ends = {"from": column.lowest, "to": column.highest}
    return ", ".join(column.allowed) or " ".join(f"{word} {end:g}" for word, end in ends.items() if end is not None)


def _metrics(metrics: pd.DataFrame) -> Table:
    rows = []
    for row in metrics.to_dict("records"):
        ends = ["no limit" if math.isnan(end) else f"{end:g}" for end in (row["lowest"], row["highest"])]
        name = f"{row['metric']} (primary)" if row["primary"] else row["metric"]
        words = [row["unit"] or "none", row["better"], " to ".join(ends), row["reference"], row["file"], row["empty_policy"]]
        rows.append([Cell(name), Cell(row["label"]), *map(Cell, words)])
    head = ["Metric", "Label", "Unit", "Better", "Range", "Reference of its files", "File", "Where something is empty"]
    return Table("metrics", "Metrics", "", head, rows, pd.DataFrame(), words=frozenset(range(1, 8)))


def _reading(file: str, analysis: Analysis) -> str:
    """How other programs read the files, with the primary metric's file as the example."""
    small = "TRUE" if analysis.better(analysis.metric) == "lower" else "FALSE"
    order = "ascending" if analysis.better(analysis.metric) == "lower" else "descending"
    return f"""## How to read them

All of it, with pandas (the two arguments keep names such as `NA`):

```python
import pandas as pd

table = pd.read_csv("results.csv.gz", keep_default_na=False, na_values={{"value": [""]}})
```

The comparison of this experiment, from its values alone:

```
raterbench compare cases/{file} --candidate candidate --value value --subject subject --repeat repeat --fold fold --case case
```

challengeR, in R:

```r
table <- read.csv("challenger/{file}")
challenge <- challengeR::as.challenge(table, by = "task", algorithm = "algorithm", case = "case", value = "value",
                                      smallBetter = {small})
```

autorank, in Python (it needs a value in every cell):

```python
from autorank import autorank

autorank(pd.read_csv("wide/{file}", index_col=0).dropna(), alpha=0.05, order="{order}")
```

scmamp, in R:

```r
wide <- read.csv("wide/{file}", row.names = 1, check.names = FALSE)
scmamp::plotCD(na.omit(wide), decreasing = {"FALSE" if small == "TRUE" else "TRUE"})
```

bencheval, in Python:

```python
from bencheval.evaluator import BenchmarkEvaluator

evaluator = BenchmarkEvaluator(columns_to_agg_extra=None, seed_column="seed")
evaluator.leaderboard(pd.read_csv("bencheval/{file}"))
```

These programs do not know that all subjects of a fold share one trained model: their tests and intervals hold for other
subjects and these very models. `raterbench compare` takes other trainings into account. MetricsReloaded reads label maps, not
values: give it the stored predictions (`read_results(folder).predictions`).
"""
