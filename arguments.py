"""The parser of the command line: commands, arguments and their help."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import __version__
from .errors import RaterbenchError, nearest, shown
from .names import visible
from .parameters import Range

KINDS = (
    *("methods", "fusions", "case-fusions", "diagnosis-networks", "recipes", "backbones"),
    *("datasets", "metrics", "splits", "experiments"),
)
PERF_ROWS = ("training", "volumes", "confusion", "jobs", "metrics", "fusions", "units", "added-metric", "gpu")
"""Groups of rows of ``raterbench perf``."""

MOST_SHARDS = 10_000
SECONDS = {"s": 1, "m": 60, "h": 3600}

Call = Callable[[argparse.Namespace], int]


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number from ``low`` to ``high``."""

    def read(text: str) -> int:
        allowed = Range(low, high)
        try:
            if (value := int(text)) in allowed:
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{shown(text)} must be a whole number {allowed}")

    return read


def seconds(text: str) -> float:
    """Reads a time in seconds, or with a letter in minutes or hours: ``90``, ``90s``, ``30m``, ``2h``."""
    number, factor = (text[:-1], SECONDS[text[-1]]) if text[-1:] in SECONDS else (text, 1)
    try:
        if (value := float(number) * factor) in Range(0, 10**7, without="low"):
            return value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{shown(text)} must be a time such as 90, 90s, 30m or 2h")


def some_text(text: str) -> str:
    """Reads a text and refuses an empty one, which usually comes from a shell variable that was never set."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return text


def path_text(text: str) -> str:
    """Reads a path and expands ``~``; an empty one, which would mean the working directory, is refused."""
    return os.path.expanduser(some_text(text))  # noqa: PTH111 - it never raises


def some_path(text: str) -> Path:
    """Reads a path as ``path_text`` does, as a ``Path``."""
    return Path(path_text(text))


def column_and_cell(text: str) -> tuple[str, str]:
    """Reads ``COLUMN=VALUE``; the value may be empty, for an empty cell."""
    column, sign, cell = text.partition("=")
    if not column.strip() or not sign:
        raise argparse.ArgumentTypeError(f"{shown(text)} must be COLUMN=VALUE, such as metric=dice")
    return column, cell


def shard(text: str) -> tuple[int, int]:
    """Reads ``i/n``, the i-th of n shards, counted from 1."""
    number, _, n = text.partition("/")
    try:
        if (found := (int(number), int(n)))[1] in Range(1, MOST_SHARDS) and found[0] in Range(1, found[1]):
            return found
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{shown(text)} must be i/n, the i-th of n shards, such as 1/10 to 10/10")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line without control characters and name the nearest known argument."""

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> argparse.Namespace:  # type: ignore[override]
        """Parse the arguments; the first unknown one ends the program with a message."""
        found: argparse.Namespace
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            command: Parser = found.parser
            command.error(command.unknown_words(unknown[0]))
        return found

    def unknown_words(self, word: str) -> str:
        """The message about an argument that this command does not have."""
        flags = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
        option = word.partition("=")[0]
        if not word.startswith("-"):
            dataset = f"; a data set is given as --dataset {word}" if "--dataset" in flags else ""
            return f"{shown(word)} is one argument too many{dataset}"
        close = difflib.get_close_matches(option, flags, n=1, cutoff=0.8)
        if close:
            return f"there is no {shown(option)}; did you mean {close[0]!r}?"
        key = "budget.epochs" if "--dry-run" in flags else option.lstrip("-").replace("-", "_")
        settings = f"; what is a setting or a parameter is given as --set {key}=VALUE" if "--set" in flags else ""
        return f"there is no {shown(option)}{settings or nearest(option, flags)}"

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(action, f"there is no {shown(value)}{nearest(str(value), map(str, action.choices))}")

    def error(self, message: str) -> NoReturn:
        """Write the message and end with 2."""
        self.print_usage(sys.stderr)
        self.exit(2, visible(f"{self.prog}: error: {message}") + "\n")


JOBS = whole_number(0, 1024)


def make_parser(calls: Mapping[str, Call]) -> argparse.ArgumentParser:
    """The parser of the command line; ``calls`` has the function of each command."""
    parser = Parser(prog="raterbench", description="Which way of learning from disagreeing raters should I use?")
    parser.add_argument("-V", "--version", action="version", version=f"raterbench {__version__}")
    common = Parser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show a traceback with an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, purpose: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[common], help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        command.set_defaults(call=calls[name], parser=command)
        return command

    _run(add("run", "run an experiment and write its report"))
    _merge(add("merge", "join results folders of one experiment, such as its shards"))
    _report(add("report", "rebuild tables, figures and page from stored units"))
    _export(add("export", "write results for other programs, with a data dictionary"))
    _compare(add("compare", "compare the candidates of any table of values, and say what may be said"))
    _published(add("published", "a paper's table beside measured values, from the values of each subject"))
    _fuse(add("fuse", "merge the label files of several raters into one consensus"))
    _describe(add("describe", "show what the raters do, before anything is trained"))
    _train(add("train", "make a model of a candidate, trained on all cases, once a benchmark has chosen it"))
    _predict(add("predict", "predict images with a model, or with the fold models of results"))
    command = add("list", "list methods, fusions, data sets and more by name")
    command.add_argument("kind", choices=KINDS)
    command.add_argument(
        "--plugin", action="append", type=path_text, default=[], metavar="FILE", help="also list what this file defines"
    )
    add("check", "run the contract tests on your own method, fusion, metric, split or data set").add_argument(
        "file", type=path_text, metavar="FILE"
    )
    add("cache", "show what is kept of prepared cases, so that nothing is read or prepared twice").add_argument(
        "--clear", action="store_true", help="remove all entries"
    )
    _perf(add("perf", "measure speed, as ratios in one run"))
    return parser


def _run(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "experiment",
        type=path_text,
        metavar="EXPERIMENT",
        help="a shipped experiment (raterbench list experiments) or a TOML file",
    )
    command.add_argument("--dataset", type=some_text, metavar="NAME|folder:PATH", help="run its candidates on this data set")
    command.add_argument(
        "--data", type=path_text, metavar="DIR", help="folder that holds downloaded data (or set RATERBENCH_DATA)"
    )
    command.add_argument("--out", type=path_text, metavar="DIR", help="results folder, default results/EXPERIMENT")
    command.add_argument("--jobs", type=JOBS, default=0, metavar="N", help="units side by side, default one a core")
    command.add_argument(
        "--engine",
        choices=("local", "dask"),
        default="local",
        help="where units run: this machine (default), or a Dask cluster",
    )
    command.add_argument("--address", type=some_text, metavar="ADDRESS", help="of the Dask scheduler, such as tcp://host:8786")
    command.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="end a unit that takes longer (90, 90s, 30m or 2h); it counts as failed",
    )
    command.add_argument("--device", type=some_text, default="cpu", help="cpu (default) or cuda")
    command.add_argument(
        "--plugin",
        action="append",
        type=path_text,
        default=[],
        metavar="FILE",
        help="a Python file with your own method, fusion, metric, split or data set",
    )
    command.add_argument(
        "--set", action="append", type=some_text, default=[], metavar="KEY=VALUE", help="change a setting, e.g. split.folds=3"
    )
    command.add_argument(
        "--shard", type=shard, metavar="I/N", help="run only the I-th of N parts of the plan; raterbench merge joins them"
    )
    command.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    command.add_argument("--retry-failed", action="store_true", help="run failed units again")
    command.add_argument("--fresh", action="store_true", help="run every unit again")
    _add_protocol(command)


def _merge(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=some_path, metavar="FOLDER", nargs="+", help="results folders of one experiment")
    command.add_argument("-o", "--out", type=some_path, metavar="OUT", required=True, help="the folder that has all of it then")


def _report(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=path_text, metavar="FOLDER", nargs="+", help="a results folder; of several, one page")
    command.add_argument("-o", "--out", type=some_path, metavar="OUT", help="where the page of several experiments goes")
    _add_protocol(command)


def _export(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=path_text, metavar="FOLDER", help="a results folder")
    command.add_argument("-o", "--out", type=some_path, metavar="FOLDER", help="where to write, default FOLDER/export")


def _compare(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("table", type=some_path, metavar="TABLE",
        help="a table of text, its cells separated by commas, semicolons or tabs; also as .gz")  # fmt: skip
    add("--candidate", type=some_text, metavar="COLUMN", help="column of candidates, in a table with one row a value")
    add("--value", type=some_text, metavar="COLUMN", help="column of values, in such a table")
    add("--wide", action="store_true", help="the table has a column of values for each candidate instead")
    add("--subject", type=some_text, metavar="COLUMN", help="column of subjects; without it each row is one trained model")
    add("--repeat", type=some_text, metavar="COLUMN", help="column of repeats: trainings on the same data")
    add("--fold", type=some_text, metavar="COLUMN", help="column of folds, whose subjects share a trained model")
    add("--case", type=some_text, metavar="COLUMN", help="column of cases, if a subject has several")
    add("--where", action="append", type=column_and_cell, default=[], metavar="COLUMN=VALUE",
        help="use only rows with this value, e.g. metric=dice")  # fmt: skip
    add("--baseline", type=some_text, metavar="NAME", help="the candidate that others are compared with, default the first")
    add("--better", choices=("higher", "lower"),
        help="which values are better, default what is known of a metric of this name, else higher")  # fmt: skip
    add("--smallest-difference", type=float, default=0.0, metavar="X", help="the smallest difference that is relevant")
    add("--alpha", type=float, default=0.05, metavar="SHARE", help="error over all comparisons, default 0.05")
    add("--statistics", choices=("model-t", "as-published"), default="model-t",
        help="as-published tests over trained models, as papers do; its p is too small")  # fmt: skip
    add("-o", "--out", type=some_path, metavar="FOLDER", help="also write comparison.csv and comparison.txt there")


def _published(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("subjects", type=some_path, metavar="SUBJECTS", help="subjects.csv.gz of raterbench export")
    add("--table", type=some_text, metavar="NAME", help="the published table, default that of the experiment")
    add("-o", "--out", type=some_path, metavar="FOLDER", help="also write it there as Markdown, LaTeX and CSV")


def _fuse(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("fusion", type=some_text, metavar="FUSION", help="staple, majority-vote, soft-average ... (raterbench list fusions)")
    add("inputs", metavar="FILE|FOLDER", type=some_path, nargs="*",
        help="a label file of each rater of one case, or one folder with ratings/<rater>/<case>.*")  # fmt: skip
    add("-o", "--out", type=some_path, metavar="PATH", help="the file to write; for a folder of cases, a folder")
    add("--probability", type=some_path, metavar="PATH", help="also write the probability (a folder for a folder of cases)")
    add("--figure", type=some_path, metavar="PATH", help="draw where the raters disagree (a folder for a folder of cases)")
    add("--raters", type=some_path, metavar="FILE", help="table of the raters; for a folder, OUT/raters.csv by default")
    add("--image", type=some_path, metavar="FILE", help="the image under the figure; in a folder it is images/<case>.*")
    add(
        "--classes",
        type=some_text,
        metavar="LIST",
        help="values of the classes, the background first: 0,100 or 0-39 or background=0,liver=100+101",
    )
    add("--threshold", type=float, metavar="VALUE", help="two classes: values from this one on are the object")
    add("--darker", action="store_true", help="the object is dark: values below the threshold (or below halfway) are it")
    add("--ignore", type=whole_number(-(2**31), 2**32), metavar="VALUE", help="the value of voxels that a rater did not judge")
    add(
        "--set",
        action="append",
        type=some_text,
        default=[],
        metavar="KEY=VALUE",
        help="a parameter of the fusion, e.g. ties=foreground",
    )
    add("--jobs", type=JOBS, default=0, metavar="N", help="cases side by side, default one a core")
    add("--plugin", action="append", type=path_text, default=[], metavar="FILE", help="a Python file with your own fusion")


def _describe(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "dataset",
        type=path_text,
        metavar="DATA",
        help="a folder with ratings/<rater>/<case>.*, or a data set (raterbench list datasets)",
    )
    add("-o", "--out", type=some_path, metavar="DIR", help="where to write, default results/describe-DATA")
    add("--data", type=path_text, metavar="DIR", help="folder that holds downloaded data (or set RATERBENCH_DATA)")
    add(
        "--set",
        action="append",
        type=some_text,
        default=[],
        metavar="KEY=VALUE",
        help="an option of the data set, e.g. raters=crowd",
    )
    add(
        "--consensus",
        type=some_text,
        default="staple",
        metavar="FUSION",
        help="the fusion of the other raters that each rater is compared with, default staple",
    )
    add("--cases", type=whole_number(1, 10**9), metavar="N", help="use only N cases, spread evenly over the data set")
    add("--jobs", type=JOBS, default=0, metavar="N", help="cases side by side, default one a core")


def _train(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("source", type=path_text, metavar="RESULTS|EXPERIMENT",
        help="a results folder, whose measurements go with the model; or an experiment by name or file")  # fmt: skip
    add("--candidate", type=some_text, metavar="NAME", help="which candidate, if there are several")
    add("-o", "--out", type=some_path, required=True, metavar="MODEL", help="the new folder of the model")
    add("--folds", action="store_true",
        help="train nothing: the fold models of the results, whose weights were kept, become one model")  # fmt: skip
    add("--dataset", type=some_text, metavar="NAME|folder:PATH",
        help="train an experiment's candidate on this data set; with results, where the same data lie now")  # fmt: skip
    add("--data", type=path_text, metavar="DIR", help="folder that holds downloaded data (or set RATERBENCH_DATA)")
    add("--device", type=some_text, help="cpu (default) or cuda")
    add("--set", action="append", type=some_text, default=[], metavar="KEY=VALUE",
        help="change a setting of an experiment, e.g. budget.epochs=20")  # fmt: skip
    add("--plugin", action="append", type=path_text, default=[], metavar="FILE", help="a Python file with your own method")


def check_folds(options: argparse.Namespace) -> None:
    """See that ``train --folds``, which trains nothing, is given nothing that only means something to a training.

    Raises:
        RaterbenchError: it is.
    """
    given = [name for name in ("set", "dataset", "data", "device") if getattr(options, name)]
    if options.folds and given:
        raise RaterbenchError(f"--folds trains nothing, so that --{given[0]} would change nothing: leave one of them out")


def _predict(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("model", type=some_path, metavar="MODEL|RESULTS",
        help="what raterbench train wrote, or results whose weights were kept (keep_weights = true)")  # fmt: skip
    add("images", type=some_path, metavar="IMAGE", nargs="+", help="image files, or folders of them")
    add("-o", "--out", type=some_path, required=True, metavar="FOLDER", help="where labels and probabilities go")
    add("--candidate", type=some_text, metavar="NAME", help="which candidate of results, if there are several")
    add("--repeat", type=whole_number(0, 10**9), metavar="N", help="only the members of this repeat")
    add("--fold", type=whole_number(0, 10**9), metavar="N", help="only the members of this fold")
    add("--ending", type=some_text, default=".nii.gz", metavar="ENDING",
        help="the format of what is written: .nii.gz (default), .nii, .mha or .nrrd")  # fmt: skip
    add("--overwrite", action="store_true", help="replace predictions that are there, those of other images too")
    add("--device", type=some_text, default="cpu", help="cpu (default) or cuda")
    add("--plugin", action="append", type=path_text, default=[], metavar="FILE", help="a Python file with your own method")


def _perf(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--rows", nargs="+", choices=PERF_ROWS, default=[], metavar="NAME", help=f"only these rows: {', '.join(PERF_ROWS)}")
    add("--repeats", type=whole_number(1, 1000), default=5, metavar="N", help="pairs whose median is shown, default 5")
    add("-o", "--out", type=some_path, metavar="FILE.md",
        help="also write the table there, where it takes the place of an earlier one")  # fmt: skip
    add("--scaling", type=some_path, metavar="FILE", help="instead, draw the cost of a run against its size")
    add("--convergence", type=path_text, metavar="FILE",
        help="instead, draw the error of estimated raters against the number of voxels")  # fmt: skip
    add("--error-rates", type=path_text, metavar="FILE",
        help="instead, simulate how often tests err and intervals cover, and draw it")  # fmt: skip
    add("--scheduler", type=whole_number(1, 10**7), metavar="N", help="instead, run N empty units on a Dask scheduler here")
    add("--simulations", type=whole_number(1, 10**6), default=10_000, metavar="N", help="for --error-rates")
    add("--same-candidate", type=path_text, metavar="FOLDER",
        help="for --error-rates: also tabulate these results of the experiment same-candidate, in same-candidate.csv beside it",
    )  # fmt: skip


def _add_protocol(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--protocol",
        choices=("model-t", "as-published"),
        default="model-t",
        help="as-published tests over trained models, as the papers did; its false-positive rate is too high",
    )
