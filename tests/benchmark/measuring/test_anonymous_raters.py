"""Raters whose names say nothing from one case to the next: what is left out, and with which reason."""

from __future__ import annotations

import numpy as np
import pytest

from raterbench.benchmark import read_results
from raterbench.benchmark.experiment.skipping import check_identity, skip_reason
from raterbench.benchmark.labels.describe import describe_data
from raterbench.datasets import Geometry, Phantom, RaterbenchError, RatingFolder
from raterbench.datasets.images import write_labels
from raterbench.methods import FUSIONS, METHODS, STAPLE, FusedLabels, MajorityVote
from raterbench.reports.describe.page import write_description
from raterbench.reports.panel import Panel

pytestmark = pytest.mark.usefixtures("figures_undrawn")

IDENTITY = {
    "confusion-network", "cr-network", "crowd-layer", "tgce", "separate-networks", "oracle-confusion-network", "chosen-raters",
    "annotation-budget", "pionono",
    "confident-learning", "partial-labelling", "upgrade",
    "aggnet", "max-mig", "multi-head", "wdnet", "mrnet", "best-rater",
}  # fmt: skip


@pytest.fixture(scope="module")
def anonymous():
    data = Phantom()
    data.anonymous_raters = True
    return data


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for case in range(6):
        mask = np.zeros((24, 24), np.uint8)
        mask[6 + case : 18, 5:17] = 255
        for rater in range(3):
            image = mask // 2 + rng.integers(0, 50, mask.shape)
            for part, pixels in (("images", image), (f"ratings/{rater}", np.roll(mask, rater))):
                (tmp_path / part).mkdir(parents=True, exist_ok=True)
                write_labels(tmp_path / part / f"c{case}.png", pixels.astype(np.uint8), Geometry.axis_aligned(2))
    (tmp_path / "dataset.toml").write_text("anonymous_raters = true")
    return tmp_path


def test_methods_that_learn_a_rater_over_cases_are_skipped_with_the_reason(anonymous):
    reasons = {name: skip_reason(METHODS.get(name)(), anonymous) for name in METHODS.names()}
    assert {name for name, reason in reasons.items() if reason and "anonymous" in reason} == IDENTITY
    known = Phantom()
    assert all("anonymous" not in (skip_reason(METHODS.get(name)(), known) or "") for name in IDENTITY)


def test_fusions_pooled_over_cases_need_to_know_who_is_who(anonymous):
    assert skip_reason(FusedLabels(fusion=STAPLE()), anonymous) is None
    assert "anonymous" in skip_reason(FusedLabels(fusion=STAPLE(pool="dataset")), anonymous)
    check_identity({"staple": STAPLE(), "vote": MajorityVote()}, anonymous)
    with pytest.raises(RaterbenchError, match="staple dataset learns each rater"):
        check_identity({"staple dataset": STAPLE(pool="dataset")}, anonymous)
    assert not any(FUSIONS.get(name)().needs_rater_identity for name in FUSIONS.names())


def test_fuse_refuses_a_pooled_fusion(folder, tmp_path_factory, capsys):
    from raterbench.__main__ import main

    out = tmp_path_factory.mktemp("out")
    assert main(["fuse", "staple", str(folder), "-o", str(out / "a"), "--jobs", "1"]) == 0
    assert main(["fuse", "staple", str(folder), "-o", str(out / "b"), "--set", "pool=dataset", "--jobs", "1"]) == 2
    assert "anonymous" in capsys.readouterr().err


def test_a_description_says_nothing_of_single_raters(folder, tmp_path_factory):
    data, out = RatingFolder(folder), tmp_path_factory.mktemp("out")
    found = describe_data(data, MajorityVote())
    assert found.anonymous_raters
    page = write_description(found, data, MajorityVote(), out).read_text(encoding="utf-8")
    assert "The raters are anonymous" in page
    assert "Each rater" not in page
    assert "is an outlier" not in page
    assert not [file for file in out.rglob("*") if file.stem in ("raters", "against", "missing", "pair-matrix")]
    assert (out / "tables" / "agreement.csv").is_file()


def test_a_run_has_one_row_for_all_raters(folder, tmp_path_factory):
    from raterbench.__main__ import main

    out = tmp_path_factory.mktemp("out")
    experiment = out / "mine.toml"
    experiment.write_text(
        f'dataset = "folder:{folder}"\nmetrics = ["dice"]\nreferences = ["raters"]\nfused_rows = ["staple"]\nkeep_cases = 1\n'
        "[split]\nfolds = 2\n[budget]\nepochs = 1\nfeatures = [4, 4, 4, 4, 4, 4]\n[statistics]\nresamples = 20\n"
        'baseline = "Soft"\n[[candidates]]\nname = "Soft"\nmethod = "fused-labels"\nfusion = "soft-average"\n'
        '[[candidates]]\nname = "CM"\nmethod = "confusion-network"\n'
    )
    assert main(["run", str(experiment), "--out", str(out / "results"), "--jobs", "1"]) == 0
    results = read_results(next(path.parent for path in out.rglob("experiment.json")))
    skipped = results.units[results.units["status"] == "skipped"]
    assert set(skipped["candidate"]) == {"CM"}
    assert skipped["reason"].str.contains("anonymous").all()
    raters = results.rows[results.rows["kind"] == "rater"]
    assert set(raters["candidate"]) == {"any rater"}
    assert len(raters[(raters["metric"] == "dice") & (raters["class"] == "foreground")]) == 6
    assert results.confusions.empty
    panel = Panel.of(results)
    assert set(panel.raters["other"]) == {"any rater"} and len(panel.raters) == 18
    assert set(panel.interchangeability["rater"]) == {"all raters"}
    page = (results.folder / "report.html").read_text(encoding="utf-8")
    assert "The raters are anonymous" in page
