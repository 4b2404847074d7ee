"""``raterbench check`` catches classes that break the contract, and says in words what is wrong."""

import dataclasses
import textwrap

import pytest

from raterbench.__main__ import main
from raterbench.benchmark.checks import check_file
from raterbench.benchmark.checks.backbones import check_backbone, check_recipe
from raterbench.benchmark.checks.datasets import check_dataset
from raterbench.benchmark.checks.methods import CHECKS, Trained, small
from raterbench.benchmark.checks.metrics import check_metric
from raterbench.benchmark.checks.result import run_checks
from raterbench.benchmark.metrics import METRICS
from raterbench.datasets import Cells, RaterbenchError
from raterbench.datasets.phantom import Phantom
from raterbench.methods import NetworkMethod
from raterbench.methods.backbones import BACKBONES
from raterbench.methods.learning.recipes import RECIPES
from raterbench.registry import load_plugin

HEAD = """
import numpy as np
import torch
from raterbench.benchmark.experiment.splits import SplitPolicy
from raterbench.benchmark.metrics import Metric, PooledMetric
from raterbench.datasets import Card, Case, Dataset, Geometry
from raterbench.datasets.base import index_table
from raterbench.methods import Budget, Fusion, Method, NetworkMethod
from raterbench.methods.learning.losses import masked_mean

def surprise(outputs, ratings):
    return -(ratings * outputs.log_softmax(dim=1).unsqueeze(1)).sum(dim=2)
"""


def written(folder, body, name="plugin.py"):
    path = folder / name
    path.write_text(HEAD + textwrap.dedent(body))
    return path


def findings(folder, body):
    """What failed: the check's name without the class, and the message."""
    results = list(check_file(written(folder, body)))
    return {result.name.split(": ", 1)[1]: result.message for result in results if not result.passed}


GOOD = """
class Mine(NetworkMethod):
    def loss(self, outputs, ratings, present):
        return masked_mean(surprise(outputs, ratings), present)
"""

LOSSES = {
    "rater order": (
        "return masked_mean(surprise(outputs, ratings) * torch.arange(ratings.shape[1]).view(-1, 1, 1), present)",
        "the loss changed when the raters came in another order",
    ),
    "class relabelling": (
        "weights = torch.arange(1.0, ratings.shape[2] + 1).view(-1, 1, 1)\n"
        "        return masked_mean(surprise(outputs, ratings * weights), present)",
        "the loss changed when the foreground classes got other numbers",
    ),
    "missing rater": (
        "return (surprise(outputs, ratings) * present).mean()",
        "a rater who rated nothing changed the loss",
    ),
    "unjudged voxels": (
        "return masked_mean(surprise(outputs, ratings), present) + outputs.square().mean()",
        "voxels that nobody judged, such as padding, changed the loss",
    ),
    "empty masks": (
        "return (surprise(outputs, ratings) * present).sum() / present.sum()",
        "the loss of a batch that nobody judged is nan",
    ),
    "the loss can be descended": (
        "return surprise(outputs, ratings)",
        "loss must return a scalar tensor; it gave shape [3, 7, 32, 32]",
    ),
}


@pytest.mark.parametrize("check", LOSSES)
def test_a_loss_that_breaks_a_promise_is_found(check, tmp_path):
    line, message = LOSSES[check]
    found = findings(tmp_path, f"class Mine(NetworkMethod):\n    def loss(self, outputs, ratings, present):\n        {line}\n")
    assert message in found[check]


def test_a_good_method_passes_everything(tmp_path):
    results = list(check_file(written(tmp_path, GOOD)))
    assert all(result.passed and not result.message for result in results)
    assert results[0].name == "Mine: parameters are only stored"


SHIFTED = """
class Mine(NetworkMethod):
    {declared}

    def fit_targets(self, train):
        self.shift_ = torch.tensor([float(len(train)), 0.0])

    def logits(self, outputs):
        return outputs + self.shift_.view(1, 2, 1, 1)
"""
FORGOTTEN = "restored from its weights and facts it predicts otherwise: name every fitted attribute"


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ('predicts_with = ("shift_",)', None),
        ("shift_ = torch.zeros(2)", FORGOTTEN),
        ("listed = True", FORGOTTEN),
        ('predicts_with = ("shift_", "other_")', "predicts_with names 'other_', which fit does not set"),
    ],
)
def test_a_fitted_attribute_that_models_would_lose_is_found(declared, message, tmp_path):
    method = load_plugin(written(tmp_path, SHIFTED.format(declared=declared))).Mine()
    (result,) = run_checks({"model": CHECKS["a model of it predicts the same"]}, method, Trained(small(method), small(method)))
    assert result.passed == (message is None) and (message or "") in result.message


def test_heads_that_start_at_random_are_no_broken_rater_order(tmp_path):
    body = """
    class Heads(torch.nn.Module):
        def __init__(self, n_channels, n_classes, n_raters):
            super().__init__()
            self.shared = torch.nn.Conv2d(n_channels, 4, 3, padding=1)
            self.truth = torch.nn.Conv2d(4, n_classes, 1)
            self.each = torch.nn.ModuleList(torch.nn.Conv2d(4, n_classes, 1) for _ in range(n_raters))

        def forward(self, images):
            features = self.shared(images).relu()
            return self.truth(features), torch.stack([head(features) for head in self.each], dim=1)

    class Mine(NetworkMethod):
        def build(self, n_channels, n_classes, n_raters):
            return Heads(n_channels, n_classes, n_raters)

        def logits(self, outputs):
            return outputs[0]

        def loss(self, outputs, ratings, present):
            each = -(ratings * outputs[1].log_softmax(dim=2)).sum(dim=2)
            return masked_mean(each + surprise(outputs[0], ratings), present)
    """
    assert not findings(tmp_path, body)


def test_an_absent_raters_head_must_have_no_gradient(tmp_path):
    body = """
    class Biased(torch.nn.Module):
        def __init__(self, n_channels, n_classes, n_raters):
            super().__init__()
            self.truth = torch.nn.Conv2d(n_channels, n_classes, 1)
            self.bias = torch.nn.Parameter(torch.zeros(n_raters, n_classes))

        def forward(self, images):
            return self.truth(images)

    class Mine(NetworkMethod):
        def build(self, n_channels, n_classes, n_raters):
            return Biased(n_channels, n_classes, n_raters)

        def loss(self, outputs, ratings, present):
            logits = outputs.unsqueeze(1) + self.module_.bias[..., None, None]
            each = -(ratings * logits.log_softmax(dim=2)).sum(dim=2)
            return masked_mean(each, present) + 0.01 * self.module_.bias.sum()
    """
    assert "a rater who rated nothing has a gradient" in findings(tmp_path, body)["missing rater"]


INIT = {
    "self.alpha = float(alpha)": "__init__ does more than store its parameters (TypeError",
    "self.alpha = alpha or 1": "__init__ does not store alpha unchanged",
    "self.weight = alpha": "__init__ does not store alpha unchanged",
    "self.alpha = alpha\n        self.table = [1, 2]": "__init__ sets table, no parameter of its own",
}


@pytest.mark.parametrize("line", INIT)
def test_an_init_that_computes_is_found(line, tmp_path):
    start = "        super().__init__(budget=budget)\n"
    head = f"class Mine(NetworkMethod):\n    def __init__(self, *, alpha=1.0, budget=None):\n{start}"
    body = f"{head}        {line}\n"
    assert INIT[line] in findings(tmp_path, body)["parameters are only stored"]


def test_a_parameter_without_default_is_found(tmp_path):
    body = """
    class Mine(NetworkMethod):
        def __init__(self, alpha, *, budget=None):
            super().__init__(budget=budget)
            self.alpha = alpha
    """
    assert "it cannot be built without alpha" in findings(tmp_path, body)["parameters are only stored"]


BLACK_BOX = """
class Mine(Method):
    def fit(self, train, validation, *, seed, device="cpu"):
        self.k_ = train.n_classes
        {fit}
        return self

    def predict_proba(self, case):
        p = np.full((self.k_, *case.shape), 1 / self.k_, dtype=np.float32)
        {predict}
        return p
"""

PREDICTIONS = {
    "p = p * 2": ("probabilities of 2-D images of odd sizes", "the sums reach from 2 to 2"),
    "p = p.astype(float)": ("probabilities of 3-D volumes", "predict_proba gave float64 (3, 3, 20, 28)"),
    "p = p[:, :32, :32]": ("probabilities of 2-D images of odd sizes", "in the case's own geometry"),
    "p[0] = np.nan": ("training with one rater", "NaN or infinite values"),
    "p = np.random.default_rng().dirichlet(np.ones(self.k_), case.shape).astype('f4'); p = np.moveaxis(p, -1, 0)": (
        "determinism",
        "fitted twice with the same seed it predicted differently",
    ),
    "p[0], p[1:] = 1, 0; self.k_ += 1": ("predicting changes nothing", "predict_proba gave float32 (3, 32, 32)"),
    "sum(case.ratings.values()).shape": ("probabilities of 2-D images of odd sizes", "it raised AttributeError"),
}


@pytest.mark.parametrize("line", PREDICTIONS)
def test_predictions_that_break_a_promise_are_found(line, tmp_path):
    check, message = PREDICTIONS[line]
    assert message in findings(tmp_path, BLACK_BOX.format(fit="", predict=line))[check]


FITS = {
    "the cases are left as they are": (
        "for case in train: case.image[:] = 0",
        "",
        "assignment destination is read-only",
    ),
    "order of the raters in a case": (
        "self.first_ = next(iter(train[0].ratings))",
        "p[0], p[1:] = (1, 0) if self.first_ == 'rater 1' else (0, 1 / (self.k_ - 1))",
        "look raters up by name",
    ),
    "training with one rater": (
        "assert all(len(case.ratings) > 1 for case in train), 'two raters please'",
        "",
        "it raised AssertionError: two raters please (line 1",
    ),
}


@pytest.mark.parametrize("check", FITS)
def test_fits_that_break_a_promise_are_found(check, tmp_path):
    fit, predict, message = FITS[check]
    assert message in findings(tmp_path, BLACK_BOX.format(fit=fit, predict=predict))[check]


def test_an_absent_rater_with_numbers_is_found(tmp_path):
    body = BLACK_BOX.format(fit="self.raters_ = train.raters", predict="")
    body += "\n    def predict(self, case, *, samples=0, seed=0):"
    body += "\n        from raterbench.methods import Prediction"
    body += "\n        believed = {rater: np.eye(self.k_) for rater in self.raters_}"
    body += "\n        return Prediction(self.predict_proba(case), rater_confusion=believed)\n"
    assert "give NaN" in findings(tmp_path, body)["a rater who rated nothing"]


def test_what_a_method_skips_is_left_out_and_says_so(tmp_path):
    body = BLACK_BOX.format(fit="", predict="")
    body += "\n    def skip_reason(self, dataset):\n        return 'two classes only' if dataset.n_classes > 2 else None\n"
    results = {r.name: r for r in check_file(written(tmp_path, body))}
    volumes = results["Mine: probabilities of 3-D volumes"]
    assert volumes.passed and volumes.message == "left out: skip_reason says: two classes only"


BACKBONE = """
from raterbench.methods.backbones.base import Backbone, Features

class Small(Backbone):
    def __init__(self, n_channels, n_classes, widths, *, spatial_dims=2):
        super().__init__(spatial_dims=spatial_dims, decoder_width={declared}, bottleneck_width=widths[0])
        self.first = torch.nn.Conv2d(n_channels, widths[0], 3, padding={padding})
        self.last = torch.nn.Conv2d(widths[0], n_classes, 1)
        {more}

    def features(self, images):
        found = self.first(images).relu()
        return Features(found, torch.nn.functional.avg_pool2d(found, 2))

    def classify(self, decoder):
        return self.last(decoder)
"""
GOOD_BACKBONE = {"declared": "widths[0]", "padding": "1", "more": "pass"}
BACKBONES_BROKEN = {
    "logits have the size of the images": ({"padding": "0"}, "gave logits (2, 2, 62, 30): give (2, 2, 64, 32)"),
    "features are as declared": ({"declared": "99"}, "features have (4, 4) channels"),
    "every parameter is trained": ({"more": "self.unused = torch.nn.Linear(1, 1)"}, "unused.weight"),
    "the same seed gives the same first weights": (
        {"more": "self.last.bias.data = torch.tensor(np.random.default_rng().random(n_classes, dtype='f4'))"},
        "it had other weights",
    ),
}


@pytest.mark.parametrize("check", BACKBONES_BROKEN)
def test_a_backbone_that_breaks_a_promise_is_found(check, tmp_path):
    change, message = BACKBONES_BROKEN[check]
    assert message in findings(tmp_path, BACKBONE.format(**GOOD_BACKBONE | change))[check]


def test_a_good_backbone_passes_everything(tmp_path):
    assert not findings(tmp_path, BACKBONE.format(**GOOD_BACKBONE))


RECIPE = """
from raterbench.methods.learning.recipes import Recipe

class Squares(Recipe):
    def activate(self, logits):
        return {activate}

    def loss(self, logits, ratings, present):
        each = (self.activate(logits).unsqueeze(1) - ratings).square().sum(dim=2)
        return {loss}
"""
GOOD_RECIPE = {"activate": "logits.softmax(dim=1)", "loss": "masked_mean(each, present)"}
RECIPES_BROKEN = {
    "activate gives probabilities": ({"activate": "logits.sigmoid()"}, "probabilities must sum to 1"),
    "the loss is one finite number": ({"loss": "each"}, "loss must return one finite number"),
    "a rater who rated nothing": ({"loss": "each.mean()"}, "labels where `present` is False changed the loss"),
    "voxels that nobody judged": ({"activate": "(logits / logits.abs().max()).softmax(dim=1)"}, "such as padding, changed"),
}


@pytest.mark.parametrize("check", RECIPES_BROKEN)
def test_a_recipe_that_breaks_a_promise_is_found(check, tmp_path):
    change, message = RECIPES_BROKEN[check]
    assert message in findings(tmp_path, RECIPE.format(**GOOD_RECIPE | change))[check]


def test_a_good_recipe_passes_everything(tmp_path):
    assert not findings(tmp_path, RECIPE.format(**GOOD_RECIPE))


def test_the_suites_backbones_and_recipes_keep_their_contracts():
    kinds = [(check_backbone, BACKBONES), (check_recipe, RECIPES)]
    results = {(name, r.name): r.message for check, known in kinds for name in known.names() for r in check(known.get(name))}
    assert len(results) >= 4 + 4 * 4
    assert not {place: message for place, message in results.items() if message}


def test_every_kind_is_found_even_if_it_is_not_listed(tmp_path):
    body = """
    class Hidden(NetworkMethod):
        listed = False
        def loss(self, outputs, ratings, present):
            return outputs.sum() * 0 + 1 / 0

    class Pick(Fusion):
        def fuse(self, ratings, n_classes, *, geometry=None):
            return None

    class Odd(Metric):
        name, label, better, range, per_class, empty = "odd", "Odd", "higher", (0.0, 1.0), False, "Nothing."
        def measure(self, prediction, reference, *, spacing):
            return np.asarray(float((prediction.labels == 1).mean()))

    class Soft(Odd):
        name, references = "soft", "none"
        def measure(self, prediction, reference, *, spacing):
            return np.asarray(prediction.probability[1].mean(dtype=np.float64))

    class Sums(PooledMetric):
        name, label, better, range, empty = "sums", "Sums", "higher", (0.0, 1.0), "Nothing."
        def count(self, prediction, reference):
            return np.ones(3)
        def value(self, counts):
            return counts.mean(axis=-1)

    class Leaky(SplitPolicy):
        def outer(self, cases, seeds):
            test = np.arange(len(cases)) < 3
            yield np.flatnonzero(~test), np.flatnonzero(test)

    class Unread(Dataset):
        name, classes, raters, card = "unread", ("background", "cell"), ("a",), Card("t", "c", "l", "s")
        def __init__(self):
            self.index = index_table([("one", self.load(0).subject, "here", ("a",))])
        def load(self, position):
            labels = np.zeros((8, 8), np.uint8)
            return Case("one", "s", "there", np.zeros((1, 8, 8), np.float32), {"a": labels}, Geometry.axis_aligned(2))
    """
    results = {r.name: r for r in check_file(written(tmp_path, body))}
    loss = results["Hidden: rater order"]
    line = 1 + (HEAD + textwrap.dedent(body)).splitlines().index("        return outputs.sum() * 0 + 1 / 0")
    assert loss.message == f"it raised ZeroDivisionError: division by zero (line {line} of plugin.py)"
    assert "it raised AttributeError" in results["Pick: it repeats itself (2-D, two classes)"].message
    assert "label 255" in results["Odd: unjudged voxels"].message
    assert "changed when the foreground classes" in results["Odd: class relabelling"].message
    assert "a perfect prediction has" in results["Odd: nothing is better than perfect"].message
    assert "its attribute uses is 'labels', but the probability" in results["Soft: it uses what it says"].message
    assert "count gave float64" in results["Sums: counts are whole numbers that can be added"].message
    assert "subject 'subject 01' is in" in results["Leaky: no subject is in two parts of a fold"].message
    assert "without reading a pixel" in results["Unread: its index needs no pixel"].message
    cases = results["Unread: its cases keep the contract"].message
    assert "centre 'there', but its index says 'here'" in cases


def test_the_command_line_says_what_failed(tmp_path, capsys):
    assert main(["check", str(written(tmp_path, GOOD, "good.py"))]) == 0
    assert "all checks passed" in capsys.readouterr().out
    bad = GOOD.replace("masked_mean(surprise(outputs, ratings), present)", "surprise(outputs, ratings).mean()")
    assert main(["check", str(written(tmp_path, bad, "bad.py"))]) == 1
    out = capsys.readouterr().out
    assert "FAILED  Mine: missing rater" in out and "Traceback" not in out
    assert main(["check", str(tmp_path / "none.py")]) == 2
    assert "is not a file" in capsys.readouterr().err


def test_a_file_without_anything_to_check_is_an_error(tmp_path):
    with pytest.raises(
        RaterbenchError,
        match="defines no method, fusion, diagnosis network, recipe, backbone, metric",
    ):
        list(check_file(written(tmp_path, "")))


@pytest.mark.parametrize("name", METRICS.names())
def test_the_suites_metrics_keep_the_contract(name):
    assert not [f"{r.name}: {r.message}" for r in check_metric(METRICS.get(name)) if not r.passed]


def test_a_method_that_needs_what_no_case_has_is_named():
    class Wishful(NetworkMethod):
        needs = frozenset({"truth", "masks"})

    class Text(NetworkMethod):
        needs = "truth"

    assert "needs names masks, which no case has" in message_of_needs(Wishful())
    assert "give a frozenset of the words truth, diagnosis, instances" in message_of_needs(Text())


def message_of_needs(method):
    (result,) = run_checks({"needs": CHECKS["it needs what a case can have"]}, method, None)
    return result.message


def test_a_data_set_whose_instances_belong_to_nobody_is_named():
    class Stray(Cells):
        def __init__(self):
            super().__init__(volumes=1, test=0, slices=1, size=64)

        def load(self, position):
            case = super().load(position)
            return dataclasses.replace(case, instances=dataclasses.replace(case.instances, rater="nobody"))

    failed = [result.message for result in check_dataset(Stray) if not result.passed]
    assert len(failed) == 1 and "has instances of 'nobody', who is none of its raters" in failed[0]


def test_the_embedded_data_set_keeps_the_contract():
    assert not [f"{r.name}: {r.message}" for r in check_dataset(Phantom) if not r.passed]
