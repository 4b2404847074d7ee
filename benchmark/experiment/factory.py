"""From the plain values of an experiment to configured objects: methods that may hold methods, fusions, splits, metrics."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from ...datasets import DATASETS
from ...datasets.base import Dataset
from ...errors import RaterbenchError, nearest, shown
from ...methods import CASE_FUSIONS, FUSIONS, METHODS
from ...methods.base import Fusion, Method, Need
from ...methods.learning.budget import BACKBONE, FIRST_WEIGHTS, LATER, Budget
from ...parameters import as_hinted, check_arguments, check_keys, classes_in, has_parameters, parameter_hints
from ...plugin_errors import calling, is_foreign
from ...registry import Registry, kebab, load_plugin
from ..checks.metrics import describes_itself
from ..metrics import METRICS, MetricBase, table_names
from .experiment import Candidate, Experiment
from .local_modules import with_local_modules
from .references import REFERENCE_NAMES
from .settings import check_different, check_part, check_table, read_setting
from .skipping import estimators_within, needs_of, skip_reason
from .splits import SPLITS

T = TypeVar("T")


class Shared(NamedTuple):
    """What an experiment gives to every method, also to one within another, that takes it and has none of its own.

    ``fixed`` are entries of every budget, whatever its own table says.
    """

    budget: Mapping[str, Any] = MappingProxyType({})
    recipe: str | Mapping[str, Any] = ""
    fixed: Mapping[str, Any] = MappingProxyType({})


RESTORED: Mapping[str, Any] = MappingProxyType({"weights": None})
"""Entries of each budget of a method that is restored: all its weights are known, so the file of the first is not needed."""


def registries() -> dict[str, Registry[Any]]:
    """Everything that a plug-in can add, by the word that ``raterbench list`` has for it."""
    from ...methods.backbones import BACKBONES
    from ...methods.diagnosis import DIAGNOSIS_NETWORKS
    from ...methods.learning.recipes import RECIPES

    return {
        "methods": METHODS,
        "fusions": FUSIONS,
        "case-fusions": CASE_FUSIONS,
        "diagnosis-networks": DIAGNOSIS_NETWORKS,
        "recipes": RECIPES,
        "backbones": BACKBONES,
        "datasets": DATASETS,
        "metrics": METRICS,
        "splits": SPLITS,
    }


def build_method(candidate: Candidate, experiment: Experiment, *, restored: bool = False) -> Method:
    """The method of a candidate with everything that it holds, to any depth.

    A parameter whose type hint is a method, fusion or recipe is a name, or a table with the name and parameters; a budget is
    a table. The experiment's budget goes to every method that takes one, with the entries of its own table on top; its recipe
    to every method that takes one and names none. One that is to be ``restored`` gets no file of first weights.

    Raises:
        RaterbenchError: something named is unknown, or a parameter is of another kind or out of range; the message says where,
            such as ``candidate 'X': segmenter: fusion``, and the nearest known name.
    """
    where = f"candidate {candidate.name!r}"
    shared = Shared(experiment.budget, experiment.recipe, RESTORED if restored else {})
    method: Method = _configured(_named(METHODS, candidate.method, where), candidate.options, where, shared)
    return method


def method_table(method: Method) -> dict[str, Any]:
    """A method with all its parameters, those by default too, as a table of plain values from which it can be built again.

    It has no file of first weights among the values that ``tuned`` tries: the fitted method has all its weights.
    """
    table: dict[str, Any] = _plain(method)
    return table


def method_from_table(table: Mapping[str, Any], where: str) -> Method:
    """The method that ``method_table`` describes, to be restored: without a file of first weights.

    Raises:
        RaterbenchError: a name is unknown, such as that of a plug-in which is not loaded, or a parameter is wrong.
    """
    method: Method = _from_registry(METHODS, table, where, Shared(fixed=RESTORED))
    return method


def _plain(value: Any) -> Any:
    if has_parameters(value):
        parameters = {name: _plain(parameter) for name, parameter in value.get_params(deep=False).items()}
        registry = next((registry for registry in registries().values() if isinstance(value, registry.base)), None)
        return parameters if registry is None else {"name": registry.name_of(type(value)), **parameters}
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items() if not str(key).endswith(FIRST_WEIGHTS)}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def sources_within(method: Method) -> list[str]:
    """A hash of the source of each class outside the package that a method consists of, and of what these import.

    The backbone that a budget names is one of them.
    """
    from ...methods.backbones import BACKBONES

    parts = list(estimators_within(method))
    kinds = [type(one) for one in parts] + [BACKBONES.get(one.backbone) for one in parts if isinstance(one, Budget)]
    return sorted({mark for kind in kinds for mark in class_identity(kind)[1:]})


def build_fusions(experiment: Experiment) -> dict[str, Fusion]:
    """The fusions whose labels are measured without a network, by the name they have in tables.

    An entry of ``fused_rows`` is a name, or a table with the name and parameters.
    """
    fusions = {}
    for entry in experiment.fused_rows:
        fusion = _from_registry(FUSIONS, entry, "fused_rows", Shared())
        options = "" if isinstance(entry, str) else " " + " ".join(str(v) for k, v in entry.items() if k != "name")
        fusions[(entry if isinstance(entry, str) else str(entry["name"])) + options] = fusion
    return fusions


def build_references(experiment: Experiment) -> dict[str, Fusion]:
    """The fusions that make references of their own, by the name that the reference has in tables.

    Raises:
        RaterbenchError: a reference is unknown, or its fusion has a wrong parameter or learns raters over several cases.
    """
    fusions = {}
    for name, fusion, options in experiment.reference_entries:
        if not fusion:
            continue
        if not options and fusion not in (names := FUSIONS.names()) and kebab(fusion) not in names:
            near = nearest(fusion, (*REFERENCE_NAMES, *names))
            raise RaterbenchError(f"there is no reference called {fusion!r}{near}")
        where = f"reference {shown(name)}"
        fusions[name] = _configured(_named(FUSIONS, fusion, where), options, where, Shared())
        if fusions[name].needs_rater_identity:
            raise RaterbenchError(f'{where} learns raters over many cases, but a reference is made of one: set pool = "case"')
    return fusions


def build_fusion(name: str, settings: Sequence[str] = ()) -> Fusion:
    """The fusion called ``name`` with parameters as ``key=value``.

    Raises:
        RaterbenchError: there is no such fusion or parameter; the nearest known name is given.
    """
    where, options = f"fusion {shown(name)}", dict(read_setting(text, "ties=foreground") for text in settings)
    fusion: Fusion = _configured(_named(FUSIONS, name, where), options, where, Shared())
    return fusion


def build_budget(values: Mapping[str, Any], where: str = "budget") -> Budget:
    """The budget, if it can be trained with.

    Raises:
        RaterbenchError: a key is unknown, or a value is of another kind or out of range.
    """
    check_part(values, Budget, where)
    budget: Budget = _configured(Budget, values, where, Shared())
    return budget


def build_metrics(experiment: Experiment) -> list[MetricBase]:
    """The experiment's metrics: each entry is a name, or a table with the name and parameters.

    Raises:
        RaterbenchError: a metric or parameter is unknown, or a metric of a plug-in does not say what tables need to know of it.
    """
    metrics = []
    for name, options in experiment.metric_entries:
        where = f"metric {name!r}"
        metric = _configured(_named(METRICS, name, where), options, where, Shared())
        if is_foreign(type(metric)):
            with calling(type(metric), where):
                describes_itself(metric)
        metrics.append(metric)
    check_different(table_names(metrics), "metrics")
    return metrics


def _configured(cls: Any, options: Mapping[str, Any], where: str, shared: Shared) -> Any:
    """An instance of an estimator from plain values, with what it holds: keys, kinds and ranges are checked at each level."""
    hints, parameters = parameter_hints(cls), inspect.signature(cls).parameters
    known = [name for name, p in parameters.items() if name != "self" and p.kind is not p.VAR_KEYWORD]
    check_keys(options, known, where)
    built = {key: _value(value, _held(key, hints), f"{where}: {key}", shared) for key, value in options.items()}
    for key in known:
        if key in built:
            continue
        if Budget in (held := _held(key, hints)):
            built[key] = build_budget({**shared.budget, **shared.fixed})
        elif shared.recipe and any(issubclass(kind, registries()["recipes"].base) for kind in held):
            built[key] = _from_registry(registries()["recipes"], shared.recipe, "recipe", shared)
    check_arguments(cls, built, where)
    built = {key: as_hinted(hints.get(key), value) for key, value in built.items()}
    with calling(cls, where):
        configured: Any = cls(**built)
        try:
            configured.check_parameters()
        except RaterbenchError as error:
            raise RaterbenchError(f"{where}: {error}") from error
    return configured


def _held(key: str, hints: Mapping[str, Any]) -> tuple[type, ...]:
    """The kinds of estimator that a parameter may hold: by its type hint, or without one by its name; none for plain values."""
    if key in hints:
        return tuple(found for found in classes_in(hints[key]) if hasattr(found, "get_params"))
    by_name = {registry.kind: registry.base for registry in registries().values()} | {"budget": Budget}
    return (by_name[key],) if key in by_name else ()


def _value(value: Any, kinds: tuple[type, ...], where: str, shared: Shared) -> Any:
    """The value of a parameter: an estimator where it may hold one of some ``kinds``, a list of them, or a plain value."""
    if isinstance(value, list | tuple):
        return (
            tuple(_value(one, kinds, f"{where}[{place}]", shared) for place, one in enumerate(value)) if kinds else tuple(value)
        )
    if not kinds or value is None:
        return value
    found = [registry for registry in registries().values() if any(issubclass(kind, registry.base) for kind in kinds)]
    if found:
        return _from_registry(_knowing(found, value), value, where, shared)
    check_table(value, where)
    (kind,) = kinds
    return _configured(kind, {**shared.budget, **value, **shared.fixed} if kind is Budget else value, where, shared)


def _knowing(found: Sequence[Registry[Any]], value: Any) -> Registry[Any]:
    """Of registries whose classes a parameter may hold, the one that knows the name in ``value``; the first if none does."""
    name = value.get("name", value.get(found[0].kind)) if isinstance(value, Mapping) else value
    if len(found) > 1 and isinstance(name, str):
        return next((registry for registry in found if {name, kebab(name)} & set(registry.names())), found[0])
    return found[0]


def _from_registry(registry: Registry[Any], value: Any, where: str, shared: Shared) -> Any:
    """A method, fusion ... from its name, or from a table of parameters with the name under ``name`` or under its kind."""
    options = dict(value) if isinstance(value, Mapping) else {"name": value}
    # A fusion of cases stands in the place of a fusion, under the same key.
    key = next((key for key in ("name", registry.kind, registry.kind.split()[-1]) if key in options), "")
    if not key:
        raise RaterbenchError(f'{where}: the table has no name: add {registry.kind} = "..."')
    name = options.pop(key)
    if not isinstance(name, str):
        raise RaterbenchError(
            f"{where}: {shown(name)} must be the name of a {registry.kind}, or a table with name and parameters"
        )
    return _configured(_named(registry, name, where), options, where, shared)


def _named(registry: Registry[T], name: str, where: str) -> type[T]:
    """The class of this name; an unknown name says where it stands."""
    try:
        return registry.get(name)
    except RaterbenchError as error:
        raise RaterbenchError(f"{where}: {error}") from error


def load_plugins(paths: tuple[str, ...]) -> None:
    """Import plug-in files and make what they define known by name; a worker calls this before it builds anything.

    Raises:
        RaterbenchError: a file defines nothing that raterbench could use.
    """
    if not paths:
        return
    known = list(registries().values())
    kinds = [registry.kind for registry in known]
    defined_in: dict[tuple[str, str], str] = {}
    for path in dict.fromkeys(paths):
        module = load_plugin(path)
        names = [(registry.kind, registry.name_of(found)) for registry in known for found in registry.add(module)]
        if not names:
            raise RaterbenchError(
                f"plug-in {path!r} defines no {', '.join(kinds[:-1])} or {kinds[-1]}: subclass one of raterbench's bases in it"
            )
        for kind, name in names:
            if defined_in.setdefault((kind, name), path) != path:
                other = defined_in[kind, name]
                raise RaterbenchError(f"the plug-ins {other!r} and {path!r} both have a {kind} called {name!r}: rename one")


def load_fusions(paths: Sequence[str]) -> None:
    """Import plug-in files for their fusions alone.

    Raises:
        RaterbenchError: a file defines no fusion.
    """
    for path in dict.fromkeys(paths):
        module = load_plugin(path)
        if not FUSIONS.add(module):
            raise RaterbenchError(f"plug-in {path!r} defines no fusion: subclass raterbench.methods.Fusion in it")


def plugins_hash(paths: tuple[str, ...]) -> str:
    """A hash of plug-in files and the modules of one's own that they import, to notice when one is edited while a run is on."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in with_local_modules(map(Path, paths)))).hexdigest()


def identity(value: Any) -> Any:
    """What decides about results, as plain values for a key: classes with all their parameters, those by default too.

    ``repr`` would not do: scikit-learn's leaves out defaults, and cuts what is long.
    """
    if has_parameters(value):
        parameters = {name: identity(parameter) for name, parameter in value.get_params(deep=False).items()}
        if isinstance(value, Budget):
            parameters = {name: given for name, given in parameters.items() if name not in LATER or given is not None}
            if value.backbone != BACKBONE:
                from ...methods.backbones import BACKBONES

                parameters["backbone"] = [value.backbone, *class_identity(BACKBONES.get(value.backbone))]
            if value.weights is not None:
                from ...methods.backbones.weights import weights_hash

                parameters["weights"] = weights_hash(value.weights)
        return [class_identity(type(value)), parameters]
    if isinstance(value, Mapping):
        return {str(key): identity(entry) for key, entry in value.items()}
    return [identity(entry) for entry in value] if isinstance(value, list | tuple) else value


def class_identity(cls: type) -> list[str]:
    """A class's name, with a hash of the source of whatever it inherits from outside the package, and of what that imports."""
    return [cls.__qualname__, *(hashlib.sha256(text).hexdigest()[:16] for text in plugin_sources(cls))]


LIBRARIES = {__package__.partition(".")[0], "builtins", "abc", "typing", "sklearn", "torch"}
"""Packages whose versions units store, so that their sources are in no key."""


def plugin_sources(cls: type) -> list[bytes]:
    """The files, outside the package and its libraries, that define a class and its bases, and what these import."""
    files = []
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] not in LIBRARIES:
            try:
                files.append(inspect.getsourcefile(base))
            except (TypeError, OSError):
                continue  # Compiled: its version is what can be known, and units store that.
    return [file.read_bytes() for file in with_local_modules(Path(file) for file in dict.fromkeys(files) if file)]


class PlannedMethod(NamedTuple):
    """What a plan needs to know of a candidate's method on a data set, and of all methods within it.

    ``skip_reason`` says why it cannot run there, or is None; ``needs`` is what it must see of training cases beyond images and
    ratings; ``identity`` is what decides about its results.
    """

    skip_reason: str | None
    needs: frozenset[Need]
    identity: Any


def planned_method(candidate: Candidate, method: Method, dataset: Dataset) -> PlannedMethod:
    """Ask a method all that a plan needs to know.

    Raises:
        RaterbenchError: a class of a plug-in raises something, or gives a reason that is no text.
    """
    where = f"candidate {candidate.name!r}"
    from_plugin = next((type(one) for one in estimators_within(method) if is_foreign(type(one))), type(method))
    try:
        with calling(from_plugin, where):
            reason = skip_reason(method, dataset)
            if not (reason is None or isinstance(reason, str)):
                raise RaterbenchError(f"skip_reason gave {shown(reason)}: return a text, or None where the method can run")
            return PlannedMethod(reason, needs_of(method), identity(method))
    except RaterbenchError as error:
        if str(error).startswith(where):
            raise
        raise RaterbenchError(f"{where}: {error}") from error
