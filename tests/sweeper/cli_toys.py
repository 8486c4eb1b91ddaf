"""Studies for python -m sweeper, made without any training, and what its commands say of them."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from study_toys import open_study, queue_of

from engine.config.outcome import Outcome
from sweeper.__main__ import main
from sweeper.config import Direction
from sweeper.study.claim import Claim, TrialQueue
from sweeper.study.folder import StudyFile, StudyFolder
from sweeper.study.records import Dimension, TrialRecord, TrialScore, TrialState

ENDS = {
    Outcome.completed: TrialState.complete,
    Outcome.failed: TrialState.failed,
    Outcome.diverged: TrialState.failed,
    Outcome.out_of_memory: TrialState.pruned,
}
Capture = pytest.CaptureFixture[str]


def make_study(
    root: Path, outcomes: list[Outcome], *, trials: int = 4, url: str = "journal"
) -> tuple[optuna.Study, StudyFolder]:
    """A study `toy` of one key x whose trials ended so; the value of a complete one is its number / 10."""
    study, folder = open_study(root / "toy", url)
    study.set_metric_names(["score"])
    file = StudyFile(
        name="toy",
        storage=url,
        command="python train.py --multirun +sweep=toy",
        objectives={"score": Direction.maximize},
        dimensions=(Dimension(key="x", low=0.0, high=1.0),),
        num_trials=trials,
        budget={"trials": trials},
        defaults={"x": 0.5},
        created=None,
    )
    folder.write(file)
    queue = queue_of(study, folder, trials=trials)
    for outcome in outcomes:
        claim = queue.next_trial()
        assert isinstance(claim, Claim)
        x = claim.trial.suggest_float("x", 0, 1)
        claim.trial.set_user_attr("settings", {"x": x})
        assert queue.tell(claim, ended(claim, outcome, x))
    return study, folder


def ended(claim: Claim, outcome: Outcome, x: float) -> TrialRecord:
    claim.record.folder.mkdir(parents=True, exist_ok=True)
    value = claim.number / 10
    is_complete = outcome is Outcome.completed
    weights = claim.record.folder / "toy.safetensors"
    if is_complete:
        weights.write_bytes(b"weights of %d" % claim.number)
    return replace(
        claim.record,
        state=ENDS[outcome],
        outcome=outcome,
        cause=None if is_complete else f"{outcome.value} on purpose",
        params={"x": x},
        command=f"python train.py x={x}",
        values={"score": value} if is_complete else {},
        scores={"score": TrialScore(value=value, n=4)} if is_complete else {},
        weights=weights if is_complete else None,
    )


def claimed(queue: TrialQueue) -> Claim:
    found = queue.next_trial()
    assert isinstance(found, Claim)
    return found


def refusal(words: list[str], capsys: Capture) -> str:
    """What is printed to standard error by a command that cannot be done."""
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def said(words: list[str], capsys: Capture, code: int = 0) -> str:
    """What is printed to standard output, on one line."""
    assert main(words) == code
    return " ".join(capsys.readouterr().out.split())
