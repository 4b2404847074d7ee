"""What a model is restored from is in its folder, and what decides how it predicts is compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from raterbench import RaterbenchError, load_model
from raterbench.benchmark import run, train_model, write_model
from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.models.card import read_card
from raterbench.benchmark.models.writing import README
from raterbench.methods.backbones import BACKBONES
from raterbench.methods.backbones.shallow import Shallow

from .conftest import BUDGET, experiment_on


@pytest.fixture
def first(tmp_path) -> Path:
    """First weights in a file, away from any model."""
    torch.manual_seed(1)
    file = tmp_path / "private" / "first.safetensors"
    file.parent.mkdir()
    save_file({name: tensor.contiguous() for name, tensor in Shallow(1, 2, [4] * 6).state_dict().items()}, file)
    return file


def texts_of(folder: Path) -> str:
    """All that a model folder says, the headers of its weights included."""
    return "".join(file.read_bytes().decode(errors="replace") for file in folder.rglob("*") if file.is_file())


HOLDER = Candidate("Apart", "own-preparation", {"mode": "slices", "segmenter": {"name": "gce", "budget": {"epochs": 2}}})


@pytest.mark.parametrize("candidate", [Candidate("Vote", "fused-labels"), HOLDER], ids=lambda one: one.name)
def test_a_model_needs_no_file_of_first_weights_and_does_not_name_it(first, candidate, balls, dataset, tmp_path):
    budget = {**BUDGET, "epochs": 1, "weights": str(first)}
    train_model(experiment_on(balls, candidates=(candidate,), budget=budget), tmp_path / "model")
    expected = load_model(tmp_path / "model").predict_proba(dataset[0])
    first.unlink()
    model = load_model(tmp_path / "model")
    assert np.array_equal(model.predict_proba(dataset[0]), expected)
    assert str(first.parent) not in texts_of(tmp_path / "model")
    # A card of an earlier version names the file.
    card = tmp_path / "model" / "model.json"
    card.write_text(card.read_text().replace('"weights": null', f'"weights": {json.dumps(str(first))}'))
    assert "first.safetensors" in card.read_text()
    assert np.array_equal(load_model(tmp_path / "model").predict_proba(dataset[0]), expected)


def test_fold_models_need_no_file_of_first_weights(first, balls, dataset, tmp_path):
    candidates = (Candidate("Vote", "fused-labels"), Candidate("Random", "random-rater"))
    budget = {**BUDGET, "epochs": 1, "weights": str(first)}
    run(experiment_on(balls, candidates=candidates, budget=budget), tmp_path / "results", jobs=1)
    first.unlink()
    model = load_model(tmp_path / "results", candidate="Vote")
    write_model(model, tmp_path / "model")
    assert str(first.parent) not in texts_of(tmp_path / "model")
    assert np.array_equal(load_model(tmp_path / "model").predict_proba(dataset[0]), model.predict_proba(dataset[0]))


def test_a_tuned_model_does_not_name_the_first_weights_that_it_tried(first, balls, dataset, tmp_path):
    segmenter = {"name": "own-preparation", "mode": "slices", "segmenter": "fused-labels"}
    options = {"space": {"segmenter.budget.weights": [str(first)]}, "trials": 1, "segmenter": segmenter}
    candidate, budget = Candidate("Tuned", "tuned", options), {**BUDGET, "epochs": 1}
    train_model(experiment_on(balls, candidates=(candidate,), budget=budget), tmp_path / "model")
    first.unlink()
    assert load_model(tmp_path / "model").predict_proba(dataset[0]).shape == (2, 3, 32, 40)
    assert str(first.parent) not in texts_of(tmp_path / "model")


BACKBONE = '''
from raterbench.methods.backbones.shallow import Shallow


class Scaled(Shallow):
    """The shallow backbone, whose logits are multiplied."""

    name = "scaled"

    def classify(self, decoder):
        return SCALE * super().classify(decoder)
'''


def test_an_edited_backbone_of_a_plugin_is_noticed(balls, tmp_path, monkeypatch):
    monkeypatch.setattr(BACKBONES, "_found", dict(BACKBONES._all()))
    files = [tmp_path / name for name in ("own.py", "edited.py")]
    for file, scale in zip(files, ("1.0", "-5.0"), strict=True):
        file.write_text(BACKBONE.replace("SCALE", scale))
    budget = {**BUDGET, "epochs": 1, "backbone": "scaled"}
    experiment = experiment_on(balls, candidates=(Candidate("Vote", "fused-labels"),), budget=budget, plugins=(str(files[0]),))
    assert len(train_model(experiment, tmp_path / "model").sources) == 1
    assert load_model(tmp_path / "model", plugins=[files[0]]).card.name == "Vote"
    with pytest.raises(RaterbenchError, match="the plug-in is not the one that it was trained with"):
        load_model(tmp_path / "model", plugins=[files[1]])


def test_the_card_says_with_which_options_the_data_set_was_read(balls, tmp_path):
    options = {"threshold": 50.0}
    experiment = experiment_on(
        balls, candidates=(Candidate("Vote", "fused-labels"),), budget={**BUDGET, "epochs": 1}, dataset_options=options
    )
    train_model(experiment, tmp_path / "model")
    assert read_card(tmp_path / "model").data.options == options
    images = (tmp_path / "model" / README).read_text(encoding="utf-8").split("## Images")[1].split("##")[0]
    assert "- Data set options: threshold = 50.0\n" in images
    # A card of an earlier version says nothing of them.
    card = tmp_path / "model" / "model.json"
    content = json.loads(card.read_text())
    del content["data"]["options"]
    card.write_text(json.dumps(content))
    assert load_model(tmp_path / "model").card.data.options == {}
