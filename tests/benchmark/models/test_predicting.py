"""Images in, files out: on the grid of each image, with the label values of the data set, and nothing replaced silently."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from raterbench import RaterbenchError, load_model
from raterbench.__main__ import main
from raterbench.benchmark.models.predicting import plan_predictions, predict_files

from .conftest import ball, write_volume

TURNED = (0, 1, 0, -1, 0, 0, 0, 0, 1)


@pytest.fixture(scope="module")
def model(results):
    return load_model(results, candidate="Vote")


def geometry(file):
    image = sitk.ReadImage(str(file))
    return [*image.GetSize(), *image.GetSpacing(), *image.GetOrigin(), *image.GetDirection()]


@pytest.mark.parametrize(("image", "ending"), [("a.nii.gz", ".nii.gz"), ("b.mha", ".nii.gz"), ("c.nrrd", ".mha")])
def test_predictions_lie_on_the_grid_of_their_image(model, tmp_path, image, ending):
    pixels, _ = ball(3, shape=(2, 20, 33))
    file = write_volume(tmp_path / image, pixels, spacing=(0.4, 0.8, 2.5), direction=TURNED)
    plan = plan_predictions(model, [file], tmp_path / "out", ending=ending)
    (found,) = predict_files(model, plan, tmp_path / "out")
    assert found.places.labels == tmp_path / "out" / "labels" / f"{image[0]}{ending}"
    for written in (found.places.labels, found.places.probability):
        assert np.allclose(geometry(written), geometry(file), rtol=0, atol=1e-5)
    labels, probability = (
        sitk.GetArrayFromImage(sitk.ReadImage(str(place))) for place in (found.places.labels, found.places.probability)
    )
    predicted = model.predict_image(file)
    assert labels.dtype == np.uint8 and probability.dtype == np.float32 and probability.shape == (2, 20, 33)
    assert np.array_equal(probability, predicted.probability[1])
    assert np.array_equal(labels, 100 * (predicted.probability[1] >= np.float32(model.card.threshold)))
    assert 0 < (labels == 100).sum() < labels.size
    assert found.sizes == {"ball": pytest.approx((labels == 100).sum() * 0.4 * 0.8 * 2.5)}
    assert [warning.split()[1] for warning in found.warnings] == ["spacing", "axes"]


def test_the_command_predicts_prints_what_was_measured_and_keeps_what_is_there(results, balls, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ["predict", str(results), str(balls / "images"), "--candidate", "Vote", "-o", "out"]
    assert main(asked) == 0
    said = capsys.readouterr().out
    for words in (
        "ball (volume, mm^3)",
        "Dice against raters: ",
        "Brier",
        "Calibration error (ECE)",
        "1 repeat",
        "the mean of 2",
    ):
        assert words in said
    table = pd.read_csv("out/predictions.csv")
    assert [Path(name).name for name in table["image"]] == [f"c{n}.nii.gz" for n in range(6)]
    assert all(Path(name).is_file() for column in ("labels", "probability") for name in table[column])
    before = {file: file.read_bytes() for file in Path("out").rglob("*") if file.is_file()}
    assert len(before) == 14
    assert main([*asked, "--fold", "0"]) == 2
    assert "and 13 more files are there already" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in before} == before
    assert main([*asked, "--fold", "0", "--overwrite"]) == 0
    assert Path("out/probability/c0.nii.gz").read_bytes() != before[Path("out/probability/c0.nii.gz")]


def test_a_run_that_was_stopped_can_be_run_again_with_the_same_model(model, results, tmp_path, monkeypatch):
    images = [write_volume(tmp_path / f"{name}.nii.gz", ball(n)[0]) for n, name in enumerate("ab")]
    out = tmp_path / "out"
    plan = plan_predictions(model, images, out)
    (out / "labels" / "b.nii.gz").mkdir(parents=True)
    with pytest.raises(RaterbenchError, match=r"b\.nii\.gz"):
        predict_files(model, plan, out)
    (out / "labels" / "b.nii.gz").rmdir()
    assert (out / "labels" / "a.nii.gz").is_file() and not (out / "predictions.csv").exists()
    with pytest.raises(RaterbenchError, match="there already"):
        plan_predictions(load_model(results, candidate="Heads"), images, out)
    assert len(predict_files(model, plan_predictions(model, images, out), out)) == 2
    with pytest.raises(RaterbenchError, match="there already"):
        plan_predictions(model, images, out)


def test_an_image_that_cannot_be_read_does_not_end_the_others(results, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = [write_volume(Path("images") / f"{name}.mha", ball(n)[0]) for n, name in enumerate("abc")]
    whole = images[1].read_bytes()
    images[1].write_bytes(whole.replace(b"CompressedData = False", b"CompressedData = True "))
    assert main(["predict", str(results), "images", "--candidate", "Vote", "-o", "out"]) == 1
    said = capsys.readouterr().out
    assert "NOT PREDICTED images/b.mha: " in said and "1 of 3 images could not be predicted" in said
    table = pd.read_csv("out/predictions.csv", keep_default_na=False)
    assert [bool(reason) for reason in table["failed"]] == [False, True, False]
    assert [Path(name).is_file() for name in table["labels"]] == [True, False, True] and table["labels"][1] == ""
    assert table["ball (volume, mm^3)"][1] == "" and float(table["ball (volume, mm^3)"][2]) > 0
    assert sorted(file.name for file in Path("out/labels").iterdir()) == ["a.nii.gz", "c.nii.gz"]
    images[1].write_bytes(whole)
    assert main(["predict", str(results), "images", "--candidate", "Vote", "-o", "out", "--overwrite"]) == 0


def test_what_was_predicted_before_does_not_stay_beside_another_model(model, results, tmp_path):
    images = [write_volume(tmp_path / f"{name}.nii.gz", ball(n)[0]) for n, name in enumerate("abc")]
    out, elsewhere = tmp_path / "out", tmp_path / "labels" / "a.nii.gz"
    predict_files(model, plan_predictions(model, images[:2], out), out)
    kept = [out / "labels" / "mine.nii.gz", elsewhere, out / "notes.txt"]
    for file in kept:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"mine")
    table = pd.read_csv(out / "predictions.csv", keep_default_na=False)
    table.loc[2, ["labels", "probability"]] = [str(elsewhere.parent / "../labels/a.nii.gz"), str(out / "notes.txt")]
    table.to_csv(out / "predictions.csv", index=False)
    other = load_model(results, candidate="Heads")
    # One of the images was predicted before: it is no label any more.
    again = [out / "probability" / "b.nii.gz", images[2]]
    predict_files(other, plan_predictions(other, again, out, ending=".mha", overwrite=True), out)
    assert all(file.read_bytes() == b"mine" for file in kept)
    there = sorted(str(file.relative_to(out)) for part in ("labels", "probability") for file in (out / part).iterdir())
    assert there == [
        "labels/b.mha", "labels/c.mha", "labels/mine.nii.gz", "probability/b.mha", "probability/b.nii.gz", "probability/c.mha",
    ]  # fmt: skip


def test_what_is_wrong_with_images_is_found_before_one_is_predicted(model, balls, tmp_path):
    good = balls / "images" / "c0.nii.gz"
    other = write_volume(tmp_path / "c0.mha", ball(0)[0])
    with pytest.raises(RaterbenchError, match="have the same name"):
        plan_predictions(model, [good, other], tmp_path / "out")
    flat = tmp_path / "flat.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((8, 8), np.float32)), str(flat))
    with pytest.raises(RaterbenchError, match="has 2 spatial axes"):
        plan_predictions(model, [good, flat], tmp_path / "out")
    with pytest.raises(RaterbenchError, match="is not there"):
        plan_predictions(model, [good, tmp_path / "none.nii.gz"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RaterbenchError, match="holds no image"):
        plan_predictions(model, [tmp_path / "empty"], tmp_path / "out")
    with pytest.raises(RaterbenchError, match=r"not written as '.png'"):
        plan_predictions(model, [good], tmp_path / "out", ending=".png")
    inside = tmp_path / "labels" / "x.nii.gz"
    inside.parent.mkdir()
    shutil.copyfile(good, inside)
    with pytest.raises(RaterbenchError, match="is one of the images"):
        plan_predictions(model, [inside], tmp_path, overwrite=True)
    assert not (tmp_path / "out").exists()


def test_fold_models_become_one_folder_and_one_model_is_trained(results, experiment, balls, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", str(results), "--candidate", "Vote", "--folds", "-o", "folds"]) == 0
    said = capsys.readouterr().out
    assert "Vote: 2 fold models, whose mean is predicted" in said
    assert "Volumes are learned slice by slice along z." in said
    assert main(["train", str(results), "--candidate", "Vote", "-o", "one"]) == 0
    said = capsys.readouterr().out
    assert "Vote: learned from 4 cases, 2 more validated" in said and "no case is left to measure it on" in said
    image = str(balls / "images" / "c1.nii.gz")
    for folder in ("folds", "one"):
        assert main(["predict", folder, image, "-o", f"out-{folder}"]) == 0
    ours = sitk.GetArrayFromImage(sitk.ReadImage("out-folds/probability/c1.nii.gz"))
    assert np.array_equal(ours, load_model(results, candidate="Vote").predict_image(image).probability[1])
    assert main(["train", str(results), "--candidate", "Vote", "-o", "one"]) == 2
    assert "one is there already" in capsys.readouterr().err
    assert main(["train", str(results), "--candidate", "Vote", "-o", "two", "--set", "seed=1"]) == 2
    assert "whose settings are fixed" in capsys.readouterr().err
    assert main(["train", "quick", "--candidate", "STAPLE", "--folds", "-o", "two"]) == 2
    assert "quick is no results folder" in capsys.readouterr().err
    for ignored in ("--set=seed=1", "--dataset=phantom", "--data=elsewhere", "--device=cpu"):
        assert main(["train", str(results), "--candidate", "Vote", "--folds", "-o", "two", ignored]) == 2
        assert f"{ignored.split('=')[0]} would change nothing" in capsys.readouterr().err
    assert not Path("two").exists()


def test_classes_without_a_threshold_and_pictures_without_a_spacing(tmp_path, monkeypatch, capsys):
    """Three classes of a shipped data set in 2-D: the probability has a channel for each, and areas in mm are not known."""
    monkeypatch.chdir(tmp_path)
    small = ["dataset_options.subjects=3", "dataset_options.slices=1", "dataset_options.size=32", "budget.epochs=1"]
    settings = [word for setting in [*small, "budget.features=[4,4,4,4,4,4]"] for word in ("--set", setting)]
    assert main(["train", "quick", "--candidate", "Soft average", "-o", "model", *settings]) == 0
    said = capsys.readouterr().out
    assert "Nothing was measured of this candidate" in said and "Volumes are learned" not in said
    picture = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 255, (24, 40), dtype=np.uint8))
    sitk.WriteImage(picture, "it.png")
    assert main(["predict", "model", "it.png", "-o", "out"]) == 0
    said = capsys.readouterr().out
    assert "its lengths are in pixel, those of the training images in mm" in said and said.count("not known") == 2
    table = pd.read_csv("out/predictions.csv")
    assert table.filter(like="(area, mm^2)").shape == (1, 2) and table.filter(like="(area, mm^2)").isna().all(axis=None)
    probability = sitk.ReadImage("out/probability/it.nii.gz")
    assert probability.GetNumberOfComponentsPerPixel() == 3 and probability.GetSize() == (40, 24)
    values = sitk.GetArrayFromImage(probability)
    assert np.allclose(values.sum(axis=-1), 1, atol=1e-5)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage("out/labels/it.nii.gz")), values.argmax(axis=-1))
