"""Methods that go wrong in every way that people manage: each fails alone, and says why."""

import dataclasses
from pathlib import Path

from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import execute
from raterbench.benchmark.store.completeness import planned_units, read_units
from raterbench.benchmark.store.units import read_run_file

HOSTILE = """
import os, signal, subprocess, sys, threading, time, warnings


class Bad(Instant):
    listed = False

    def fit(self, train, validation, *, seed, device="cpu"):
        super().fit(train, validation, seed=seed)
        self.spoil(train)
        return self


class Raises(Bad):
    def spoil(self, train):
        raise ValueError("some\\nthing <b>bad</b> [/red]")


class Exits(Bad):
    def spoil(self, train):
        sys.exit(0)


class OsExits(Bad):
    def spoil(self, train):
        os._exit(0)


class Interrupts(Bad):
    def spoil(self, train):
        raise KeyboardInterrupt


class RaisesBase(Bad):
    def spoil(self, train):
        raise BaseException("base")


class Crashes(Bad):
    def spoil(self, train):
        os.kill(os.getpid(), signal.SIGSEGV)


class Terminates(Bad):
    def spoil(self, train):
        os.kill(os.getpid(), signal.SIGTERM)


class Recurses(Bad):
    def spoil(self, train):
        self.spoil(train)


class GivesNan(Bad):
    def spoil(self, train):
        self.share = float("nan")


class WritesImage(Bad):
    def spoil(self, train):
        train[0].image[:] = 0


class WritesLabels(Bad):
    def spoil(self, train):
        next(iter(train[0].ratings.values()))[:] = 1


class Hangs(Bad):
    def spoil(self, train):
        time.sleep(600)


class UnreadableError(Bad):
    def spoil(self, train):
        class Odd(Exception):
            def __str__(self):
                raise RuntimeError("no message")
        raise Odd


class GivesText(Bad):
    def spoil(self, train):
        pass

    def predict_proba(self, case):
        return "nothing"


class BadWarnings(Bad):
    def spoil(self, train):
        self.report_ = FitReport(warnings=5)

    def fit_report(self):
        return self.report_


class ChangesDirectory(Bad):
    def spoil(self, train):
        os.chdir("/")


class ChangesDefaults(Bad):
    def spoil(self, train):
        import numpy, torch
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        numpy.seterr(all="raise")
        warnings.simplefilter("error")


class PatchesMetric(Bad):
    def spoil(self, train):
        from raterbench.benchmark.metrics.overlap import Dice
        Dice.values = lambda *a, **k: 1.0


class Prints(Bad):
    def spoil(self, train):
        print("chatter " * 10_000)


class StartsThreads(Bad):
    def spoil(self, train):
        for _ in range(5):
            threading.Thread(target=time.sleep, args=(600,)).start()


class StartsProcess(Bad):
    def spoil(self, train):
        subprocess.Popen(["sleep", "417"])


class Forks(Bad):
    def spoil(self, train):
        if os.fork() == 0:
            time.sleep(0.2)


class ClosesStreams(Bad):
    def spoil(self, train):
        os.close(1)
        os.close(2)


from raterbench.methods import MajorityVote


class WritesVotes(MajorityVote):
    def fuse(self, ratings, n_classes, *, geometry=None):
        for labels in ratings.values():
            labels[:] = 0
        return super().fuse(ratings, n_classes, geometry=geometry)
"""

FAILS = {
    "raises": "ValueError: some thing <b>bad</b> [/red] (mine.py, line",
    "exits": "SystemExit: 0 (mine.py, line",
    "os-exits": "its process died twice: it ended itself with exit status 0",
    "interrupts": "KeyboardInterrupt (mine.py, line",
    "raises-base": "BaseException: base (mine.py, line",
    "crashes": "its process died twice: SIGSEGV (mine.py, line",
    "terminates": "its process died twice: SIGTERM",
    "recurses": "RecursionError: maximum recursion depth exceeded",
    "gives-nan": "the prediction has values that are no numbers",
    "writes-image": "ValueError: assignment destination is read-only (mine.py, line",
    "writes-labels": "ValueError: assignment destination is read-only (mine.py, line",
    "unreadable-error": "Odd (mine.py, line",
    "gives-text": "case '",
    "bad-warnings": "TypeError",
}
HARMLESS = (
    "changes-directory",
    "changes-defaults",
    "patches-metric",
    "prints",
    "starts-threads",
    "starts-process",
    "forks",
    "closes-streams",
)


def stored(folder):
    return read_units(folder, planned_units(folder, read_run_file(folder)))[0]


def test_a_hostile_method_spoils_nothing_but_its_own_unit(tiny, tmp_path, plugin):
    names = ("instant", *FAILS, *HARMLESS)
    experiment = tiny(
        candidates=tuple(Candidate(name, name) for name in names),
        fused_rows=("majority-vote", "writes-votes"),
        plugins=(plugin(HOSTILE),),
        dataset_options={"subjects": 4, "slices": 1, "size": 32},
        metrics=("dice",),
        references=("truth",),
        keep_cases=0,
    )
    here = Path.cwd()
    plan = make_plan(experiment, tmp_path / "out")
    plan = dataclasses.replace(plan, tasks=[task for task in plan.tasks if task.fold.fold == 0])
    execute(plan, jobs=3)
    units = {record.candidate: record for record in stored(tmp_path / "out")}
    assert set(units) == {*names, "labels", "labels: writes-votes"}
    for name, reason in FAILS.items():
        assert units[name].status == "failed", name
        assert reason in units[name].reason, name
    for name in ("instant", "labels", *HARMLESS):
        assert units[name].status == "done", units[name].reason
    assert "assignment destination is read-only" in units["labels: writes-votes"].reason
    # Every harmless method predicts what `instant` does, so what it changed must not be seen in what was measured.
    expected = [row[2:] for row in units["instant"].rows]
    for name in set(HARMLESS) - {"patches-metric"}:
        assert [row[2:] for row in units[name].rows] == expected, name
    assert "chatter" in units["prints"].meta["printed"]
    assert Path.cwd() == here


def test_a_unit_that_hangs_is_a_failed_one(tiny, tmp_path, plugin):
    experiment = tiny(candidates=(Candidate("hangs", "hangs"),), plugins=(plugin(HOSTILE),), fused_rows=(), timeout=1.5)
    plan = make_plan(experiment, tmp_path / "out")
    execute(dataclasses.replace(plan, tasks=plan.tasks[:1]))
    (unit,) = stored(tmp_path / "out")
    assert (unit.status, unit.reason) == ("failed", "it took longer than the 1.5 s allowed")
