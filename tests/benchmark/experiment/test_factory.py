import dataclasses

import pytest
from sklearn.base import BaseEstimator, clone

from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Statistics
from raterbench.benchmark.experiment.factory import (
    build_budget,
    build_fusions,
    build_method,
    build_metrics,
    estimators_within,
    identity,
    load_plugins,
    needs_of,
    planned_method,
    skip_reason,
)
from raterbench.benchmark.metrics import table_names
from raterbench.datasets import AnnotationErrors, CaseList, Cells, Phantom, RaterbenchError
from raterbench.methods import METHODS, STAPLE, Budget, Conventional, FusedLabels, Method, SoftSeg
from raterbench.methods.learning.recipes import SoftCrossEntropy


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
        ("fused-labels", {"fusion": {"max_iterations": 3}}, "it': fusion: the table has no name: add fusion = "),
        ("fused-labels", {"fusion": 3}, "it': fusion: 3 must be the name of a fusion, or a table"),
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


def test_a_metric_is_a_name_or_a_table_with_parameters(tiny):
    listed = ("dice", {"name": "surface dice", "tolerance": 2}, "surface dice", {"name": "hd95", "image_border": False})
    _, wide, narrow, distance = build_metrics(tiny(metrics=listed))
    assert (wide.tolerance, narrow.tolerance, distance.image_border) == (2.0, 1.0, False)
    assert [metric.parameters() for metric in (wide, narrow, distance)] == [
        "tolerance=2.0",
        "tolerance=1.0",
        "image_border=False",
    ]
    assert table_names([wide, narrow, distance]) == [
        "surface dice (tolerance=2.0)",
        "surface dice (tolerance=1.0)",
        "hd95",
    ]


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        (
            ({"name": "surface dice", "tolernace": 2.0},),
            "metric 'surface dice': unknown key 'tolernace'; did you mean 'tolerance'",
        ),
        (({"name": "surface dice", "tolerance": 0},), "metric 'surface dice': tolerance = 0 must be a number greater than 0"),
        (("dise",), "metric 'dise': there is no metric called 'dise'; did you mean 'dice'"),
        (({"name": "dice", "tolerance": 1},), "metric 'dice': unknown key 'tolerance'"),
        (("surface dice", {"name": "surface dice", "tolerance": 1}), r"metrics lists 'surface dice \(tolerance=1.0\)' twice"),
    ],
)
def test_a_metric_that_cannot_be_is_a_sentence(tiny, metrics, says):
    primary = Statistics(primary_metric="brier")
    with pytest.raises(RaterbenchError, match=says):
        build_metrics(tiny(metrics=("brier", *metrics), statistics=primary))


@pytest.mark.parametrize(("key", "value"), [("surface_tolerance", 2.0), ("surface_at_image_border", False)])
def test_keys_that_became_parameters_say_what_to_write(key, value):
    values = {"name": "x", "candidates": [{"method": "tgce"}], key: value}
    with pytest.raises(
        RaterbenchError, match=rf"{key} is a parameter of a metric: write metrics = \[.*name = \"surface dice\""
    ) as said:
        Experiment.from_json(values)
    assert str(value).lower() in str(said.value)


def test_the_primary_metric_is_one_metric(tiny):
    twice = ("surface dice", {"name": "surface dice", "tolerance": 2.0})
    with pytest.raises(RaterbenchError, match="primary_metric 'surface dice' is listed more than once"):
        tiny(metrics=twice, statistics=Statistics(primary_metric="surface dice"))
    with pytest.raises(RaterbenchError, match=r"metrics: {'tolerance': 2.0} names no metric"):
        tiny(metrics=({"tolerance": 2.0},))


NESTED = """
class Second(Method):
    def __init__(self, *, segmenter: Method | None = None, members: Sequence[Method] = (), budget: Budget | None = None):
        self.segmenter, self.members, self.budget = segmenter, members, budget

    def fit(self, train, validation, *, seed, device="cpu"):
        return self

    def predict_proba(self, case): ...


class Untyped(Second):
    def __init__(self, *, method=None, fusion=None, recipe=None, budget=None):
        self.method, self.fusion, self.recipe, self.budget = method, fusion, recipe, budget
"""


@pytest.fixture
def nested(plugin):
    imports = "from collections.abc import Sequence\nfrom raterbench.methods import Budget, Method\n"
    file = plugin(imports + NESTED)
    load_plugins((file,))
    return file


def test_methods_hold_methods_to_any_depth(tiny, nested):
    inner = {"method": "fused-labels", "fusion": {"name": "staple", "max_iterations": 7}, "budget": {"epochs": 3}}
    options = {"segmenter": {"method": "second", "segmenter": inner, "members": ["tgce", {"name": "instant", "share": 1}]}}
    method = built(tiny, "second", options)
    deepest = method.segmenter.segmenter
    assert isinstance(deepest, FusedLabels)
    assert isinstance(deepest.fusion, STAPLE)
    assert (deepest.fusion.max_iterations, deepest.budget.epochs, deepest.budget.features) == (7, 3, (4, 4, 4, 4, 4, 4))
    assert method.budget.epochs == method.segmenter.budget.epochs == method.segmenter.members[0].budget.epochs == 1
    assert method.segmenter.members[1].share == 1.0
    assert identity(clone(method)) == identity(method)
    assert identity(built(tiny, "second", {**options, "budget": {}})) == identity(method)
    changed = {"segmenter": {**options["segmenter"], "segmenter": {**inner, "fusion": "staple"}}}
    assert identity(built(tiny, "second", changed)) != identity(method)


def test_the_recipe_of_an_experiment_goes_to_every_method_that_takes_one_and_names_none(tiny, nested):
    options = {"segmenter": {"method": "upgrade", "recipe": "soft-cross-entropy", "segmenter": "annotation-budget"}}
    shared = tiny(candidates=(Candidate("it", "upgrade", options),), recipe={"recipe": "conventional", "smooth": 0.5})
    method = build_method(shared.candidates[0], shared)
    assert isinstance(method.recipe, Conventional) and method.recipe.smooth == 0.5
    assert isinstance(method.segmenter.recipe, SoftCrossEntropy)
    assert isinstance(method.segmenter.segmenter.recipe, Conventional)
    assert isinstance(method.segmenter.segmenter.inner().recipe, Conventional)  # also the segmenter that is made by default
    without = tiny(candidates=shared.candidates)
    assert build_method(without.candidates[0], without).recipe is None
    assert identity(build_method(without.candidates[0], without)) != identity(method)
    with pytest.raises(RaterbenchError, match="recipe: there is no recipe called 'convention'; did you mean 'conventional'"):
        build_method(shared.candidates[0], shared.replace(recipe="convention"))


def test_without_a_type_hint_the_name_of_a_parameter_says_what_it_holds(tiny, nested):
    method = built(tiny, "untyped", {"fusion": "staple", "recipe": "softseg", "method": {"method": "tgce"}})
    assert isinstance(method.fusion, STAPLE)
    assert isinstance(method.recipe, SoftSeg)
    assert method.method.budget.epochs == method.budget.epochs == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"segmenter": {"method": "fused-labels", "fusion": {"name": "staple", "tie": "lowest"}}},
            "^candidate 'it': segmenter: fusion: unknown key 'tie'; did you mean 'ties'",
        ),
        (
            {"segmenter": {"method": "fused-labels", "fusion": "stapel"}},
            "^candidate 'it': segmenter: fusion: there is no fusion called 'stapel'; did you mean 'staple'",
        ),
        (
            {"segmenter": {"method": "second", "segmenter": {"method": "tgec"}}},
            "^candidate 'it': segmenter: segmenter: there is no method called 'tgec'; did you mean 'tgce'",
        ),
        ({"segmenter": {"method": "tgce", "qq": 1}}, "^candidate 'it': segmenter: unknown key 'qq'; did you mean 'q'"),
        ({"members": ["tgce", {"name": "tgce", "q": "x"}]}, r"^candidate 'it': members\[1\]: q = 'x' must be a number"),
        ({"members": "tgce"}, "^candidate 'it': members = .* must be a list"),
        ({"segmenter": {"budget": {}}}, "^candidate 'it': segmenter: the table has no name: add method = "),
        (
            {"segmenter": {"method": "tgce", "budget": {"epoch": 1}}},
            "^candidate 'it': segmenter: budget: unknown key 'epoch'; did",
        ),
        ({"segmenter": {"method": "tgce", "budget": 3}}, "^candidate 'it': segmenter: budget must be a table"),
    ],
)
def test_a_wrong_key_at_any_depth_says_where_it_stands(tiny, nested, options, says):
    with pytest.raises(RaterbenchError, match=says):
        built(tiny, "second", options)


def test_a_plan_knows_what_nested_methods_need(tiny, nested):
    phantom = Phantom(subjects=2, slices=1, size=32)
    blind = CaseList("blind", [case.blind() for case in phantom], phantom.classes)
    within = {"segmenter": {"method": "second", "members": ["oracle-confusion-network"]}}
    oracle = built(tiny, "second", within)
    assert needs_of(oracle) == {"truth"}
    assert planned_method(Candidate("it", "second"), oracle, phantom).needs == {"truth"}
    assert "needs the truth" in skip_reason(oracle, blind)
    pooled = built(tiny, "second", {"segmenter": {"method": "fused-labels", "fusion": {"name": "staple", "pool": "dataset"}}})
    blind.anonymous_raters = True
    assert "anonymous" in skip_reason(pooled, blind)
    assert skip_reason(pooled, phantom) is None
    fewer = built(tiny, "second", {"members": [{"method": "fused-labels", "fusion": "contested-staple"}]})
    one = CaseList("one", [dataclasses.replace(c, ratings=dict(list(c.ratings.items())[:1])) for c in phantom], phantom.classes)
    assert "ContestedSTAPLE needs" in skip_reason(fewer, one)
    assert len(list(estimators_within(fewer))) == 5


UPGRADE = """
from raterbench.datasets import AnnotationErrors


class Repairs(Instant):
    needs = frozenset({"instances"})

    def __init__(self, *, errors: AnnotationErrors | None = None):
        self.errors = errors
"""


def test_annotation_errors_of_a_method_are_a_table(tiny, plugin):
    load_plugins((plugin(UPGRADE),))
    method = built(tiny, "repairs", {"errors": {"omission": 1, "bias": 6}})
    assert method.errors.get_params() == AnnotationErrors(omission=1.0, bias=6).get_params()
    assert identity(method) != identity(built(tiny, "repairs", {"errors": {"omission": 1, "bias": 5}}))
    with pytest.raises(RaterbenchError, match=r"candidate 'it': errors: unknown key 'omision'; did you mean 'omission'"):
        built(tiny, "repairs", {"errors": {"omision": 0.5}})
    with pytest.raises(RaterbenchError, match=r"candidate 'it': errors: .*least_bias = 3 must not be more than bias = 2"):
        built(tiny, "repairs", {"errors": {"bias": 2, "least_bias": 3}})
    assert skip_reason(method, Cells(volumes=1, test=0, slices=1, size=64)) is None
    assert "needs the instances" in skip_reason(method, Phantom(subjects=2, slices=1, size=32))


def test_whole_numbers_and_floats_are_one_setting(tiny):
    assert identity(built(tiny, "confusion-network", {"trace_weight": 0})) == identity(
        built(tiny, "confusion-network", {"trace_weight": 0.0})
    )


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
    with pytest.raises(RaterbenchError, match="defines no method, fusion, case fusion, diagnosis network, recipe, backbone"):
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


def test_a_recipe_that_does_not_fit_the_classes_is_an_error_of_the_candidate(tiny):
    phantom, options = Phantom(subjects=2, slices=1, size=32), {"recipe": {"recipe": "composed", "activation": "sigmoid"}}
    with pytest.raises(RaterbenchError, match=r"^candidate 'it': the recipe has activation = 'sigmoid'.*\"softmax\"$"):
        planned_method(Candidate("it", "fused-labels", options), built(tiny, "fused-labels", options), phantom)


def test_a_method_that_needs_the_diagnosis_runs_where_only_the_first_case_has_none():
    class Diagnostician(FusedLabels):
        needs = frozenset({"diagnosis"})

    cases = [
        dataclasses.replace(case, diagnosis=place or None) for place, case in enumerate(Phantom(subjects=2, slices=1, size=32))
    ]
    named = CaseList("named", cases, Phantom.classes, diagnoses=("well", "ill"))
    nameless = CaseList("nameless", [dataclasses.replace(case, diagnosis=None) for case in cases], Phantom.classes)
    assert skip_reason(Diagnostician(), named) is None
    assert "needs the diagnosis" in skip_reason(Diagnostician(), nameless)
