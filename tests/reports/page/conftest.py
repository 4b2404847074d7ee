"""The page of the made-up study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from raterbench.benchmark.measuring.kept_references import ReferenceHead, reference_part
from raterbench.benchmark.measuring.references import StoredReference
from raterbench.benchmark.store.archive import write_archive
from raterbench.benchmark.store.results import Results
from raterbench.benchmark.store.units import SCHEMA
from raterbench.reports.analysis import Analysis
from raterbench.reports.figures.files.drawn_figure import DrawnFigure
from raterbench.reports.page.page import page_text
from raterbench.reports.page.parts import files_of
from raterbench.reports.tables.details import all_tables
from raterbench.reports.tables.table import Table

from ..conftest import small_png

DRAWN = ("overturn-trainings", "overturn-raters", "overturn-reference", "effects", "pictures", "learning")


def reference_parts(case: str, name: str, reference: StoredReference) -> dict[str, object]:
    """What a file of one case's reference holds."""
    return {"head": ReferenceHead(SCHEMA, "key", name, (case,)), reference_part(case): reference}


def write_references(results: Results) -> None:
    """The majority and the soft average of the first kept case, as a run leaves them."""
    case = results.pictures[0]
    (results.folder / "references").mkdir(exist_ok=True)
    labels = np.stack([*case.ratings.values()])
    soft = np.stack([(labels == k).mean(axis=0) for k in range(3)]).astype(np.float32)
    for name, reference in {
        "majority": StoredReference(soft.argmax(axis=0).astype(np.uint8)),
        "soft average": StoredReference(soft.argmax(axis=0).astype(np.uint8), soft),
    }.items():
        write_archive(results.folder / "references" / f"{name}.0.npz", reference_parts(case.id, name, reference))


@pytest.fixture(scope="session")
def tables(analysis: Analysis) -> list[Table]:
    """Every table of the study."""
    return all_tables(analysis)


@pytest.fixture(scope="session")
def shown_page(analysis: Analysis, tables: list[Table], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with every table; empty pictures stand for the figures, which take long to draw."""
    write_references(analysis.results)
    png = small_png()
    drawn = [
        DrawnFigure(name, f"Figure {name}", f"Caption of {name}.", f"Picture of {name}.", 6.4, {"png": png}, png)
        for name in DRAWN
    ]
    place = tmp_path_factory.mktemp("page") / "report.html"
    place.write_text(page_text(analysis, tables, drawn, list(files_of(tables, drawn))), encoding="utf-8")
    return place
