"""Models predict what the benchmark predicted, and refuse what they cannot know."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
import SimpleITK as sitk
from safetensors.numpy import load_file, save_file

from raterbench import RaterbenchError, load_model, read_results
from raterbench.benchmark import train_model, write_model
from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.experiment.factory import build_method, method_from_table, method_table
from raterbench.benchmark.models.card import read_card
from raterbench.benchmark.models.seen_images import orientation
from raterbench.benchmark.store.predictions import FULL
from raterbench.datasets import Geometry
from raterbench.methods import METHODS

from .conftest import SPACING, ball, experiment_on, write_volume


def test_one_fold_predicts_what_the_benchmark_stored_and_the_ensemble_their_mean(results, dataset):
    both = load_model(results, candidate="Vote")
    apart = [load_model(results, candidate="Vote", repeat=0, fold=fold) for fold in (0, 1)]
    assert [member.fold for member in both.card.members] == [0, 1] and len(apart[0].methods) == 1
    compared = 0
    for fold, model in enumerate(apart):
        for name, stored in read_results(results).predictions("Vote", fold=fold):
            case = next(case for case in dataset if case.id == name)
            assert np.abs(model.predict_proba(case) - stored).max() <= 1 / FULL
            compared += 1
    assert compared == 6
    case = dataset[0]
    mean = np.mean([model.predict_proba(case).astype(float) for model in apart], axis=0)
    assert np.array_equal(both.predict_proba(case), mean.astype(np.float32))
    assert both.card.threshold == pytest.approx(np.mean([model.card.threshold for model in apart]))


def test_labels_are_those_that_the_benchmark_measured(results, dataset):
    """Dice against a rater, computed here from the file of a test case, is the one in the results."""
    table = read_results(results).long_table
    for fold in (0, 1):
        model = load_model(results, candidate="Vote", fold=fold)
        rows = table[(table["candidate"] == "Vote") & (table["fold"] == fold) & (table["metric"] == "dice")]
        rows = rows[(rows["reference"] == "rater:ann") & (rows["threshold"] == "searched")]
        assert len(rows) == 3
        for name, value in zip(rows["case"], rows["value"], strict=True):
            case = next(case for case in dataset if case.id == name)
            found, rated = model.labels_of(model.predict_proba(case)) == 1, case.ratings["ann"] == 1
            assert 2 * (found & rated).sum() / (found.sum() + rated.sum()) == pytest.approx(value, abs=2e-3)


def test_a_written_model_predicts_the_same_bits_in_another_process(results, tmp_path, balls):
    model = load_model(results, candidate="Heads")
    card = write_model(model, tmp_path / "model")
    assert card == tmp_path / "model" / "model.json"
    image = balls / "images" / "c0.nii.gz"
    script = (
        "import sys, numpy as np; from raterbench import load_model; "
        "np.save(sys.argv[3], load_model(sys.argv[1]).predict_image(sys.argv[2]).probability)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model"), str(image), str(tmp_path / "p.npy")],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(tmp_path / "p.npy"), model.predict_image(image).probability)
    with pytest.raises(RaterbenchError, match="is there already, and a model never replaces another"):
        write_model(model, tmp_path / "model")


def test_the_card_says_what_was_measured_and_what_the_model_is(results, tmp_path):
    write_model(load_model(results, candidate="Vote"), tmp_path / "model")
    card, stored = read_card(tmp_path / "model"), read_results(results)
    assert (card.name, card.kind, card.method["name"]) == ("Vote", "folds", "fused-labels")
    assert card.data.classes == ("background", "ball") and card.data.class_values == (0, 100)
    assert card.data.raters == ("ann", "ben") and card.data.fingerprint == stored.facts["fingerprint"]
    assert card.seen.dims == (3,) and card.seen.channels == (1,) and card.seen.orientations == ("LPS",)
    assert card.seen.spacing == tuple((step, step) for step in SPACING[::-1])
    assert card.method["budget"]["beta2"] == 0.999 and card.method["budget"]["epochs"] == 12
    measured = card.measured
    assert (measured.repeats, measured.models, measured.subjects) == (1, 2, 6)
    rows = stored.rows
    dice = rows[(rows["candidate"] == "Vote") & (rows["metric"] == "dice") & (rows["reference"] == "raters")]["value"]
    assert measured.values[0].metric == "dice" and measured.values[0].mean == pytest.approx(dice.mean())
    assert measured.values[0].low < measured.values[0].mean < measured.values[0].high
    assert {one.last_bin for one in measured.calibration} == {"closed", "open"}
    assert all(0 < one.low <= one.error <= one.high < 1 for one in measured.calibration)
    page = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert f"{measured.values[0].mean:.4g}" in page and "must not be used for diagnosis" in page
    assert "which was not measured itself" in page
    head = page.split("---\n")[1]
    (index,) = json.loads(re.search(r"^model-index: (.*)$", head, re.MULTILINE)[1])
    assert index["results"][0]["metrics"][0]["value"] == measured.values[0].mean


def test_a_model_trained_on_all_cases_needs_no_results_and_takes_their_numbers(experiment, results, dataset, tmp_path):
    alone = train_model(experiment, tmp_path / "alone", candidate="Vote")
    told = train_model(experiment, tmp_path / "told", candidate="Vote", results=read_results(results))
    assert alone.measured is None and told.measured.models == 2
    (member,) = alone.members
    assert member.train + member.validation == len(dataset) and member.validation == 2 and alone.seen.cases == 6
    one, other = (load_model(tmp_path / name) for name in ("alone", "told"))
    assert np.array_equal(one.predict_proba(dataset[1]), other.predict_proba(dataset[1]))
    assert "Nothing was measured" in (tmp_path / "alone" / "README.md").read_text(encoding="utf-8")


def test_results_of_other_data_say_nothing_of_a_model(experiment, results, balls, tmp_path):
    shutil.copytree(balls, tmp_path / "balls")
    write_volume(tmp_path / "balls" / "images" / "c0.nii.gz", ball(99)[0])
    changed = experiment.replace(dataset=f"folder:{tmp_path / 'balls'}")
    with pytest.raises(RaterbenchError, match=r"is not the one that .* measured"):
        train_model(changed, tmp_path / "model", candidate="Vote", results=read_results(results))
    assert not (tmp_path / "model").exists()


def test_images_that_a_model_cannot_know_are_refused(results, tmp_path):
    model = load_model(results, candidate="Vote")
    flat = sitk.GetImageFromArray(np.zeros((32, 40), np.float32))
    sitk.WriteImage(flat, str(tmp_path / "flat.nii.gz"))
    with pytest.raises(RaterbenchError, match=r"flat.nii.gz has 2 spatial axes, but the images .* have 3"):
        model.predict_image(tmp_path / "flat.nii.gz")
    colours = sitk.GetImageFromArray(np.zeros((3, 32, 40, 2), np.float32), isVector=True)
    sitk.WriteImage(colours, str(tmp_path / "two.mha"))
    with pytest.raises(RaterbenchError, match=r"two.mha has 2 channels, but the images .* have 1"):
        model.predict_image(tmp_path / "two.mha")


def test_another_spacing_or_orientation_is_said(results, dataset, tmp_path):
    model, (pixels, _) = load_model(results, candidate="Vote"), ball(7)
    same = model.predict_image(write_volume(tmp_path / "same.nii.gz", pixels))
    assert same.warnings == ()
    far = model.predict_image(write_volume(tmp_path / "far.nii.gz", pixels, spacing=(0.5, 0.75, 5.0)))
    assert far.warnings == (
        "its spacing is 5 x 0.75 x 0.5 mm, that of the training images 3 x 0.75 x 0.5 mm (in the order of the array)",
    )
    assert np.array_equal(far.probability, same.probability)
    turned = model.predict_image(write_volume(tmp_path / "turned.nii.gz", pixels, direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1)))
    assert len(turned.warnings) == 1 and "its axes point to RAS, those of the training images to LPS" in turned.warnings[0]
    wide = dataclasses.replace(dataset[0], geometry=dataclasses.replace(dataset[0].geometry, spacing=(9.0, 9.0, 9.0)))
    with pytest.warns(UserWarning, match="its spacing is 9 x 9 x 9 mm"):
        model.predict_proba(wide)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.predict_proba(dataset[0])


def test_orientations_are_those_of_simpleitk():
    assert orientation(Geometry((1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 0, 1, 0, -1, 0))) == "LIP"
    assert orientation(Geometry.axis_aligned(2, (1, 1))) == orientation(Geometry.axis_aligned(3)) == ""


def test_results_without_weights_say_how_to_get_them(results, tmp_path):
    folder = tmp_path / "tools"
    shutil.copytree(results, folder)
    first, *_ = sorted((folder / "units").glob("fused-labels*.safetensors"))
    save_file(load_file(first), first)
    with pytest.raises(RaterbenchError, match="holds weights alone, as an earlier version"):
        load_model(folder, candidate="Vote")
    first.write_bytes(first.read_bytes()[:-5])
    with pytest.raises(RaterbenchError, match="is damaged"):
        load_model(folder, candidate="Vote")
    first.unlink()
    with pytest.raises(RaterbenchError, match=r"did not keep the weights .*1 of 2 .*keep_weights=true.*raterbench train"):
        load_model(folder, candidate="Vote")
    assert load_model(folder, candidate="Heads").card.name == "Heads"


def test_what_is_asked_for_must_be_there(results, tmp_path):
    with pytest.raises(RaterbenchError, match=r"has no candidate 'Vot'; did you mean 'Vote'\?"):
        load_model(results, candidate="Vot")
    with pytest.raises(RaterbenchError, match="has 2 candidates, 'Vote', 'Heads': name one"):
        load_model(results)
    with pytest.raises(RaterbenchError, match="no member of repeat 0, fold 7: it has repeat 0, fold 0; repeat 0, fold 1"):
        load_model(results, candidate="Vote", repeat=0, fold=7)
    with pytest.raises(RaterbenchError, match=r"holds no model \(model.json\) and no results"):
        load_model(tmp_path)
    with pytest.raises(RaterbenchError, match=r"'majority-vote' is no candidate .* a fusion of labels, .* is no model"):
        load_model(results, candidate="majority-vote")


def test_a_changed_model_folder_is_noticed(results, tmp_path):
    model = load_model(results, candidate="Vote")
    write_model(model, tmp_path / "model")
    weights = sorted((tmp_path / "model" / "members").iterdir())
    shutil.copyfile(weights[0], weights[1])
    with pytest.raises(RaterbenchError, match=r"is not the file that .*model.json describes"):
        load_model(tmp_path / "model")
    card = tmp_path / "model" / "model.json"
    card.write_text(card.read_text().replace("members/r0.f0", "../members/r0.f0"))
    with pytest.raises(RaterbenchError, match="lead out of the folder"):
        load_model(tmp_path / "model")
    card.write_text("{}")
    with pytest.raises(RaterbenchError, match="is no model card of this version"):
        load_model(tmp_path / "model")


PLUGIN = '''
from raterbench.methods import Method, NetworkMethod


class Shifted(NetworkMethod):
    """Adds what it learned of the training cases to the logits of the background."""

    {declared}

    def fit_targets(self, train):
        self.shift_ = float(len(train))

    def logits(self, outputs):
        return outputs + self.shift_ * (outputs[:1, :, :1, :1] * 0 + 1) * (outputs.new_tensor([1, 0]).view(1, 2, 1, 1))


class Constant(Method):
    """No network, and nothing to restore it from."""

    def fit(self, train, validation, *, seed, device="cpu"):
        return self

    def predict_proba(self, case):
        import numpy as np

        return np.full((2, *case.shape), 0.5, np.float32)
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    monkeypatch.setattr(METHODS, "_found", dict(METHODS._all()))

    def write(declared='predicts_with = ("shift_",)', name="mine.py"):
        file = tmp_path / name
        file.write_text(PLUGIN.replace("{declared}", declared))
        return str(file)

    return write


def test_a_plugins_model_is_restored_with_its_file_alone(plugin, balls, dataset, tmp_path, monkeypatch):
    file = plugin()
    known = dict(METHODS._found)
    experiment = experiment_on(balls, candidates=(Candidate("Mine", "shifted"),), plugins=(file,))
    train_model(experiment, tmp_path / "model")
    model = load_model(tmp_path / "model", plugins=[file])
    assert model.methods[0].shift_ == 4.0 and len(model.card.sources) == 1
    assert model.predict_proba(dataset[0])[0].mean() > 0.9
    monkeypatch.setattr(METHODS, "_found", known)
    with pytest.raises(RaterbenchError, match=r"there is no method called 'shifted'.*it came from a plug-in"):
        load_model(tmp_path / "model")
    with pytest.raises(RaterbenchError, match="the plug-in is not the one that it was trained with"):
        load_model(tmp_path / "model", plugins=[plugin('predicts_with = ("shift_",)  # edited', "other.py")])


def test_a_model_that_would_predict_otherwise_is_not_written(plugin, balls, tmp_path):
    experiment = experiment_on(balls, candidates=(Candidate("Mine", "shifted"),), plugins=(plugin("shift_ = 0.0"),))
    with pytest.raises(RaterbenchError, match=r"candidate 'Mine': .*it predicts otherwise: name every fitted attribute"):
        train_model(experiment, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_method_that_cannot_be_restored_is_refused_before_it_is_trained(plugin, balls, tmp_path):
    experiment = experiment_on(balls, candidates=(Candidate("Flat", "constant"),), plugins=(plugin(),))
    with pytest.raises(RaterbenchError, match="'Flat' cannot be a model: Constant cannot be restored"):
        train_model(experiment, tmp_path / "model")


def test_a_table_of_a_method_builds_the_same_method(experiment):
    options = {
        "space": {"budget.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}},
        "segmenter": {"method": "fused-labels", "fusion": {"name": "staple", "ties": "background"}, "recipe": "softseg"},
    }
    method = build_method(Candidate("it", "tuned", options), experiment)
    table = json.loads(json.dumps(method_table(method)))
    assert table["segmenter"]["fusion"]["ties"] == "background" and table["segmenter"]["budget"]["epochs"] == 12
    again = method_from_table(table, "the model")
    assert method_table(again) == method_table(method) and type(again.segmenter.fusion) is type(method.segmenter.fusion)
