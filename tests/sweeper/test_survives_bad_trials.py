"""Trials that diverge, run out of memory, raise, exit, hang: each is named, and the others go on."""

import json
from pathlib import Path

import pytest

from engine.config.outcome import Outcome
from sweeper.study.records import TrialRecord, TrialState
from sweeper.work.work_trial import HALVED
from tests.sweeper.real_sweeps import Toy, check_whole, weights_of

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


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> tuple[list[TrialRecord], str]:
    """One sweep with a trial of every kind; three workers, since two of its trials hang for a minute."""
    starts: list[dict[str, object]] = [{}, *({HOW: way} for way in WAYS[1:]), {"optimizer.lr": HUGE}]
    toy = _toy(tmp_path_factory.mktemp("bad"), cache, starts, WAYS, HUGE)
    printed = toy.run(
        "hydra/launcher=gpus",
        "hydra.launcher.slots=3",
        f"hydra.sweeper.budget.trials={len(starts)}",
    )
    record = toy.read()
    assert [trial.number for trial in record.trials] == list(range(len(starts)))
    assert [trial.params[HOW] for trial in record.trials] == [*WAYS, "good"]
    return list(record.trials), printed


def test_the_good_one_completes_beside_all_others(ended: tuple[list[TrialRecord], str]) -> None:
    trials, printed = ended
    assert trials[0].state is TrialState.complete and trials[0].restarts == 0
    weights_of(trials[0])
    assert f"of {len(trials)})  completed" in printed


def test_one_that_hangs_is_ended_after_its_lease_and_again_and_then_named(
    ended: tuple[list[TrialRecord], str],
) -> None:
    trial = ended[0][WAYS.index("hangs")]
    assert (trial.state, trial.outcome, trial.restarts) == (TrialState.failed, Outcome.failed, 1)
    assert trial.cause is not None
    assert trial.cause.startswith("no progress for 1") and trial.cause.endswith("for the second time")


def test_one_that_hears_no_signal_costs_its_process_and_is_gone_on_with_by_another(
    ended: tuple[list[TrialRecord], str],
) -> None:
    trials, printed = ended
    trial = trials[WAYS.index("is_deaf_once")]
    assert (trial.state, trial.restarts) == (TrialState.complete, 1)
    weights_of(trial)
    assert "this worker cannot be stopped and ends" in printed and "exit code 75" in printed


def test_out_of_memory_twice_is_pruned_with_a_broken_constraint(
    ended: tuple[list[TrialRecord], str],
) -> None:
    trial = ended[0][WAYS.index("no_memory")]
    assert (trial.state, trial.outcome) == (TrialState.pruned, Outcome.out_of_memory)
    assert dict(trial.constraints) == {"memory": 1.0} and not trial.feasible and not trial.values
    assert HALVED in trial.notes
    assert trial.cause is not None and trial.cause.startswith("CUDA out of memory. Tried to allocate 2 GiB")


def test_out_of_memory_once_completes_with_half_the_batch_and_twice_the_accumulation(
    ended: tuple[list[TrialRecord], str],
) -> None:
    trial = ended[0][WAYS.index("no_memory_once")]
    assert (trial.state, trial.outcome) == (TrialState.complete, Outcome.completed)
    assert trial.notes == (HALVED,) and trial.feasible
    assert {"dataset.batch_size=1", "training.gradient_accumulation=2"} <= set(
        trial.command.replace("'", "").split()
    )
    assert trial.command.startswith("python train.py ") and "sweep=" not in trial.command
    weights_of(trial)


def test_one_that_raises_and_one_that_exits_fail_with_what_they_said(
    ended: tuple[list[TrialRecord], str],
) -> None:
    trials, _ = ended
    raised, left = trials[WAYS.index("raises")], trials[WAYS.index("exits")]
    assert (raised.state, raised.outcome) == (TrialState.failed, Outcome.failed)
    assert raised.cause == "KeyError: 'a bug of mine'"
    log = (raised.folder / "output.log").read_text()
    assert "Traceback" in log and 'raise KeyError("a bug of mine")' in log
    assert (left.state, left.outcome, left.cause) == (TrialState.failed, Outcome.failed, "SystemExit: 3")
    assert not raised.values and not left.values


def test_one_that_diverges_is_called_so_and_gives_no_number(ended: tuple[list[TrialRecord], str]) -> None:
    trial = ended[0][-1]
    assert trial.params["optimizer.lr"] == HUGE
    assert (trial.state, trial.outcome) == (TrialState.failed, Outcome.diverged)
    assert trial.cause is not None and "Lower optimizer.lr" in trial.cause
    assert not trial.values and trial.steps_done < trial.total_steps


def test_the_same_exception_three_times_from_the_start_stops_with_its_traceback(
    tmp_path: Path, cache: Path
) -> None:
    toy = _toy(tmp_path, cache, [{}], ("raises",))
    printed = toy.run("hydra.sweeper.budget.trials=8", code=1)
    assert len(toy.read().trials) == 3
    assert 'raise KeyError("a bug of mine")' in printed and "Traceback (most recent call last)" in printed
    assert "the first trials all ended alike" in printed


def test_where_every_trial_fails_in_its_own_way_a_sentence_and_exit_code_1_end_the_sweep(
    tmp_path: Path, cache: Path
) -> None:
    toy = _toy(tmp_path, cache, [{}, {"optimizer.lr": 0.01}], ("raises_anew",))
    printed = toy.run("hydra.sweeper.budget.trials=4", code=1)
    causes = [trial.cause for trial in toy.read().trials]
    assert len(set(causes)) == 4 and all(cause and cause.startswith("ValueError: bug 0.") for cause in causes)
    assert "All 4 trials failed (4 failed)." in printed and "Traceback" not in printed
    (tmp_path / "my_optimizers.py").write_text(MISBEHAVING.replace("raise ValueError", "str"))
    toy.run("hydra.sweeper.budget.trials=6")  # mended: the same command goes on with the rest
    assert [trial.state for trial in toy.read().trials[4:]] == [TrialState.complete] * 2


def test_a_search_by_the_validation_loss_alone_needs_no_scored_pictures(tmp_path: Path, cache: Path) -> None:
    toy = Toy(
        folder=tmp_path,
        cache=cache,
        settings={"objectives": {"val_loss": "minimize"}},
        overrides=("training.steps=4", "evaluation.enabled=false"),
    )
    toy.run("hydra.sweeper.budget.trials=2")
    record = toy.read()
    check_whole(record, 2)
    assert all(0 < trial.values["val_loss"] < 1 for trial in record.trials)
