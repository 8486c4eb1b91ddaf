"""Builders of synthetic trials and studies with a known answer: only the learning rate matters much."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import exp, log10
from pathlib import Path

from engine.config.outcome import Outcome
from sweeper.config import Direction
from sweeper.study.records import Dimension, Phase, StudyRecord, TrialRecord, TrialScore, TrialState

FOLDER = Path("sweeps/toy")
STARTED = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SEARCH_PROMPTS = tuple(f"sks, scene {index}" for index in range(10))
CONFIRM_PROMPTS = tuple(f"sks, scene {index}" for index in range(10, 35))
ANCHORS = {"likeness": (0.55, 0.90)}  # metric -> base model, true pictures
DEFAULTS: Mapping[str, object] = {"network.rank": 16, "network.alpha_ratio": 1.0, "optimizer.lr": 1e-4}
BEST: Mapping[str, object] = {"network.rank": 16, "network.alpha_ratio": 1.0, "optimizer.lr": 3e-3}
DIMENSIONS = (
    Dimension(key="network.rank", choices=(4, 8, 16, 32, 64), ordered=True),
    Dimension(key="network.alpha_ratio", choices=(0.25, 0.5, 1.0, 2.0), ordered=True),
    Dimension(key="optimizer.lr", low=1e-5, high=1e-2, log=True),
)
STATES = {
    Outcome.completed: TrialState.complete,
    Outcome.pruned: TrialState.pruned,
    Outcome.out_of_memory: TrialState.pruned,
    Outcome.diverged: TrialState.failed,
    Outcome.failed: TrialState.failed,
    Outcome.interrupted: TrialState.waiting,
}


def toy_trial(
    number: int,
    values: Mapping[str, float] | None = None,
    *,
    params: Mapping[str, object] | None = None,
    outcome: Outcome | None = Outcome.completed,
    constraints: Mapping[str, float] | None = None,
    cause: str | None = None,
) -> TrialRecord:
    """A search trial of seed 42 that came to `values`; without a completed outcome the values are dropped."""
    settings = dict(DEFAULTS if params is None else params)
    is_complete = outcome is Outcome.completed
    own = dict(values or {"likeness": 0.6}) if is_complete else {}
    done = 150 if is_complete else 50
    started = STARTED + timedelta(minutes=number)
    overrides = tuple(f"{key}={value}" for key, value in settings.items())
    return TrialRecord(
        number=number,
        phase=Phase.search,
        state=STATES[outcome] if outcome else TrialState.running,
        folder=FOLDER / "trials" / f"{number:04d}",
        params=settings,
        command=" ".join(("python train.py", *overrides, "training.threads=1 training.device=cpu")),
        overrides=(*overrides, "training.threads=1", "training.device=cpu"),
        run_id=f"{number:08x}",
        seed=42,
        outcome=outcome,
        cause=cause,
        values=own,
        constraints=dict(constraints or {}),
        scores={metric: toy_score(metric, value) for metric, value in own.items()},
        prompt_values={
            metric: toy_prompts(value, SEARCH_PROMPTS, f"{number} {metric}") for metric, value in own.items()
        },
        reports=[(step, toy_signal(own, step, number)) for step in range(25, done + 1, 25)],
        steps_done=done,
        total_steps=150,
        seconds=30.0 * done / 150,
        step_seconds=0.2,
        peak_memory_bytes=400_000_000,
        weights=FOLDER / "trials" / f"{number:04d}" / "toy.safetensors" if is_complete else None,
        weights_sha256=f"{number:064x}" if is_complete else None,
        worker="host:1234",
        started=started,
        ended=started + timedelta(seconds=30.0 * done / 150) if outcome else None,
    )


def toy_confirmation(
    number: int,
    of: int,
    seed: int,
    *,
    values: Mapping[str, float] | None,
    params: Mapping[str, object] | None = None,
) -> TrialRecord:
    """Trial `of` trained again with a fresh seed; values None = not started yet."""
    from dataclasses import replace

    made = toy_trial(number, values, params=params, outcome=Outcome.completed if values else None)
    prompts = {
        metric: toy_prompts(value, CONFIRM_PROMPTS, f"{of} {seed} {metric}")
        for metric, value in (values or {}).items()
    }
    folder = FOLDER / "confirm" / f"{number:04d}"
    state = TrialState.complete if values else TrialState.waiting
    weights = folder / "toy.safetensors" if values else None
    return replace(
        made,
        phase=Phase.confirm,
        state=state,
        folder=folder,
        of=of,
        seed=seed,
        prompt_values=prompts,
        weights=weights,
    )


def toy_score(metric: str, value: float) -> TrialScore:
    """A score of ten prompts; anchored where ANCHORS knows the metric, else of a base at 0.5."""
    if metric not in ANCHORS:
        return TrialScore(value=value, spread=0.02, n=20, base=0.5)
    base, real = ANCHORS[metric]
    anchored = (value - base) / (real - base)
    return TrialScore(value=value, spread=0.02, n=20, base=base, real=real, anchored=anchored)


def toy_prompts(mean: float, prompts: Sequence[str], noise: str) -> dict[str, float]:
    """Values of prompts of exactly this mean: a part that all trials share, and a small one of its own."""
    own = random.Random(noise)
    raw = [0.05 * random.Random(prompt).gauss(0, 1) + 0.005 * own.gauss(0, 1) for prompt in prompts]
    shift = mean - sum(raw) / len(raw)
    return {prompt: value + shift for prompt, value in zip(prompts, raw, strict=True)}


def toy_signal(values: Mapping[str, float], step: int, number: int) -> float:
    """A validation loss that falls with the steps, further where likeness comes out higher."""
    goal = 0.2 - 0.1 * values.get("likeness", 0.5)
    return goal + 0.1 * exp(-step / 50) + 0.0005 * random.Random(f"{number} {step}").gauss(0, 1)


def toy_likeness(params: Mapping[str, object]) -> float:
    """0.60 at the defaults' learning rate of 1e-4, 0.77 at the best of 3e-3; the rank adds at most 0.006."""
    distance = log10(float(str(params["optimizer.lr"]))) - log10(3e-3)
    rank = {4: -0.006, 8: -0.003, 16: 0.0, 32: 0.001, 64: 0.0}[int(str(params["network.rank"]))]
    return round(0.77 - 0.17 * min(1.5, (distance / log10(30)) ** 2) + rank, 6)


def toy_study(
    trials: Sequence[TrialRecord],
    *,
    confirmations: Sequence[TrialRecord] = (),
    objectives: Mapping[str, Direction] | None = None,
    constraints: Mapping[str, str] | None = None,
    winner: str = "harmonic",
) -> StudyRecord:
    """A study that ended after these trials."""
    return StudyRecord(
        name="toy",
        folder=FOLDER,
        storage="journal",
        command="python train.py --multirun +sweep=toy",
        objectives=dict(objectives or {"likeness": Direction.maximize}),
        constraints=dict(constraints or {}),
        dimensions=DIMENSIONS,
        trials=tuple(trials),
        confirmations=tuple(confirmations),
        winner=winner,
        num_trials=len(trials),
        num_confirmations=len(confirmations),
        budget={"trials": len(trials) + len(confirmations)},
        defaults=DEFAULTS,
        created=STARTED,
        stopped=f"{len(trials)} of {len(trials)} trials",
        is_demo=True,
        device="cpu",
        threads=1,
    )


def lr_study(num_trials: int = 18, *, num_objectives: int = 2) -> StudyRecord:
    """A whole sweep: trial 0 = the defaults, trial 7 = the best, 3 pruned, 1 diverged, 6 confirmations.

    num_objectives  1: likeness alone; 2: adherence too, which cannot be anchored, as on the demo
    """
    names = ("likeness", "adherence")[:num_objectives]
    trials = [_drawn_trial(number, names) for number in range(num_trials)]
    runs = [(7, seed) for seed in (1001, 1002, 1003)] + [(0, seed) for seed in (1001, 1002, 1003)]
    likeness = {7: {1001: 0.75, 1002: 0.76, 1003: 0.77}, 0: {1001: 0.58, 1002: 0.595, 1003: 0.595}}
    confirmations = [
        toy_confirmation(
            place,
            of,
            seed,
            values=_named(names, likeness[of][seed], 0.5),
            params=BEST if of == 7 else DEFAULTS,
        )
        for place, (of, seed) in enumerate(runs)
    ]
    objectives = dict.fromkeys(names, Direction.maximize)
    return toy_study(trials, confirmations=confirmations, objectives=objectives)


def _drawn_trial(number: int, names: Sequence[str]) -> TrialRecord:
    draw = random.Random(f"trial {number}")
    params: Mapping[str, object] = {
        "network.rank": draw.choice((4, 8, 16, 32, 64)),
        "network.alpha_ratio": draw.choice((0.25, 0.5, 1.0, 2.0)),
        "optimizer.lr": float(f"{10 ** draw.uniform(-4.5, -2.55):.3g}"),
    }
    params = {0: DEFAULTS, 7: BEST}.get(number, params)
    if number in (5, 9, 13):
        return toy_trial(number, params=params, outcome=Outcome.pruned, cause="pruned at step 50 of 150")
    if number == 11:
        lost = {**params, "optimizer.lr": 1e-2}
        return toy_trial(number, params=lost, outcome=Outcome.diverged, cause="the loss was NaN at step 50")
    values = _named(names, toy_likeness(params), 0.5 + 0.004 * draw.gauss(0, 1))
    return toy_trial(number, values, params=params)


def _named(names: Sequence[str], likeness: float, adherence: float) -> dict[str, float]:
    return {name: {"likeness": likeness, "adherence": adherence}[name] for name in names}
