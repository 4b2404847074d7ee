from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raterbench.benchmark.experiment.factory import build_fusion
from raterbench.benchmark.labels.fuse import fuse_files
from raterbench.benchmark.labels.fuse_plan import LABEL_ENDINGS, fuse_plan
from raterbench.benchmark.labels.outputs import OutputFiles
from raterbench.benchmark.labels.rater_rows import rater_rows
from raterbench.benchmark.store.own_files import LIST
from raterbench.datasets import IGNORE, Case, Geometry, RaterbenchError
from raterbench.datasets.images import WITH_GEOMETRY, read_image, read_labels, write_labels
from raterbench.datasets.label_files.rating_files import label_code
from raterbench.datasets.label_files.value_counts import look_at_case
from raterbench.methods import STAPLE, MajorityVote
from raterbench.methods.base import Consensus

TILTED = Geometry((3.0, 0.5, 0.75), (-10.0, 20.0, 5.5), (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
FLAT = Geometry((0.5, 0.25), (4.0, -2.0), (0.0, 1.0, -1.0, 0.0))


def raters_of(shape, values, n=3, seed=0):
    """Label maps that agree on most voxels."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(values), shape)
    maps = [np.where(rng.random(shape) < 0.15, rng.integers(0, len(values), shape), truth) for _ in range(n)]
    return [np.array(values)[m] for m in maps]


def put(file: Path, values: np.ndarray, geometry: Geometry) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    kind = np.uint8 if values.min() >= 0 and values.max() < 256 else np.int16
    write_labels(file, values.astype(kind), geometry)
    return file


@pytest.fixture
def folder(tmp_path) -> Path:
    """Four cases of three raters, of whom one left out a case."""
    for n, case in enumerate(("c1", "c2", "c3", "c4")):
        for rater, values in zip("abc", raters_of((9, 8), (0, 255), seed=n), strict=True):
            if (case, rater) != ("c3", "b"):
                put(tmp_path / "data" / "ratings" / rater / f"{case}.png", values, Geometry.axis_aligned(2))
    return tmp_path / "data"


@pytest.mark.parametrize("ending", LABEL_ENDINGS)
@pytest.mark.parametrize("geometry", [FLAT, TILTED], ids=["2-D", "3-D"])
@pytest.mark.parametrize("values", [(0, 1), (0, 255), (0, 100, 200)])
def test_values_and_geometry_come_back_in_every_format(tmp_path, ending, geometry, values):
    if ending == ".png" and geometry is TILTED:
        return
    maps = raters_of((4, 5, 6)[-len(geometry.spacing) :], values)
    files = [put(tmp_path / f"r{k}{ending}", m, geometry) for k, m in enumerate(maps)]
    out = tmp_path / f"consensus{ending}"
    fuse_files(MajorityVote(), fuse_plan(files, out))
    found = read_labels(out)
    expected = MajorityVote().fuse({f"r{k}": np.searchsorted(values, m) for k, m in enumerate(maps)}, len(values)).labels
    assert np.array_equal(found.pixels, np.array(values)[expected])
    if ending in WITH_GEOMETRY:
        for field in ("spacing", "origin", "direction"):
            assert np.allclose(getattr(found.geometry, field), getattr(geometry, field), atol=1e-5)


@pytest.mark.parametrize(("values", "ending"), [((0, 1000, 20000), ".png"), ((0, -5, 700), ".nii.gz"), ((0, 3, 300), ".tif")])
def test_large_and_negative_values_are_kept(tmp_path, values, ending):
    files = [put(tmp_path / f"r{k}.mha", m, FLAT) for k, m in enumerate(raters_of((5, 6), values))]
    fuse_files(STAPLE(), fuse_plan(files, tmp_path / f"c{ending}"))
    assert set(np.unique(read_labels(tmp_path / f"c{ending}").pixels)) <= set(values)


def test_the_probability_of_two_classes_is_that_of_the_foreground(tmp_path):
    maps = raters_of((5, 6), (0, 255))
    files = [put(tmp_path / f"r{k}.png", m, Geometry.axis_aligned(2)) for k, m in enumerate(maps)]
    expected = STAPLE().fuse({f"r{k}": m // 255 for k, m in enumerate(maps)}, 2).probability[1]
    for ending in (".tif", ".nii.gz", ".nrrd"):
        fuse_files(STAPLE(), fuse_plan(files, tmp_path / "c.png", probability=tmp_path / f"p{ending}"))
        assert np.array_equal(read_image(tmp_path / f"p{ending}").pixels[0], expected)


def test_the_probability_of_more_classes_has_a_channel_for_each(tmp_path):
    maps = raters_of((4, 5, 6), (0, 1, 2))
    files = [put(tmp_path / f"r{k}.nii.gz", m, TILTED) for k, m in enumerate(maps)]
    fuse_files(STAPLE(), fuse_plan(files, tmp_path / "c.nii.gz", probability=tmp_path / "p.nrrd"))
    found = read_image(tmp_path / "p.nrrd").pixels
    assert np.array_equal(found, STAPLE().fuse({f"r{k}": m for k, m in enumerate(maps)}, 3).probability)
    with pytest.raises(RaterbenchError, match="real numbers"):
        fuse_files(STAPLE(), fuse_plan(files, tmp_path / "c2.nii.gz", probability=tmp_path / "p.tif"))
    assert not (tmp_path / "c2.nii.gz").exists()


def test_undecided_voxels_get_a_value_of_their_own(tmp_path):
    one, other = np.array([[0, 255, 255]]), np.array([[0, 255, 0]])
    files = [put(tmp_path / f"r{k}.png", m, Geometry.axis_aligned(2)) for k, m in enumerate((one, other))]
    result = fuse_files(MajorityVote(ties="undecided"), fuse_plan(files, tmp_path / "c.png"))
    assert read_labels(tmp_path / "c.png").pixels.tolist() == [[0, 255, 128]]
    assert result.cases["undecided"].tolist() == [1]
    files = [put(tmp_path / f"s{k}.png", m, Geometry.axis_aligned(2)) for k, m in enumerate((np.array([[0, 1, 9]]),) * 2)]
    fuse_files(MajorityVote(), fuse_plan(files, tmp_path / "c.png", ignore=9))
    assert read_labels(tmp_path / "c.png").pixels.tolist() == [[0, 1, 9]]


def test_one_rater_is_no_consensus_unless_raters_are_known_from_other_cases(folder, tmp_path):
    file = put(tmp_path / "a.png", raters_of((5, 6), (0, 100, 200))[0], Geometry.axis_aligned(2))
    said = fuse_files(STAPLE(), fuse_plan([file], tmp_path / "c.png")).questions
    assert said[-1] == "1 of 1 cases have one rater, whose mask is no consensus: c"
    assert np.array_equal(read_labels(tmp_path / "c.png").pixels, read_labels(file).pixels)
    for case, rater in (("c1", "b"), ("c1", "c"), ("c2", "a"), ("c2", "c"), ("c3", "c"), ("c4", "a"), ("c4", "b")):
        (folder / "ratings" / rater / f"{case}.png").unlink()
    with pytest.raises(RaterbenchError, match=r"no case of .*data has two raters.*4 of 4 have one"):
        fuse_files(STAPLE(), fuse_plan([folder], tmp_path / "out"))
    assert fuse_files(STAPLE(pool="dataset"), fuse_plan([folder], tmp_path / "out")).cases["raters"].tolist() == [1] * 4


def test_side_by_side_gives_the_same_bytes_as_one_by_one(folder, tmp_path):
    for jobs in (1, 2):
        out = tmp_path / f"out{jobs}"
        fuse_files(STAPLE(), fuse_plan([folder], out, probability=out / "p"), jobs=jobs)
    names = sorted(f.relative_to(tmp_path / "out1") for f in (tmp_path / "out1").rglob("*") if f.is_file())
    assert [n.as_posix() for n in names] == sorted(
        [f"c{k}.png" for k in range(1, 5)] + [f"p/c{k}.nrrd" for k in range(1, 5)] + ["raters.csv", LIST, f"p/{LIST}"]
    )
    for name in names:
        assert (tmp_path / "out1" / name).read_bytes() == (tmp_path / "out2" / name).read_bytes()


def test_the_table_has_a_row_for_each_case_and_rater(folder, tmp_path):
    result = fuse_files(STAPLE(), fuse_plan([folder], tmp_path / "out"))
    table = pd.read_csv(tmp_path / "out" / "raters.csv")
    assert len(table) == 11
    assert {"case", "rater", "class", "label", "sensitivity", "specificity", "dice", "status", "iterations"} <= set(table)
    assert set(table["label"]) == {255}
    assert (result.cases["raters"] == [3, 3, 2, 3]).all()
    first = STAPLE().fuse({r: read_labels(folder / "ratings" / r / "c1.png").pixels // 255 for r in "abc"}, 2)
    row = table[(table["case"] == "c1") & (table["rater"] == "b")].iloc[0]
    assert (row["sensitivity"], row["specificity"]) == pytest.approx((first.confusion[1, 1, 1], first.confusion[1, 0, 0]))


def test_a_pooled_fusion_learns_from_the_whole_folder(folder, tmp_path):
    fuse_files(build_fusion("staple", ["pool=dataset"]), fuse_plan([folder], tmp_path / "out"))
    table = pd.read_csv(tmp_path / "out" / "raters.csv")
    assert table.groupby("rater")["sensitivity"].nunique().tolist() == [1, 1, 1]


def test_classes_of_a_folder_come_from_its_settings(folder, tmp_path):
    (folder / "dataset.toml").write_text("[classes]\nnothing = 0\nlesion = 255\n")
    result = fuse_files(MajorityVote(), fuse_plan([folder], tmp_path / "out"))
    assert set(result.raters["class"]) == {"lesion"}
    assert set(result.raters["performance"]) == {"counted"}


def test_a_wrong_file_in_a_folder_leaves_nothing(folder, tmp_path):
    put(folder / "ratings" / "c" / "c4.png", np.zeros((3, 3)), Geometry.axis_aligned(2))
    with pytest.raises(RaterbenchError, match=r"c4\.png and .*c4\.png differ in size: \(9, 8\) against \(3, 3\)"):
        fuse_files(STAPLE(), fuse_plan([folder], tmp_path / "new" / "out", probability=tmp_path / "p"))
    assert sorted(f.name for f in tmp_path.iterdir()) == ["data"]


def test_a_fusion_of_a_plugin_works_side_by_side(folder, tmp_path):
    from raterbench.benchmark.experiment.factory import load_fusions

    (tmp_path / "mine.py").write_text(
        "from raterbench.methods import MajorityVote\n\n\nclass MyVote(MajorityVote):\n    '''A vote.'''\n"
    )
    load_fusions([str(tmp_path / "mine.py")])
    fuse_files(build_fusion("my-vote"), fuse_plan([folder], tmp_path / "out"), jobs=2)
    assert (tmp_path / "out" / "c4.png").is_file()


def test_a_parameter_of_another_kind_is_one_sentence():
    with pytest.raises(RaterbenchError, match="max_iterations = 'many' must be a whole number"):
        build_fusion("staple", ["max_iterations=many"])
    with pytest.raises(RaterbenchError, match="did you mean 'ties'"):
        build_fusion("staple", ["tie=lowest"])
    with pytest.raises(RaterbenchError, match="did you mean 'staple'"):
        build_fusion("stapel")


def test_outputs_appear_together_or_not_at_all(tmp_path):
    with OutputFiles([]) as outputs:
        for name in ("a.txt", "new/b.txt"):
            outputs.add(tmp_path / name).write_text(name)
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "new" / "b.txt").read_text() == "new/b.txt"
    with pytest.raises(KeyboardInterrupt), OutputFiles([]) as outputs:
        outputs.add(tmp_path / "a.txt").write_text("half")
        outputs.add(tmp_path / "newer" / "deep" / "c.txt").write_text("half")
        raise KeyboardInterrupt
    assert (tmp_path / "a.txt").read_text() == "a.txt"
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.txt", "new"]


def test_rows_of_three_classes_hold_the_confusion_matrix():
    rater = np.array([0, 0, 0, 1, 1, 2, 2, 0], np.uint8)
    fused = np.array([0, 0, 1, 1, 1, 2, 0, IGNORE], np.uint8)
    probability = np.stack([fused == k for k in range(3)]).astype(np.float32)
    case = Case("c", "c", "x", np.zeros((0, 8), np.float32), {"a": rater}, Geometry.axis_aligned(1))
    code = label_code([look_at_case("c", {"a": Path("a")}, {"a": rater})])
    rows = pd.DataFrame(rater_rows(case, Consensus(probability, fused, ("a",)), code)).set_index("class")
    assert rows.index.tolist() == ["background", "label 1", "label 2"]
    assert rows["sensitivity"].tolist() == pytest.approx([2 / 3, 2 / 3, 1])
    assert rows["specificity"].tolist() == pytest.approx([3 / 4, 1, 5 / 6])
    assert rows["dice"].tolist() == pytest.approx([4 / 6, 4 / 5, 2 / 3])
    assert rows.loc["label 1", ["says background", "says label 1", "says label 2"]].tolist() == pytest.approx([1 / 3, 2 / 3, 0])
