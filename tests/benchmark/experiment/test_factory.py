import pytest
from sklearn.base import BaseEstimator, clone

from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.experiment.factory import (
    build_budget,
    build_fusions,
    build_method,
    build_metrics,
    identity,
    load_plugins,
    skip_reason,
)
from raterbench.datasets import CaseList, Phantom, RaterbenchError
from raterbench.methods import METHODS, STAPLE, Budget, Conventional, FusedLabels, Method, SoftSeg


def built(tiny, method, options=None, **changes):
    candidate = Candidate("it", method, options or {})
    return build_method(candidate, tiny(candidates=(candidate,), **changes))


@pytest.mark.parametrize("name", METHODS.names())
def test_every_method_can_be_a_candidate_with_the_shared_budget(tiny, name):
    method = built(tiny, name)
    assert isinstance(method, Method)
    if "budget" in method.get_params(deep=False):  # A method that only holds another one has none of its own.
        assert method.budget.epochs == 1
        assert method.budget.features == (4, 4, 4, 4, 4, 4)
    assert identity(clone(method)) == identity(method)


def test_fusion_and_recipe_are_names_or_tables(tiny):
    options = {"fusion": {"name": "staple", "max_iterations": 7}, "recipe": "softseg"}
    method = built(tiny, "fused-labels", options)
    assert isinstance(method.fusion, STAPLE)
    assert method.fusion.max_iterations == 7
    assert isinstance(method.recipe, SoftSeg)
    assert isinstance(built(tiny, "fused-labels", {"recipe": {"name": "conventional", "smooth": 0.5}}).recipe, Conventional)


def test_a_candidate_may_change_the_budget(tiny):
    method = built(tiny, "tgce", {"budget": {"learning_rate": 0.5}, "q": 0.7})
    assert (method.budget.learning_rate, method.budget.epochs, method.q) == (0.5, 1, 0.7)


@pytest.mark.parametrize(
    ("method", "options", "says"),
    [
        ("tgec", {}, "no method called 'tgec'; did you mean 'tgce'?"),
        ("tgce", {"qq": 1}, "candidate 'it': unknown key 'qq'; did you mean 'q'?"),
        ("fused-labels", {"fusion": "stapel"}, "no fusion called 'stapel'; did you mean 'staple'?"),
        ("fused-labels", {"fusion": {"max_iterations": 3}}, "it': fusion: the table has no name"),
        ("fused-labels", {"fusion": {"name": "staple", "max_iteration": 3}}, "fusion: unknown key 'max_iteration'; did you"),
        ("fused-labels", {"recipe": "softsegg"}, "no recipe called 'softsegg'; did you mean 'softseg'?"),
        ("tgce", {"budget": {"epoch": 3}}, "budget: unknown key 'epoch'; did you mean 'epochs'?"),
        ("tgce", {"budget": {"epochs": "many"}}, "budget: epochs = 'many' must be a whole number"),
    ],
)
def test_what_is_unknown_names_the_nearest(tiny, method, options, says):
    with pytest.raises(RaterbenchError, match=says):
        built(tiny, method, options)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"epochs": 0}, "epochs = 0 must be a whole number from 1 to 1000000"),
        ({"batch_size": -1}, "batch_size = -1 must be a whole number from 1 to 100000"),
        ({"learning_rate": 0.0}, "learning_rate = 0.0 must be a number greater than 0 and at most 100"),
        ({"features": [4, 4]}, "features = .* must be a list of 6, each of it a whole number from 1"),
        ({"features": [4, 4, 4, 4, 4, 0]}, "features = .* must be a list of 6, each of it a whole number from 1"),
        ({"flip": 1}, "flip = 1 must be true or false"),
    ],
)
def test_a_budget_nobody_can_train_with_is_a_sentence(values, says):
    with pytest.raises(RaterbenchError, match=says):
        build_budget(values)


def test_fused_rows_are_called_by_name_and_settings(tiny):
    fusions = build_fusions(tiny(fused_rows=("staple", {"name": "staple", "max_iterations": 3})))
    assert list(fusions) == ["staple", "staple 3"]
    assert fusions["staple 3"].max_iterations == 3


def test_the_surface_tolerance_reaches_its_metric(tiny):
    (metric,) = build_metrics(tiny(metrics=("surface dice", "dice"), surface_tolerance=2.5))[:1]
    assert metric.tolerance == 2.5


def test_identity_holds_defaults_and_does_not_cut(tiny):
    class Long(BaseEstimator):
        def __init__(self, *, values=(), name="x"):
            self.values, self.name = values, name

    values = tuple(range(5000))
    assert identity(Long(values=values)) != identity(Long(values=(*values[:2500], -1, *values[2501:])))
    assert identity(Long())[1] == {"values": [], "name": "x"}
    assert identity(FusedLabels(budget=Budget(epochs=3))) != identity(FusedLabels(budget=Budget(epochs=4)))
    assert identity(FusedLabels(fusion=STAPLE(max_iterations=3))) != identity(FusedLabels(fusion=STAPLE()))


def test_identity_knows_the_source_of_what_is_from_elsewhere(tiny, plugin):
    def named(name, file):
        load_plugins((file,))
        return identity(built(tiny, name))

    first = named("instant", plugin())
    assert first == named("instant", plugin())
    assert first != named("instant", plugin("# a change\n"))
    assert first == named("instant", plugin("", "moved.py"))


def test_a_plugin_without_anything_of_use_is_a_sentence(tmp_path):
    file = tmp_path / "nothing.py"
    file.write_text("x = 1\n")
    with pytest.raises(RaterbenchError, match="defines no method, fusion, recipe, dataset or metric"):
        load_plugins((str(file),))


def test_a_method_that_cannot_be_made_is_a_sentence(tiny, plugin):
    lines = "class Needy(Instant):\n    def __init__(self, *, must):\n        self.must = must\n"
    load_plugins((plugin(lines),))
    with pytest.raises(RaterbenchError, match=r"candidate 'it': .*must"):
        built(tiny, "needy")


def test_an_oracle_is_skipped_where_nobody_knows_the_truth():
    class Oracle(FusedLabels):
        needs = frozenset({"truth"})

    phantom = Phantom(subjects=2, slices=1, size=32)
    blind = CaseList("blind", [case.blind() for case in phantom], phantom.classes)
    assert skip_reason(Oracle(), phantom) is None
    assert "needs the truth" in skip_reason(Oracle(), blind)
    assert skip_reason(FusedLabels(), blind) is None
