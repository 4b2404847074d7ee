"""The command line: parses the arguments and calls one function for each command."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from .arguments import check_folds, make_parser
from .errors import RaterbenchError, StoppedError, status_and_message
from .names import visible
from .streams import flush_output, prepare_streams

if TYPE_CHECKING:
    from rich.console import Console

    from .benchmark.labels.fuse import Draw
    from .benchmark.statistics.metric_table import Protocol
    from .benchmark.store.completeness import Completeness
    from .reports.page.report import Report

PLAIN_WIDTH = 110
"""Columns of the main table where the output is no terminal."""
LONGEST_MESSAGE = 2000
"""The most characters of an error message that are shown; names of files and values can be of any length."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; an error is reported in one sentence.

    Returns:
        0 if all went well, 1 if units, checks or images failed or results are incomplete, 2 for what the user can mend, 70 for
        an error in raterbench itself, 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, 141 if nobody reads the output.
    """
    from .benchmark.runner.shown_steps import shown_steps

    prepare_streams()
    calls = {
        "run": run,
        "merge": merge,
        "report": report,
        "export": export,
        "compare": compare,
        "published": published,
        "fuse": fuse,
        "describe": describe,
        "train": train,
        "predict": predict,
        "list": list_names,
    }
    calls |= {"check": check, "cache": cache, "perf": perf}
    try:
        options = make_parser(calls).parse_args(arguments)
        try:
            with _signals_interrupt(), shown_steps():
                code: int = options.call(options)
            flush_output()
        except Exception as error:
            if options.debug:
                raise
            code, message = status_and_message(error)
            _complain(message)
    except KeyboardInterrupt as interrupt:
        ended = interrupt.signal if isinstance(interrupt, StoppedError) else signal.SIGINT
        code = 128 + ended
        by = "" if ended == signal.SIGINT else f" by {ended.name}"
        _complain(f"stopped{by}; run the same command again to go on")
    finally:
        with suppress(OSError):
            flush_output()
    return code


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """End at SIGTERM and SIGHUP as at Ctrl-C, so that workers are ended and half-written files removed."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        del frame
        raise StoppedError(number)

    known = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP.
    ours = [each for each in known if signal.getsignal(each) is signal.SIG_DFL]
    for each in ours:
        signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)


def _complain(message: str) -> None:
    """Write a message to standard error as one line; a closed stream is ignored."""
    if not message:
        return
    line = visible(message)
    half = LONGEST_MESSAGE // 2
    with suppress(OSError):
        sys.stderr.write(f"raterbench: {line if len(line) <= LONGEST_MESSAGE else f'{line[:half]} ... {line[-half:]}'}\n")


def run(options: argparse.Namespace) -> int:
    """``raterbench run``: plan, run what is missing, report."""
    if (options.engine == "dask") != (options.address is not None):
        raise RaterbenchError("--engine dask and --address tcp://host:port, that of its scheduler, go together: give both")
    from .benchmark.experiment.experiment import read_experiment

    experiment = read_experiment(options.experiment, options.set, options.dataset)
    # Torch takes seconds to import: mistakes in the experiment are reported before.
    from .benchmark.runner.engines.cluster import DaskCluster
    from .benchmark.runner.engines.engine import Engine
    from .benchmark.runner.engines.local import Local
    from .benchmark.runner.plan import make_plan
    from .benchmark.runner.run import check_device, dry_run, execute
    from .benchmark.runner.shards import shard_of
    from .benchmark.store.completeness import read_units
    from .benchmark.store.results_folder import check_results_folder
    from .reports.page.report import check_report_places

    if options.plugin:
        experiment = experiment.replace(plugins=(*experiment.plugins, *(str(Path(p).absolute()) for p in options.plugin)))
    number, shards = options.shard or (1, 1)
    own_name = f"{experiment.name}-shard-{number}-of-{shards}" if options.shard else experiment.name
    folder = Path(options.out or Path("results") / own_name)
    check_results_folder(folder, experiment)
    check_report_places(folder)
    engine: Engine = DaskCluster(options.address, options.jobs) if options.engine == "dask" else Local(options.jobs)
    device = check_device(options.device, here=isinstance(engine, Local))
    plan = make_plan(experiment, folder, data=options.data, device=device)
    if options.shard:
        plan = shard_of(plan, number, shards)
    if options.dry_run:
        dry_run(plan, engine, retry_failed=options.retry_failed, fresh=options.fresh)
        return 0
    execute(plan, engine=engine, retry_failed=options.retry_failed, fresh=options.fresh, timeout=options.timeout)
    if options.shard:
        own, listed = [unit for unit in plan.units if plan.is_own(unit)], plan.listed()["parts"]
        return _say_state(folder, read_units(folder, own, listed)[1], f"shard {number} of {shards}")
    report = _report(folder, options.protocol, strict=options.debug)
    return 0 if report.is_sound else 1


def _say_state(folder: Path, found: Completeness, what: str) -> int:
    """Say what a folder holds of some units; gives the exit status."""
    from .reports.page.escaping import terminal_text

    console = _console()
    for gap in (*found.gaps(), *found.skipped()):
        console.print(terminal_text(gap), soft_wrap=True)
    done = len(found.having("done", "skipped"))
    console.print(terminal_text(f"{what}: {done} of {len(found.units)} units are done; results in {folder}"), soft_wrap=True)
    return 0 if done == len(found.units) else 1


def merge(options: argparse.Namespace) -> int:
    """``raterbench merge``: join results folders of one experiment."""
    from .benchmark.store.merge import merge as merge_folders

    merged = merge_folders(options.folder, options.out)
    return _say_state(options.out, merged.completeness, f"joined {len(options.folder)} folders")


def report(options: argparse.Namespace) -> int:
    """``raterbench report``: rebuild every table and figure from the stored units; of several experiments, one page."""
    folders = options.folder
    if len(folders) > 1:
        return _report_several(options)
    if options.out is not None:
        raise RaterbenchError(f"the report of one experiment is written into its own folder, {folders[0]}: leave out the other")
    return 0 if _report(Path(folders[0]), options.protocol, strict=options.debug).is_sound else 1


def _report_several(options: argparse.Namespace) -> int:
    from .reports.page.escaping import terminal_text
    from .reports.several.page import report_several
    from .reports.several.sentences import notices

    if options.out is None:
        raise RaterbenchError("where should the page of several experiments go? Name a folder of its own: -o FOLDER")
    if options.protocol != "model-t":
        raise RaterbenchError("several experiments are compared by the test over subjects and trained models alone")
    written, console = report_several(options.folder, options.out), _console()
    for notice in notices(written.several):
        console.print(terminal_text(notice), style="bold red", soft_wrap=True)
    for sentence in (written.summary.headline, *written.summary.findings, *written.summary.warnings):
        console.print(terminal_text(sentence), soft_wrap=True)
    console.print(terminal_text(f"report: {written.page}"), soft_wrap=True)
    return 0 if written.is_sound else 1


def export(options: argparse.Namespace) -> int:
    """``raterbench export``: the results as files for other programs, with a data dictionary."""
    from .reports.export.export import export_results, print_export

    written = export_results(options.folder, options.out)
    print_export(written, _console())
    return 0 if written.analysis.results.completeness.is_sound else 1


def compare(options: argparse.Namespace) -> int:
    """``raterbench compare``: the verdict on the candidates of anybody's table."""
    from .benchmark.statistics.verdict.compare_table import compare as compare_table
    from .benchmark.statistics.verdict.table_layout import read_table
    from .reports.describe.compared import check_comparison_place, direction_of, print_comparison, write_comparison

    if options.out:
        check_comparison_place(options.out)
    names = ("candidate", "value", "subject", "repeat", "fold", "case", "wide", "baseline", "better", "smallest_difference")
    settings = {name: getattr(options, name) for name in (*names, "alpha", "statistics")}
    if len(where := dict(options.where)) < len(options.where):
        raise RaterbenchError("a column is chosen from twice: a row has one value in each column")
    settings["better"] = options.better or direction_of(where.get("metric") or options.value or "")
    found = compare_table(read_table(options.table), **settings, where=where, name=str(options.table))
    print_comparison(found, write_comparison(found, options.out) if options.out else None, _console())
    return 0


def published(options: argparse.Namespace) -> int:
    """``raterbench published``: a paper's table beside measured values."""
    from .reports.published.command import print_published, published_beside

    print_published(published_beside(options.subjects, options.table, options.out), _console())
    return 0


def fuse(options: argparse.Namespace) -> int:
    """``raterbench fuse``: label files in, a consensus out."""
    from .benchmark.experiment.factory import build_fusion, load_fusions
    from .benchmark.labels.fuse import fuse_files
    from .benchmark.labels.fuse_plan import fuse_plan
    from .benchmark.runner.workers import cores
    from .methods import FUSIONS
    from .registry import kebab
    from .reports.describe.fused import print_fused

    load_fusions(options.plugin)
    is_path = os.path.lexists(options.fusion) or set("/.") & set(options.fusion)
    if is_path and not {options.fusion, kebab(options.fusion)} & set(FUSIONS.names()):
        files = " ".join([options.fusion, *map(str, options.inputs)])
        raise RaterbenchError(f"the fusion's name comes first, then what is fused: raterbench fuse staple {files}")
    fusion = build_fusion(options.fusion, options.set)
    draw: Draw | None = None
    if options.figure:
        from .reports.figures.disagreement import draw_fused

        draw = draw_fused
    names = ("probability", "figure", "raters", "image", "classes", "ignore", "threshold", "darker")
    plan = fuse_plan(options.inputs, options.out, **{name: getattr(options, name) for name in names})
    result = fuse_files(fusion, plan, draw=draw, jobs=options.jobs or cores())
    written = [place for place in (options.out, options.probability, options.figure, plan.raters) if place]
    print_fused(result, options.fusion, written, _console())
    return 0


def describe(options: argparse.Namespace) -> int:
    """``raterbench describe``: agreement and quality of the raters, before anything is trained."""
    from .benchmark.experiment.factory import build_fusion
    from .benchmark.experiment.settings import check_folder_name
    from .benchmark.labels.describe import describe_data, find_data
    from .benchmark.runner.workers import cores
    from .reports.describe.page import check_description_places, print_description, write_description

    fusion = build_fusion(options.consensus)
    dataset = find_data(options.dataset, options.data, options.set)
    if options.out is None:
        check_folder_name(dataset.name, "the data set's name")
    folder = options.out or Path("results") / f"describe-{dataset.name}"
    check_description_places(folder)
    description = describe_data(dataset, fusion, cases=options.cases, jobs=options.jobs or cores())
    page = write_description(description, dataset, fusion, folder)
    print_description(description, page, _console())
    return 0


def train(options: argparse.Namespace) -> int:
    """``raterbench train``: a candidate as a model, trained on all cases, or made of the fold models of results."""
    from .benchmark.experiment.experiment import read_experiment
    from .benchmark.experiment.factory import load_plugins
    from .benchmark.models.model import load_model
    from .benchmark.models.training import train_model
    from .benchmark.models.writing import check_model_place, write_model
    from .benchmark.runner.run import check_device
    from .benchmark.store.results import read_results
    from .reports.describe.predicted import print_trained

    check_folds(options)
    check_model_place(options.out)
    device = check_device(options.device or "cpu")
    source = Path(options.source)
    results = read_results(source) if (source / "experiment.json").is_file() else None
    if options.folds:
        if results is None:
            raise RaterbenchError(f"--folds takes the fold models of results, and {source} is no results folder: run it first")
        model = load_model(source, candidate=options.candidate, plugins=options.plugin)
        write_model(model, options.out)
        print_trained(model.card, options.out, _console())
        return 0
    if results is None:
        experiment = read_experiment(options.source, options.set, options.dataset)
    elif options.set:
        raise RaterbenchError(f"{source} holds results, whose settings are fixed: leave out --set")
    else:
        # The same data may lie elsewhere now.
        experiment = results.experiment.replace(dataset=options.dataset or results.experiment.dataset)
    # What results name is data: the plug-ins are those that the user names now.
    plugins = tuple(str(Path(p).absolute()) for p in options.plugin)
    load_plugins(plugins)
    experiment = experiment.replace(plugins=plugins if results is not None else (*experiment.plugins, *plugins))
    card = train_model(experiment, options.out, candidate=options.candidate, data=options.data, device=device, results=results)
    print_trained(card, options.out, _console())
    return 0


def predict(options: argparse.Namespace) -> int:
    """``raterbench predict``: image files in, label maps and probabilities out."""
    from .benchmark.models.model import load_model
    from .benchmark.models.predicting import plan_predictions, predict_files, size_words
    from .benchmark.runner.run import check_device
    from .reports.describe.predicted import print_predicted

    names = ("candidate", "repeat", "fold")
    settings = {name: getattr(options, name) for name in names}
    model = load_model(options.model, **settings, plugins=options.plugin, device=check_device(options.device))
    plan = plan_predictions(model, options.images, options.out, ending=options.ending, overwrite=options.overwrite)
    found = predict_files(model, plan, options.out)
    print_predicted(model.card, found, size_words(model), options.out, _console())
    return int(any(one.failed for one in found))


def list_names(options: argparse.Namespace) -> int:
    """``raterbench list``: the known names, one a line, with what each is."""
    from .benchmark.experiment.listing import describe

    for name, purpose in describe(options.kind, tuple(options.plugin)):
        sys.stdout.write(visible(f"{name:<24} {purpose}" if purpose else name) + "\n")
    return 0


def check(options: argparse.Namespace) -> int:
    """``raterbench check``: run the contract tests on the classes that a file defines."""
    from .benchmark.checks import check_file

    failed = 0
    for result in check_file(options.file):
        finding = f": {result.message}" if result.message else ""
        sys.stdout.write(visible(f"{'ok    ' if result.passed else 'FAILED'}  {result.name}{finding}") + "\n")
        failed += not result.passed
    sys.stdout.write(f"{failed} checks failed\n" if failed else "all checks passed\n")
    return 1 if failed else 0


def cache(options: argparse.Namespace) -> int:
    """``raterbench cache``: show what is kept of prepared cases, or remove it."""
    from .datasets.cache.disk_cache import DiskCache, cache_folder, cache_limit
    from .datasets.cache.summary import cache_summary, clear_cache

    folder = cache_folder()
    if folder is None:
        raise RaterbenchError("this user has no cache folder: set RATERBENCH_CACHE to a folder")
    found = DiskCache(folder, limit=cache_limit())
    sys.stdout.write(f"{clear_cache(found) if options.clear else cache_summary(found)}\n")
    return 0


def perf(options: argparse.Namespace) -> int:
    """``raterbench perf``: speed as ratios, measured in one run; or one of the documentation's figures."""
    if options.same_candidate and not options.error_rates:
        raise RaterbenchError("--same-candidate belongs to --error-rates: add it, with the file of the figure")
    if options.error_rates:
        return _draw_error_rates(options)
    if options.scheduler:
        from .benchmark.perf.scheduler import scheduler_limit

        sys.stdout.write(f"{scheduler_limit(options.scheduler)}\n")
        return 0
    if options.convergence:
        from .benchmark.perf.convergence import SIZES, compared_errors
        from .reports.figures.convergence import draw_convergence

        sys.stdout.write(f"{draw_convergence(SIZES, compared_errors(), Path(options.convergence))}\n")
        return 0
    if options.scaling:
        from .benchmark.perf.scaling import scaling_table
        from .reports.figures.scaling import draw_scaling

        table = scaling_table()
        sys.stdout.write(f"{table.to_string(index=False, float_format='{:.2f}'.format)}\n")
        sys.stdout.write(f"{draw_scaling(table, options.scaling)}\n")
        return 0
    return _measure_speed(options)


def _measure_speed(options: argparse.Namespace) -> int:
    """Print each row when it is measured, then all of them as a table, which is also written if asked for."""
    from .benchmark.perf import measure
    from .benchmark.perf.table import machine
    from .reports.describe.speed import check_page, speed_markdown, speed_table, write_page
    from .reports.page.escaping import terminal_text
    from .reports.page.report import make_report

    if options.out and options.rows:
        raise RaterbenchError("-o puts a new table in the place of the old one, which may have more rows: leave --rows out")
    if options.out:
        check_page(options.out)  # Before minutes are spent.
    facts, rows, console = machine(), [], _console()
    for fact in facts:
        console.print(terminal_text(fact), soft_wrap=True)
    for row in measure(make_report, options.rows, options.repeats):
        rows.append(row)
        console.print(terminal_text(row.words), soft_wrap=True)
    console.print(speed_table(rows))
    if options.out:
        console.print(terminal_text(str(write_page(options.out, speed_markdown(facts, rows)))), soft_wrap=True)
    return 0


def _draw_error_rates(options: argparse.Namespace) -> int:
    from .benchmark.statistics.simulation import simulation_table
    from .reports.figures.error_rates import draw_error_rates, read_same_candidate

    beside = Path(options.error_rates).with_name("same-candidate.csv")
    if options.same_candidate:
        _tabulate_same_candidate(Path(options.same_candidate), beside)
    table = simulation_table(simulations=options.simulations)
    sys.stdout.write(f"{table.to_string(index=False, float_format='{:.3f}'.format)}\n")
    sys.stdout.write(f"{draw_error_rates(table, Path(options.error_rates), read_same_candidate(beside))}\n")
    return 0


def _tabulate_same_candidate(folder: Path, path: Path) -> None:
    from .benchmark.perf.real_trainings import tabulate_same_candidate
    from .whole_files import replacing

    table = tabulate_same_candidate(folder)
    with replacing(path) as file:
        table.to_csv(file, index=False, float_format="%.4f", lineterminator="\n")
    rates = table.loc[:, "design":"variance_ratio"]
    sys.stdout.write(f"{rates.to_string(index=False, float_format='{:.3f}'.format)}\n{path}\n")


def _report(folder: Path, protocol: Protocol, *, strict: bool) -> Report:
    from .benchmark.runner.workers import cores
    from .reports.page.escaping import terminal_text
    from .reports.page.report import make_report, published_parts, terminal_table

    report = make_report(folder, protocol=protocol, strict=strict, processes=cores())
    analysis, console = report.analysis, _console()
    for notice in analysis.notices:
        console.print(terminal_text(notice), style="bold red", soft_wrap=True)
    if (table := analysis.part_maker.make("table", "terminal", lambda: terminal_table(analysis))) is not None:
        console.print(table)
    for part in analysis.part_maker.make("table", "published", lambda: published_parts(analysis.results)) or []:
        console.print(part)
    for broken in dict.fromkeys(report.broken):
        console.print(terminal_text(f"{broken}; the rest of the report is complete"), soft_wrap=True)
    console.print(terminal_text(f"report: {report.page}"), soft_wrap=True)
    return report


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


if __name__ == "__main__":
    sys.exit(main())
