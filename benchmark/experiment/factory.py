"""From the words of an experiment to configured objects: methods with their fusion, recipe and budget."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sklearn.base import BaseEstimator

from ...datasets import DATASETS
from ...datasets.base import Dataset
from ...errors import RaterbenchError, shown
from ...methods import FUSIONS, METHODS
from ...methods.base import Fusion, Method
from ...methods.learning.budget import Budget
from ...parameters import check_arguments, check_keys
from ...plugin_errors import calling, is_foreign
from ...registry import Registry, load_plugin
from ..checks.metrics import describes_itself
from ..metrics import METRICS, Metric
from .experiment import Candidate, Experiment
from .local_modules import with_local_modules
from .settings import check_part, read_setting

T = TypeVar("T")
ANONYMOUS = "the raters of this data set are anonymous, so one name may be another person in each case"


def build_method(candidate: Candidate, experiment: Experiment) -> Method:
    """The method of a candidate, with the experiment's budget.

    Raises:
        RaterbenchError: a method, fusion, recipe or parameter is unknown; the nearest known name is given.
    """
    cls = METHODS.get(candidate.method)
    where = f"candidate {candidate.name!r}"
    known = _parameters(cls)
    check_keys(candidate.options, known, where)
    options: dict[str, Any] = dict(candidate.options)
    if "fusion" in options:
        options["fusion"] = _part(FUSIONS, options["fusion"], f"{where}: fusion")
    if "recipe" in options:
        options["recipe"] = _recipe(options["recipe"], f"{where}: recipe")
    if "budget" in known:
        own = options.get("budget", {})
        check_part(own, Budget, f"{where}: budget")
        options["budget"] = build_budget({**experiment.budget, **own}, f"{where}: budget")
    return _configured(cls, options, where)


def build_fusions(experiment: Experiment) -> dict[str, Fusion]:
    """The fusions whose labels are measured without a network, by the name they have in tables.

    An entry of ``fused_rows`` is a name, or a table with the name and parameters.
    """
    fusions = {}
    for entry in experiment.fused_rows:
        fusion = _part(FUSIONS, entry, "fused_rows")
        options = "" if isinstance(entry, str) else " " + " ".join(str(v) for k, v in entry.items() if k != "name")
        fusions[(entry if isinstance(entry, str) else str(entry["name"])) + options] = fusion
    return fusions


def fusions_by_unit(fusions: Mapping[str, Fusion]) -> dict[str, dict[str, Fusion]]:
    """Fusions by the unit that measures them: those of the package under ``""``, one of a plug-in under its own name.

    What a fusion of a plug-in does then spoils no other.
    """
    found: dict[str, dict[str, Fusion]] = {"": {}}
    for name, fusion in fusions.items():
        found.setdefault(name if is_foreign(type(fusion)) else "", {})[name] = fusion
    return found


def build_fusion(name: str, settings: Sequence[str] = ()) -> Fusion:
    """The fusion called ``name`` with parameters as ``key=value``.

    Raises:
        RaterbenchError: there is no such fusion or parameter; the nearest known name is given.
    """
    where, options = f"fusion {shown(name)}", dict(read_setting(text, "ties=foreground") for text in settings)
    fusion: Fusion = _part(FUSIONS, {**options, "name": name}, where)
    return fusion


def build_budget(values: Mapping[str, Any], where: str = "budget") -> Budget:
    """The budget, if it can be trained with.

    Raises:
        RaterbenchError: a key is unknown, or a value is of another kind or out of range.
    """
    check_part(values, Budget, where)
    return _configured(Budget, values, where)


def build_metrics(experiment: Experiment) -> list[Metric]:
    """The experiment's metrics; those of surfaces get the experiment's tolerance, and whether the image's border counts.

    Raises:
        RaterbenchError: a metric is unknown, or one from elsewhere does not say what tables need to know of it.
    """
    options = experiment.metric_options
    metrics = []
    for name in experiment.metrics:
        metric = _configured(METRICS.get(name), options.get(name, {}), f"metric {name!r}")
        if is_foreign(type(metric)):
            with calling(type(metric), f"metric {name!r}"):
                describes_itself(metric)
        metrics.append(metric)
    return metrics


def _recipe(value: Any, where: str) -> BaseEstimator:
    from ...methods.learning.recipes import RECIPES

    return _part(RECIPES, value, where)


def _part(registry: Registry[Any], value: Any, where: str) -> Any:
    """A fusion or recipe from its name, or from a table with its name and parameters."""
    options = dict(value) if isinstance(value, Mapping) else {"name": value}
    if "name" not in options:
        raise RaterbenchError(f'{where}: the table has no name: add name = "..."')
    name = options.pop("name")
    if not isinstance(name, str):
        raise RaterbenchError(
            f"{where}: {shown(name)} must be the name of a {registry.kind}, or a table with name and parameters"
        )
    return _configured(registry.get(name), options, where)


def _configured(cls: type[T], options: Mapping[str, Any], where: str) -> T:
    """An instance with its parameters checked: keys, kinds and ranges by their type hints, the rest by the class itself."""
    check_keys(options, _parameters(cls), where)
    check_arguments(cls, options, where)
    with calling(cls, where):
        configured: Any = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})
        try:
            configured.check_parameters()
        except RaterbenchError as error:
            raise RaterbenchError(f"{where}: {error}") from error
    return configured  # type: ignore[no-any-return]


def _parameters(cls: type) -> Mapping[str, Any]:
    parameters = inspect.signature(cls).parameters
    return {name: p.default for name, p in parameters.items() if name != "self" and p.kind is not p.VAR_KEYWORD}


def load_plugins(paths: tuple[str, ...]) -> None:
    """Import plug-in files and make what they define known by name; a worker calls this before it builds anything.

    Raises:
        RaterbenchError: a file defines nothing that raterbench could use.
    """
    if not paths:
        return
    from ...methods.learning.recipes import RECIPES

    registries: list[Registry[Any]] = [METHODS, FUSIONS, RECIPES, DATASETS, METRICS]
    defined_in: dict[tuple[str, str], str] = {}
    for path in dict.fromkeys(paths):
        module = load_plugin(path)
        names = [(registry.kind, registry.name_of(found)) for registry in registries for found in registry.add(module)]
        if not names:
            raise RaterbenchError(
                f"plug-in {path!r} defines no method, fusion, recipe, dataset or metric: "
                "subclass one of raterbench's bases in it"
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
    if isinstance(value, BaseEstimator):
        parameters = value.get_params(deep=False)
        return [class_identity(type(value)), {name: identity(parameter) for name, parameter in parameters.items()}]
    if isinstance(value, Mapping):
        return {str(key): identity(entry) for key, entry in value.items()}
    return [identity(entry) for entry in value] if isinstance(value, list | tuple) else value


def class_identity(cls: type) -> list[str]:
    """A class's name, with a hash of the source of whatever it inherits from outside the package, and of what that imports."""
    return [cls.__qualname__, *(hashlib.sha256(text).hexdigest()[:16] for text in plugin_sources(cls))]


def plugin_sources(cls: type) -> list[bytes]:
    """The files, outside the package and its libraries, that define a class and its bases, and what these import."""
    files = []
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] not in {__package__.partition(".")[0], "builtins", "abc", "typing", "sklearn"}:
            try:
                files.append(inspect.getsourcefile(base))
            except (TypeError, OSError):
                continue  # Compiled: its version is what can be known, and units store that.
    return [file.read_bytes() for file in with_local_modules(Path(file) for file in dict.fromkeys(files) if file)]


class PlannedMethod(NamedTuple):
    """What a plan needs to know of a candidate's method on a data set.

    ``skip_reason`` says why it cannot run there, or is None; ``identity`` is what decides about its results.
    """

    skip_reason: str | None
    needs_truth: bool
    identity: Any


def planned_method(candidate: Candidate, method: Method, dataset: Dataset) -> PlannedMethod:
    """Ask a method all that a plan needs to know.

    Raises:
        RaterbenchError: a class from elsewhere raises something, or gives a reason that is no text.
    """
    where = f"candidate {candidate.name!r}"
    with calling(type(method), where):
        reason = skip_reason(method, dataset)
        if not (reason is None or isinstance(reason, str)):
            raise RaterbenchError(f"skip_reason gave {shown(reason)}: return a text, or None where the method can run")
        return PlannedMethod(reason, "truth" in method.needs, identity(method))


def skip_reason(method: Method, dataset: Dataset) -> str | None:
    """Why a method cannot run on a data set: its own reason, or that it needs a truth or raters nobody knows."""
    if "truth" in method.needs and dataset[0].truth is None:
        return "it needs the truth, which this data set does not have"
    if method.needs_rater_identity and dataset.anonymous_raters:
        return f"it learns each rater over many cases, but {ANONYMOUS}"
    return method.skip_reason(dataset)


def check_identity(fusions: Mapping[str, Fusion], dataset: Dataset) -> None:
    """See that no fusion learns a rater over cases in which that rater is not known to be one person.

    Raises:
        RaterbenchError: one does; it is named.
    """
    for name, fusion in fusions.items():
        if fusion.needs_rater_identity and dataset.anonymous_raters:
            raise RaterbenchError(f"{name} learns each rater over many cases, but {ANONYMOUS}: fuse each case by itself")
