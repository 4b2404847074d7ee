import json
import re
from pathlib import Path

import pytest

from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split, read_experiment
from raterbench.benchmark.experiment.factory import build_fusions, build_method, build_metrics
from raterbench.benchmark.experiment.files import shipped
from raterbench.benchmark.experiment.settings import canonical
from raterbench.datasets import DATASETS, RaterbenchError

MINIMAL = """
[[candidates]]
method = "tgce"
"""


@pytest.fixture
def toml(tmp_path):
    def write(text, name="mine.toml"):
        file = tmp_path / name
        file.write_text(text)
        return str(file)

    return write


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_experiment_loads_and_its_parts_can_be_built(name):
    experiment = read_experiment(name)
    assert experiment.name == name
    assert experiment.description
    assert experiment.dataset in DATASETS.names()
    assert [build_method(c, experiment) for c in experiment.candidates]
    assert len(build_fusions(experiment)) == len(experiment.fused_rows)
    assert build_metrics(experiment)


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_experiment_has_enough_repeats_and_says_how_small_it_is(name):
    """Three repeats of a cross-validation and five of a hold-out let trainings vary enough; two say that they do not."""
    experiment = read_experiment(name)
    repeats, said = experiment.split.repeats, experiment.description
    if name in ("smoke", "volumes"):
        assert repeats == 1 and "in one repeat" in said and "exploratory" in said.lower()
        return
    assert repeats >= (5 if experiment.split.policy == "holdout" else 3)
    assert f"{ {3: 'three', 5: 'five', 10: 'ten', 15: 'fifteen', 20: 'twenty'}[repeats] } repeats" in said
    assert re.search("at (its|their) own size", said) or "Another protocol" in said or "Small scale: " in said
    assert re.search(r"(about|under) [a-z0-9 ]+ on two cores\.$", said) or said.endswith("For a GPU.")
    for epochs in re.findall(r"(\d+) epochs", said):
        assert int(epochs) == experiment.budget["epochs"]
    for share, option in (("(\\S+) of 60,000 training digits", "train"), ("(\\S+) of 10,000 test digits", "test")):
        for number in re.findall(share, said):
            assert int(number.replace(",", "")) == experiment.dataset_options[option]


def test_one_candidate_has_ten_names_and_ten_seeds():
    same, quick = read_experiment("same-candidate"), read_experiment("quick")
    assert {(c.method, tuple(c.options.items())) for c in same.candidates} == {("fused-labels", (("fusion", "majority-vote"),))}
    assert len({c.seed for c in same.candidates}) == len(same.candidates) == 10
    assert (same.split, same.budget, same.dataset) == (quick.split, quick.budget, quick.dataset)


@pytest.mark.parametrize("name", shipped())
def test_an_experiment_comes_back_from_json_as_it_was(name):
    experiment = read_experiment(name)
    stored = json.loads(json.dumps(experiment.to_json()))
    assert Experiment.from_json(stored) == experiment
    assert canonical(Experiment.from_json(stored).to_json()) == canonical(experiment.to_json())


def test_defaults_are_enough_for_a_candidate(toml):
    experiment = read_experiment(toml(MINIMAL))
    assert experiment.name == "mine"
    assert experiment.candidates == (Candidate("tgce", "tgce"),)
    assert experiment.baseline == "tgce"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dataste = 'phantom'" + MINIMAL, "unknown key 'dataste'; did you mean 'dataset'?"),
        (MINIMAL + "[split]\nfold = 3", "split: unknown key 'fold'; did you mean 'folds'?"),
        (MINIMAL + "[statistics]\nalhpa = 0.1", "statistics: unknown key 'alhpa'; did you mean 'alpha'?"),
        (MINIMAL + "[budget]\nepoch = 3", "budget: unknown key 'epoch'; did you mean 'epochs'?"),
        (MINIMAL + "[split]\nfolds = 'five'", "folds = 'five' must be a whole number"),
        (MINIMAL + "[split]\nfolds = 2.5", "folds = 2.5 must be a whole number"),
        (MINIMAL + "[split]\nvalidation = true", "validation = True must be a number"),
        ("split = 3" + MINIMAL, "split must be a table of settings"),
        ("metrics = 'dice'" + MINIMAL, "metrics = 'dice' must be a list"),
        ("metrics = [1]" + MINIMAL, "metrics = .* must be a list, each of it a text"),
        ("dataset_options = 1" + MINIMAL, "dataset_options = 1 must be a table"),
        ("candidates = ['tgce']", "must be a .* table"),
        ("candidates = 'tgce'", "candidates must be .* tables"),
        ("[[candidates]]\nname = 'x'", "candidate 'x' names no method"),
        ("name = 'empty'", "'empty' has no candidates"),
        (MINIMAL + MINIMAL, "two candidates called 'tgce'"),
        (MINIMAL + "name = 'labels'", "cannot be called 'labels'"),
        (MINIMAL + "[split]\npolicy = 'fold'", "no split.policy called 'fold'; did you mean 'folds'?"),
        (MINIMAL + "[split]\nfolds = 1", "split: folds = 1 must be a whole number from 2 to 1000"),
        (MINIMAL + "[split]\nvalidation = 1.0", "validation = 1.0 must be a number greater than 0 and less than 1"),
        (MINIMAL + "[statistics]\nbaseline = 'tcge'", "'tcge' is no candidate; did you mean 'tgce'?"),
        (MINIMAL + "[statistics]\nprimary_metric = 'dyce'", "'dyce' is not among the metrics; did you mean 'dice'?"),
        (MINIMAL + "[statistics]\nalpha = 2", "alpha = 2 must be a number greater than 0 and less than 1"),
        ("keep_cases = -1" + MINIMAL, "keep_cases = -1 must be a whole number from 0 to 10000"),
        (MINIMAL + "[preparation]\nsize = [8, 8]\npixel_size = 1", r"size = \[8, 8\] and pixel_size = 1.0 exclude each other"),
        ("published = 'zhang2020-table3'" + MINIMAL, "'zhang2020-table3' is no table .* did you mean 'zhang2020-table"),
        ("name = ", "is not valid TOML"),
    ],
)
def test_what_is_wrong_in_a_file_is_a_sentence_that_names_it(toml, text, says):
    file = toml(text)
    with pytest.raises(RaterbenchError, match=says) as caught:
        read_experiment(file)
    assert "\n" not in str(caught.value).strip()


def test_text_that_is_not_utf_8_is_a_sentence(tmp_path):
    file = tmp_path / "latin.toml"
    file.write_bytes("description = 'Größe'".encode("latin-1"))
    with pytest.raises(RaterbenchError, match=r"latin\.toml' is not UTF-8 \(byte 0xf6 in line 1\): save it"):
        read_experiment(str(file))


@pytest.mark.parametrize("name", ["qick", "missing.toml", "."])
def test_an_unknown_experiment_names_the_nearest(name):
    with pytest.raises(RaterbenchError, match="neither a shipped experiment nor a TOML file") as caught:
        read_experiment(name)
    assert name != "qick" or "did you mean 'quick'?" in str(caught.value)


def test_settings_are_dotted_keys_with_toml_values(toml):
    settings = [
        "split.folds=3",
        "budget.features=[4, 4, 4, 4, 4, 4]",
        "dataset_options.missing=0.1",
        "statistics.primary_metric=brier",
        "metrics=['brier']",
        "name=other",
    ]
    experiment = read_experiment(toml(MINIMAL), settings)
    assert experiment.split.parameters == {"folds": 3}
    assert experiment.budget == {"features": [4, 4, 4, 4, 4, 4]}
    assert experiment.dataset_options == {"missing": 0.1}
    assert (experiment.name, experiment.metrics) == ("other", ("brier",))


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("split.folds", "has no '='"),
        ("split.fold=3", "unknown key 'fold'; did you mean 'folds'?"),
        ("spilt.folds=3", "unknown key 'spilt'; did you mean 'split'?"),
        ("name.first=3", "'name' is no table of settings"),
        ("split.folds=many", "folds = 'many' must be a whole number"),
    ],
)
def test_a_wrong_setting_is_a_sentence(toml, setting, says):
    with pytest.raises(RaterbenchError, match=says):
        read_experiment(toml("name = 'x'" + MINIMAL), [setting])


def test_one_way_to_resample_takes_the_place_of_the_other(toml):
    below = toml("preparation = {size = [32, 32], image_order = 2}" + MINIMAL, "below.toml")
    above = toml('extends = "below.toml"\n[preparation]\npixel_size = 0.25')
    assert read_experiment(above).preparation == {"pixel_size": 0.25, "image_order": 2}
    assert read_experiment(below, ["preparation.pixel_size=0.25"]).preparation == {"pixel_size": 0.25, "image_order": 2}
    assert read_experiment(above, ["preparation.size=[8, 8]"]).preparation == {"size": [8, 8], "image_order": 2}
    assert read_experiment(below, ["preparation.crop=[16, 16]"]).preparation["size"] == [32, 32]
    with pytest.raises(RaterbenchError, match="exclude each other"):
        read_experiment(below, ["preparation.pixel_size=0.25", "preparation.size=[8, 8]"])


def test_on_another_data_set_its_own_options_and_preparation_hold(toml):
    text = "dataset_options = {size = 32}\npreparation = {size = [32, 32]}" + MINIMAL
    there = read_experiment(toml(text), dataset="deepflash")
    assert (there.name, there.dataset) == ("mine-deepflash", "deepflash")
    assert there.dataset_options == there.preparation == {}
    assert there == read_experiment(toml(text)).on("deepflash")


def test_settings_hold_for_the_data_set_that_was_asked_for(toml):
    experiment = read_experiment(toml("dataset = 'mnist'" + MINIMAL), ["dataset_options.size=48"], dataset="phantom")
    assert experiment.dataset_options == {"size": 48}


def test_the_own_data_set_changes_nothing(toml):
    file = toml("dataset_options = {size = 32}" + MINIMAL)
    assert read_experiment(file, dataset="phantom") == read_experiment(file) == read_experiment(file).on("phantom")


@pytest.mark.parametrize(("path", "word"), [("some/where/mine/", "mine"), ("mine", "mine"), (".", Path.cwd().name)])
def test_a_folder_gives_the_experiment_its_own_name(toml, path, word):
    assert read_experiment(toml(MINIMAL, "x.toml"), dataset=f"folder:{path}").name == f"x-{word}"


def test_paths_in_a_file_are_beside_it(toml, tmp_path):
    text = "plugins = ['one.py', '/two.py']" + MINIMAL + "[split]\nmanifest = 'splits.json'"
    experiment = read_experiment(toml(text))
    assert experiment.plugins == (str(tmp_path / "one.py"), "/two.py")
    assert experiment.split.manifest == str(tmp_path / "splits.json")


def test_paths_in_a_file_may_start_at_home(toml, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    experiment = read_experiment(toml("plugins = ['~/one.py']" + MINIMAL + "[split]\nmanifest = '~/splits.json'"))
    assert experiment.plugins == (str(tmp_path / "home" / "one.py"),)
    assert experiment.split.manifest == str(tmp_path / "home" / "splits.json")


def test_an_experiment_built_in_python_is_checked_too():
    with pytest.raises(RaterbenchError, match="policy"):
        Experiment("x", (Candidate("a", "tgce"),), split=Split(policy="nothing"))
    assert Experiment("x", (Candidate("a", "tgce"),)).replace(seed=3).seed == 3


def test_a_file_extends_another_key_by_key(toml, tmp_path):
    toml("description = 'below'\nseed = 3\nplugins = ['one.py']\n[split]\nfolds = 3\nrepeats = 2" + MINIMAL, "below.toml")
    own = toml("extends = 'below.toml'\nseed = 4\n[split]\nrepeats = 5\n[budget]\nepochs = 7", "own.toml")
    experiment = read_experiment(own)
    assert (experiment.name, experiment.description, experiment.seed) == ("own", "", 4)
    assert (experiment.split.parameters["folds"], experiment.split.repeats, experiment.budget) == (3, 5, {"epochs": 7})
    assert experiment.candidates == (Candidate("tgce", "tgce"),)
    assert experiment.plugins == (str(tmp_path / "one.py"),)
    top = toml("extends = 'own.toml'\nmetrics = ['dice']\n[[candidates]]\nmethod = 'random-rater'", "top.toml")
    assert read_experiment(top).candidates == (Candidate("random-rater", "random-rater"),)
    assert (read_experiment(top).seed, read_experiment(top).metrics) == (4, ("dice",))


def test_a_description_speaks_of_what_was_run_and_of_nothing_else(toml):
    file = toml("description = 'On the phantom.'" + MINIMAL)
    assert read_experiment(file).description == read_experiment(file, dataset="phantom").description == "On the phantom."
    for elsewhere in (
        read_experiment(file, dataset="deepflash"),
        read_experiment(file, ["dataset=deepflash", "seed=2"]),
        read_experiment(file).on("deepflash"),
        read_experiment(toml("extends = 'mine.toml'\nseed = 3", "above.toml")),
    ):
        assert elsewhere.description == ""
    changed = read_experiment(file, ["dataset_options.subjects=4", "seed=2"])
    assert changed.description == "On the phantom. Changed for this run: dataset_options.subjects=4, seed=2."
    assert read_experiment(file, ["description=Mine.", "seed=2"]).description == "Mine."


def test_another_dataset_by_a_setting_keeps_its_own_options_alone(toml):
    file = toml("dataset_options = {size = 32}\npublished = 'zhang2020-table1'" + MINIMAL)
    experiment = read_experiment(file, ["dataset=deepflash", "dataset_options.size=48"])
    assert (experiment.dataset_options, experiment.published) == ({"size": 48}, "")
    assert read_experiment(file, ["dataset=phantom"]).dataset_options == {"size": 32}


def test_a_file_extends_a_shipped_experiment(toml):
    base, own = read_experiment("mnist"), read_experiment(toml("extends = 'mnist'\nbudget.epochs = 1"))
    assert own == base.replace(name="mine", description="", budget={**base.budget, "epochs": 1})


def test_what_was_said_of_a_data_set_does_not_hold_for_another(toml):
    own = read_experiment(toml("extends = 'mnist'\ndataset = 'phantom'\n[dataset_options]\nsize = 48"))
    assert (own.dataset, own.dataset_options) == ("phantom", {"size": 48})
    assert own.candidates == read_experiment("mnist").candidates
    toml("dataset_options = {size = 48}" + MINIMAL, "unnamed.toml")
    assert read_experiment(toml("extends = 'unnamed.toml'\ndataset = 'phantom'")).dataset_options == {"size": 48}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("extends = 'mine.toml'", "in a circle: mine.toml extends mine.toml"),
        ("extends = 'other.toml'", "in a circle: mine.toml extends other.toml extends mine.toml"),
        ("extends = 'mnits'", "neither a shipped experiment nor a TOML file; did you mean 'mnist'?"),
        ("extends = 3", "extends = 3 must be a text in quotes"),
    ],
)
def test_what_cannot_be_extended_is_a_sentence(toml, text, says):
    toml("extends = 'mine.toml'", "other.toml")
    with pytest.raises(RaterbenchError, match=says):
        read_experiment(toml(text))
