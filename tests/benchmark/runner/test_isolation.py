"""Methods that go wrong in every way that people manage: each fails alone, and says why."""

import dataclasses
from pathlib import Path

from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import execute
from raterbench.benchmark.store.completeness import read_units
from raterbench.benchmark.store.run_file import planned_units, read_run_file
from raterbench.benchmark.store.units import Rows

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
        Dice.measure = lambda *a, **k: 1.0


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


class ExitsVotes(MajorityVote):
    def fuse(self, ratings, n_classes, *, geometry=None):
        sys.exit(0)


class InterruptsVotes(MajorityVote):
    def fuse(self, ratings, n_classes, *, geometry=None):
        raise KeyboardInterrupt


class CrashesVotes(MajorityVote):
    def fuse(self, ratings, n_classes, *, geometry=None):
        os.kill(os.getpid(), signal.SIGSEGV)


class PatchesVotes(MajorityVote):
    def fuse(self, ratings, n_classes, *, geometry=None):
        from raterbench.benchmark.metrics.overlap import Dice
        Dice.measure = lambda *a, **k: 1.0
        return super().fuse(ratings, n_classes, geometry=geometry)


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
    "gives-nan": "the prediction has NaN or infinite values",
    "writes-image": "ValueError: assignment destination is read-only (mine.py, line",
    "writes-labels": "ValueError: assignment destination is read-only (mine.py, line",
    "unreadable-error": "Odd (mine.py, line",
    "gives-text": "case '",
    "bad-warnings": "TypeError",
}
FUSIONS_FAIL = {
    "writes-votes": "assignment destination is read-only",
    "exits-votes": "SystemExit: 0 (mine.py, line",
    "interrupts-votes": "KeyboardInterrupt (mine.py, line",
    "crashes-votes": "its process died twice: SIGSEGV (mine.py, line",
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
    """What became of the units, by name: the state, and what is stored."""
    run_file = read_run_file(folder)
    units, completeness = read_units(folder, planned_units(run_file, str(folder)), run_file["parts"])
    return {s.unit.name: s for s in completeness.units}, {s.unit.name: s for s in units}


def only(plan, units):
    """The plan as if it had only these units."""
    return dataclasses.replace(plan, units=units, training={u: task for u, task in plan.training.items() if u in units})


def rows(stored):
    """What was measured, as plain values."""
    parts = {name: part for name, part in stored.parts.items() if isinstance(part, Rows)}
    assert parts
    return {name: (part.values.tobytes(), part.measured.tobytes()) for name, part in parts.items()}


def test_a_hostile_method_spoils_nothing_but_its_own_unit(tiny, tmp_path, plugin):
    names = ("instant", *FAILS, *HARMLESS)
    experiment = tiny(
        candidates=tuple(Candidate(name, name) for name in names),
        fused_rows=("majority-vote", *FUSIONS_FAIL, "patches-votes"),
        plugins=(plugin(HOSTILE),),
        dataset_options={"subjects": 4, "slices": 1, "size": 32},
        metrics=("dice",),
        references=("truth",),
        keep_cases=0,
    )
    here = Path.cwd()
    plan = make_plan(experiment, tmp_path / "out")
    plan = only(plan, [unit for unit in plan.units if unit.fold == 0])
    execute(plan, jobs=3)
    states, units = stored(tmp_path / "out")
    assert set(states) == {*names, "raters", "majority-vote", *FUSIONS_FAIL, "patches-votes"}
    for name, reason in (FAILS | FUSIONS_FAIL).items():
        assert states[name].state == "failed", name
        assert reason in states[name].reason, name
    for name in ("instant", "raters", "majority-vote", *HARMLESS):
        assert states[name].state == "done", states[name].reason
    # Every harmless method predicts what `instant` does, and is measured in another process than it was trained in.
    for name in HARMLESS:
        assert rows(units[name]) == rows(units["instant"]), name
    votes = [part.values for part in units["majority-vote"].parts.values() if isinstance(part, Rows)]
    assert votes and all((values < 1).any() for values in votes)
    assert "chatter" in units["prints"].trained.origin.printed
    assert Path.cwd() == here


def test_a_unit_that_hangs_is_a_failed_one(tiny, tmp_path, plugin):
    experiment = tiny(candidates=(Candidate("hangs", "hangs"),), plugins=(plugin(HOSTILE),), fused_rows=(), timeout=1.5)
    plan = make_plan(experiment, tmp_path / "out")
    execute(only(plan, plan.units[:1]))
    states, _ = stored(tmp_path / "out")
    assert (states["hangs"].state, states["hangs"].reason) == ("failed", "it took longer than the 1.5 s allowed")


def test_a_fusion_that_hangs_is_a_failed_row(tiny, tmp_path, plugin):
    lines = """
import time
from raterbench.methods import MajorityVote


class HangsVotes(MajorityVote):
    def fuse(self, ratings, n_classes, *, geometry=None):
        time.sleep(600)
"""
    fused = ("majority-vote", "hangs-votes")
    experiment = tiny(candidates=(Candidate("it", "instant"),), plugins=(plugin(lines),), fused_rows=fused, timeout=10)
    plan = make_plan(experiment, tmp_path / "out")
    execute(only(plan, [unit for unit in plan.units if unit.fold == 0]))
    states, _ = stored(tmp_path / "out")
    assert (states["hangs-votes"].state, states["hangs-votes"].reason) == ("failed", "it took longer than the 10 s allowed")
    assert {states[name].state for name in ("it", "raters", "majority-vote")} == {"done"}
