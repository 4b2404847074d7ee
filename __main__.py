"""The command line: parses, and calls one function for each command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .datasets.errors import RaterbenchError

if TYPE_CHECKING:
    from .benchmark.results import Results
    from .benchmark.statistics.metric_table import Mode

PLAIN_WIDTH = 110
"""Columns of the main table where the output is no terminal."""

KINDS = ("methods", "fusions", "recipes", "datasets", "metrics", "experiments")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if all went well, 2 with one sentence for what the user can mend, 1 if units or checks failed."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.call(options)
    except (RaterbenchError, OSError) as error:
        if options.debug:
            raise
        sys.stderr.write(f"raterbench: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("raterbench: stopped; run the same command again to go on\n")
        return 130
    return code


def run(options: argparse.Namespace) -> int:
    """``raterbench run``: plan, run what is missing, report."""
    from .benchmark.experiment import read_experiment
    from .benchmark.plan import make_plan
    from .benchmark.progress import announce
    from .benchmark.runner import check_device, execute

    experiment = read_experiment(options.experiment, options.set, options.dataset)
    if options.plugin:
        experiment = experiment.replace(plugins=(*experiment.plugins, *(str(Path(p).resolve()) for p in options.plugin)))
    folder = Path(options.out or Path("results") / experiment.name)
    plan = make_plan(experiment, folder, data=options.data, device=check_device(options.device))
    if options.dry_run:
        announce(plan, options.jobs)
        return 0
    execute(plan, jobs=options.jobs, retry_failed=options.retry_failed, fresh=options.fresh)
    results = _report(folder, options.statistics)
    return 1 if (results.units["status"] == "failed").any() else 0


def report(options: argparse.Namespace) -> int:
    """``raterbench report``: rebuild every table and figure from the stored units."""
    _report(Path(options.folder), options.statistics)
    return 0


def list_names(options: argparse.Namespace) -> int:
    """``raterbench list``: what there is, a line each."""
    from .benchmark.listing import describe

    for name, purpose in describe(options.kind, tuple(options.plugin)):
        sys.stdout.write(f"{name:<24} {purpose}\n" if purpose else f"{name}\n")
    return 0


def check(options: argparse.Namespace) -> int:
    """``raterbench check``: contract tests of what a file defines."""
    from .benchmark.checks import check_file

    failed = 0
    for result in check_file(options.file):
        finding = f": {result.message}" if result.message else ""
        sys.stdout.write(f"{'ok    ' if result.passed else 'FAILED'}  {result.name}{finding}\n")
        failed += not result.passed
    sys.stdout.write(f"{failed} checks failed\n" if failed else "all checks passed\n")
    return 1 if failed else 0


def perf(options: argparse.Namespace) -> int:
    """``raterbench perf``: speed as ratios, measured in one run."""
    from .benchmark.perf import measure

    for line in measure(options.repeats):
        sys.stdout.write(f"{line}\n")
    return 0


def _report(folder: Path, statistics: Mode) -> Results:
    from rich.console import Console

    from .benchmark.results import read_results
    from .reports.report import main_table, write_report

    page = write_report(folder, statistics=statistics)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PLAIN_WIDTH)
    results = read_results(folder)
    console.print(main_table(results, statistics))
    console.print(f"report: {page}", soft_wrap=True, markup=False)
    return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="raterbench", description="Which way of learning from disagreeing raters should I use?"
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show a traceback with an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("run", parents=[common], help="run an experiment and write its report")
    command.add_argument(
        "experiment", metavar="EXPERIMENT", help="a shipped experiment (raterbench list experiments) or a TOML file"
    )
    command.add_argument("--dataset", metavar="NAME|folder:PATH", help="run its candidates on this data set")
    command.add_argument("--data", metavar="DIR", help="folder that holds downloaded data (or set RATERBENCH_DATA)")
    command.add_argument("--out", metavar="DIR", help="results folder, default results/EXPERIMENT")
    command.add_argument("--jobs", type=int, default=0, metavar="N", help="units side by side, default one a core")
    command.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    command.add_argument("--plugin", action="append", default=[], metavar="FILE", help="a Python file with your own method")
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting, e.g. split.folds=3")
    command.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    command.add_argument("--retry-failed", action="store_true", help="run failed units again")
    command.add_argument("--fresh", action="store_true", help="run every unit again")
    _add_statistics(command)
    command.set_defaults(call=run)

    command = commands.add_parser("report", parents=[common], help="rebuild tables, figures and page from stored units")
    command.add_argument("folder", metavar="OUT", help="a results folder")
    _add_statistics(command)
    command.set_defaults(call=report)

    command = commands.add_parser("list", parents=[common], help="list what there is")
    command.add_argument("kind", choices=KINDS)
    command.add_argument("--plugin", action="append", default=[], metavar="FILE", help="list what this file adds, too")
    command.set_defaults(call=list_names)

    command = commands.add_parser("check", parents=[common], help="run the contract tests on your own method, fusion or metric")
    command.add_argument("file", metavar="FILE")
    command.set_defaults(call=check)

    command = commands.add_parser("perf", parents=[common], help="measure speed, as ratios in one run")
    command.add_argument("--repeats", type=int, default=5, metavar="N")
    command.set_defaults(call=perf)
    return parser


def _add_statistics(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--statistics",
        choices=("per-subject", "as-published"),
        default="per-subject",
        help="as-published tests over trained models, as the papers did; it is anti-conservative",
    )


if __name__ == "__main__":
    sys.exit(main())
