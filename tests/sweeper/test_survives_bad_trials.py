"""Trials that diverge, run out of memory, raise, exit, hang: each is named, and the others go on."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.config.outcome import Outcome
from sweeper.study.records import TrialRecord, TrialState
from sweeper.work.work_trial import HALVED
from tests.sweeper.real_sweeps import Toy, weights_of

pytestmark = pytest.mark.slow

# What a trial does in its third step is an option of its optimizer; marks on the disk tell a second time.
MISBEHAVING = """
import random, signal, sys, time
from pathlib import Path
import torch

class Misbehaving(torch.optim.AdamW):
    def __init__(self, params, lr=1e-3, how="good"):
        super().__init__(params, lr=lr)
        self.how, self.num_steps = how, 0

    def step(self, closure=None):
        self.num_steps += 1
        if self.num_steps == 3:
            getattr(self, self.how)()
        return super().step(closure)

    def good(self):
        pass

    def raises(self):
        raise KeyError("a bug of mine")

    def raises_anew(self):
        raise ValueError(f"bug {random.SystemRandom().random()}")

    def exits(self):
        sys.exit(3)

    def no_memory(self):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    def no_memory_once(self):
        if _first_time("memory"):
            raise MemoryError

    def hangs(self):
        while True:
            time.sleep(1000)

    def is_deaf_once(self):
        if _first_time("deaf"):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
            while True:
                time.sleep(1000)

def _first_time(name):
    mark = Path(f"{name}.mark")
    mark.write_text(mark.read_text() + "again" if mark.exists() else "once")
    return mark.read_text() == "once"
"""
HOW = "optimizer.args.how"
WAYS = ("good", "hangs", "is_deaf_once", "no_memory", "no_memory_once", "raises", "exits")
HUGE = 1e12


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all sweeps of this file compute once."""
    return tmp_path_factory.getbasetemp() / "sweeps-cache"


def _toy(
    folder: Path, cache: Path, starts: list[dict[str, object]], ways: tuple[str, ...], highest: float = 1e-2
) -> Toy:
    (folder / "my_optimizers.py").write_text(MISBEHAVING)
    given = {"class_path": "my_optimizers.Misbehaving", "lr": 2e-3, "args": {"how": ways[0]}}
    path = folder / "conf/optimizer/misbehaving.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(given))
    how = {HOW: f"tag(nominal,choice({','.join(ways)}))"} if len(ways) > 1 else {}
    return Toy(
        folder=folder,
        cache=cache,
        space={"optimizer.lr": f"tag(log,interval(1e-3,{highest}))", **how},
        settings={"start": starts, "lease": 12},
        overrides=("training.steps=6", "optimizer=misbehaving"),
        environment={"PYTHONPATH": str(folder)},
    )


@dataclass(kw_only=True)
class Ended:
    """Three sweeps that ran at the same time, since one of them sleeps for half a minute."""

    trials: list[TrialRecord]  # of the one with a trial of every kind
    printed: str
    alike: tuple[list[TrialRecord], str]  # all trials end in the same exception
    each: tuple[list[TrialRecord], str]  # each in its own


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Ended:
    """Three workers for the first one: two of its trials hang."""
    starts: list[dict[str, object]] = [{}, *({HOW: way} for way in WAYS[1:]), {"optimizer.lr": HUGE}]
    toys = (
        _toy(tmp_path_factory.mktemp("every"), cache, starts, WAYS, HUGE),
        _toy(tmp_path_factory.mktemp("alike"), cache, [{}], ("raises",)),
        _toy(tmp_path_factory.mktemp("each"), cache, [{}, {"optimizer.lr": 0.01}], ("raises_anew",)),
    )
    launcher = ("hydra/launcher=gpus", "hydra.launcher.slots=3")
    total = "hydra.sweeper.budget.trials"
    with (
        toys[0].started(*launcher, f"{total}={len(starts)}") as every,
        toys[1].started(f"{total}=8") as alike,
        toys[2].started(f"{total}=4") as each,
    ):
        printed = [every.ends(0), alike.ends(1), each.ends(1)]
    trials = [list(toy.read().trials) for toy in toys]
    assert [trial.number for trial in trials[0]] == list(range(len(starts)))
    assert [trial.params[HOW] for trial in trials[0]] == [*WAYS, "good"]
    return Ended(
        trials=trials[0], printed=printed[0], alike=(trials[1], printed[1]), each=(trials[2], printed[2])
    )


def test_the_good_one_completes_beside_all_others(ended: Ended) -> None:
    trials, printed = ended.trials, ended.printed
    assert trials[0].state is TrialState.complete and trials[0].restarts == 0
    weights_of(trials[0])
    assert f"of {len(trials)})  completed" in printed


def test_one_that_hangs_is_ended_after_its_lease_and_again_and_then_named(ended: Ended) -> None:
    trial = ended.trials[WAYS.index("hangs")]
    assert (trial.state, trial.outcome, trial.restarts) == (TrialState.failed, Outcome.failed, 1)
    assert trial.cause is not None
    assert trial.cause.startswith("no progress for 1") and trial.cause.endswith("for the second time")


def test_one_that_hears_no_signal_costs_its_process_and_is_gone_on_with_by_another(ended: Ended) -> None:
    trials, printed = ended.trials, ended.printed
    trial = trials[WAYS.index("is_deaf_once")]
    assert (trial.state, trial.restarts) == (TrialState.complete, 1)
    weights_of(trial)
    assert "this worker cannot be stopped and ends" in printed and "exit code 75" in printed


def test_out_of_memory_twice_is_pruned_with_a_broken_constraint(ended: Ended) -> None:
    trial = ended.trials[WAYS.index("no_memory")]
    assert (trial.state, trial.outcome) == (TrialState.pruned, Outcome.out_of_memory)
    assert dict(trial.constraints) == {"memory": 1.0} and not trial.feasible and not trial.values
    assert HALVED in trial.notes
    assert trial.cause is not None and trial.cause.startswith("CUDA out of memory. Tried to allocate 2 GiB")


def test_out_of_memory_once_completes_with_half_the_batch_and_twice_the_accumulation(ended: Ended) -> None:
    trial = ended.trials[WAYS.index("no_memory_once")]
    assert (trial.state, trial.outcome) == (TrialState.complete, Outcome.completed)
    assert trial.notes == (HALVED,) and trial.feasible
    assert {"dataset.batch_size=1", "training.gradient_accumulation=2"} <= set(
        trial.command.replace("'", "").split()
    )
    assert trial.command.startswith("python train.py ") and "sweep=" not in trial.command
    weights_of(trial)


def test_one_that_raises_and_one_that_exits_fail_with_what_they_said(ended: Ended) -> None:
    trials = ended.trials
    raised, left = trials[WAYS.index("raises")], trials[WAYS.index("exits")]
    assert (raised.state, raised.outcome) == (TrialState.failed, Outcome.failed)
    assert raised.cause == "KeyError: 'a bug of mine'"
    log = (raised.folder / "output.log").read_text()
    assert "Traceback" in log and 'raise KeyError("a bug of mine")' in log
    assert (left.state, left.outcome, left.cause) == (TrialState.failed, Outcome.failed, "SystemExit: 3")
    assert not raised.values and not left.values


def test_one_that_diverges_is_called_so_and_gives_no_number(ended: Ended) -> None:
    trial = ended.trials[-1]
    assert trial.params["optimizer.lr"] == HUGE
    assert (trial.state, trial.outcome) == (TrialState.failed, Outcome.diverged)
    assert trial.cause is not None and "Lower optimizer.lr" in trial.cause
    assert not trial.values and trial.steps_done < trial.total_steps


def test_the_same_exception_three_times_from_the_start_stops_with_its_traceback(ended: Ended) -> None:
    trials, printed = ended.alike
    assert [trial.cause for trial in trials] == ["KeyError: 'a bug of mine'"] * 3
    assert 'raise KeyError("a bug of mine")' in printed and "Traceback (most recent call last)" in printed
    assert "the first trials all ended alike" in printed


def test_where_every_trial_fails_in_its_own_way_a_sentence_and_exit_code_1_end_the_sweep(
    ended: Ended,
) -> None:
    trials, printed = ended.each
    causes = {trial.cause or "" for trial in trials}
    assert len(trials) == len(causes) == 4 and all(cause.startswith("ValueError: bug 0.") for cause in causes)
    assert "All 4 trials failed (4 failed)." in printed and "Traceback" not in printed
