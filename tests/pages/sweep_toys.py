"""Toy sweeps for the tests of the report: few and many trials, objectives, conditional keys, nothing."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from pages.gallery_data import LOWER, Change, Number
from pages.sweep_data import (
    COMPLETE,
    DEFAULT,
    FAILED,
    PRUNED,
    WINNER,
    SheetPicture,
    SheetRow,
    SignalRow,
    SweepConfirmed,
    SweepDimension,
    SweepImportances,
    SweepMeasure,
    SweepObjective,
    SweepPage,
    SweepPruning,
    SweepSetting,
    SweepSheet,
    SweepTrial,
    SweepValue,
    SweepWinner,
)

EVIL = "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'>\"&"
LIKENESS = SweepObjective(name="likeness", title="likeness", base=0.55, real=0.9)
ADHERENCE = SweepObjective(name="adherence", title="adherence", base=0.31)
COPIES = SweepObjective(name="memorisation", title="memorisation", direction=LOWER, base=0.1, real=0.2)
OBJECTIVES = (LIKENESS, ADHERENCE, COPIES)
RANKS = (4, 8, 16, 32, 64)
WINNING, STOPPED, LOST = 7, (5, 9, 13), 11  # numbers of trials
PROMPTS = ("sks cat on a sofa", "sks cat in the rain, evening light, a long prompt that takes several lines")


def number(value: float, text: str | None = None) -> SweepValue:
    """A numeric setting."""
    return SweepValue(text=text or f"{value:.3g}", number=float(value))


def word(text: str) -> SweepValue:
    """A setting that is no number."""
    return SweepValue(text=text)


RANK = SweepDimension(key="network.rank", label="rank", choices=[number(rank) for rank in RANKS])
RATE = SweepDimension(key="optimizer.lr", label="lr", low=1e-5, high=1e-2, is_log=True)
OPTIMIZER = SweepDimension(
    key="optimizer", label="optimizer", choices=[word("adamw"), word("prodigy"), word(EVIL)]
)
GROWTH = SweepDimension(
    key="optimizer.args.d_coef", label="d_coef", low=0.1, high=3.0, is_log=True, when="optimizer=prodigy"
)
NOISE = SweepDimension(key="noise.offset", label="offset", low=0.0, high=0.12)
DIMENSIONS = (RANK, RATE, OPTIMIZER, GROWTH, NOISE)


def sweep(
    count: int = 18, *, num_objectives: int = 1, folder: Path | None = None, plain: bool = False
) -> SweepPage:
    """A sweep whose trial 7 is the best, 0 the default; 5, 9, 13 were stopped, 11 diverged.

    folder  where toy pictures are drawn; None: none
    plain   without what a stranger could write: markup, long words, other scripts
    """
    objectives = OBJECTIVES[:num_objectives]
    dimensions = DIMENSIONS if not plain else (RANK, RATE, NOISE)
    trials = [_trial(place, objectives, dimensions, plain) for place in range(count)]
    known = sorted((t for t in trials if t.values), key=lambda t: -t.values["likeness"])
    ranks = {trial.number: place for place, trial in enumerate(known, start=1)}
    trials = [replace(trial, rank=ranks.get(trial.number)) for trial in trials]
    return SweepPage(
        title="cat-lora" if plain else f"cat {EVIL} 猫 🐈",
        sentence="rank 16, lr 3e-3, offset 0.05 beats the declared default (rank 16, lr 1e-4, offset 0) by "
        "0.170 ± 0.021 likeness over 3 seeds, mostly the learning rate (61 %).",
        tone="good",
        verdict="beats the default",
        details=["likeness +0.170 ± 0.021 over 3 seeds: better", "3 of 18 trials pruned: 14 min saved"],
        ran=[
            ("Trials", f"{count}: {count - 4} completed, 3 pruned, 1 diverged"),
            ("Confirmation runs", "6 of 6"),
            ("Time of all runs", "13 min 20 s"),
            ("GPU time", "none"),
            ("Workers", "4"),
        ],
        notices=["val_loss ranked the trials badly (rank correlation 0.12 with likeness over 14 trials)."],
        winner=_winner(objectives, dimensions) if count > WINNING else None,
        objectives=objectives,
        dimensions=dimensions,
        trials=trials,
        importances=[_importances(objective, dimensions) for objective in objectives],
        sheet=_sheet(folder, trials) if folder else SweepSheet(),
        pruning=SweepPruning(
            signal="val_loss",
            rule="Pruner: asha.",
            stopped=[(trial.number, trial.steps_done) for trial in trials if trial.state == PRUNED],
            saved_steps=300,
            saved_seconds=840.0,
            share_of_steps=0.11,
            checks=_checks(objectives),
        ),
        confirmed=_confirmed(objectives) if count > WINNING else [],
        facts=[("Command", "python train.py --multirun +sweep=lora dataset.path=cats/"), ("Sampler", "tpe")],
    )


def bare(trials: Sequence[SweepTrial] = (), **changes: object) -> SweepPage:
    """A study without a winner: nothing searched, nothing measured but what is given."""
    page = SweepPage(title="bare", sentence="No trial has ended yet.", objectives=[LIKENESS], trials=trials)
    return replace(page, **changes)  # type: ignore[arg-type]  # a test names the page's own fields


def lost_trial(place: int, cause: str = "the loss was NaN at step 50") -> SweepTrial:
    """A trial that diverged."""
    return SweepTrial(number=place, state=FAILED, outcome="diverged", cause=cause, steps_done=50)


def _trial(
    place: int,
    objectives: Sequence[SweepObjective],
    dimensions: Sequence[SweepDimension],
    plain: bool,
) -> SweepTrial:
    draw = random.Random(place)
    rank, rate = draw.choice(RANKS), 10 ** draw.uniform(-4.8, -2.1)
    rank, rate = {0: (16, 1e-4), WINNING: (16, 3e-3)}.get(place, (rank, rate))
    optimizer = "adamw" if place in (0, WINNING) else draw.choice(["adamw", "prodigy", EVIL])
    settings = {"network.rank": number(rank), "optimizer.lr": number(rate)}
    settings["noise.offset"] = number(0.0 if place == 0 else round(draw.uniform(0, 0.12), 3))
    if OPTIMIZER in dimensions:
        settings["optimizer"] = word(optimizer)
        if optimizer == "prodigy":
            settings["optimizer.args.d_coef"] = number(10 ** draw.uniform(-1, 0.4))
    distance = math.log10(rate / 3e-3) / math.log10(30)
    likeness = 0.77 - 0.17 * min(1.4, distance**2) + 0.006 * draw.gauss(0, 1) * (place not in (0, WINNING))
    values = {
        "likeness": likeness if place != WINNING else 0.785,
        "adherence": 0.36 - 0.2 * (likeness - 0.6) + 0.01 * draw.gauss(0, 1),
        "memorisation": max(0.0, 0.1 + 0.4 * (likeness - 0.5) + 0.03 * draw.gauss(0, 1)),
    }
    state = PRUNED if place in STOPPED else FAILED if place == LOST else COMPLETE
    done = 150 if state == COMPLETE else 50
    reports = [
        (step, 0.2 - 0.08 * likeness + 0.1 * math.exp(-step / 50) + 0.001 * draw.gauss(0, 1))
        for step in range(25, done + 1, 25)
    ]
    return SweepTrial(
        number=place,
        state=state,
        outcome={COMPLETE: "completed", PRUNED: "pruned", FAILED: "diverged"}[state],
        cause={COMPLETE: "", PRUNED: "stopped at step 50 of 150", FAILED: "the loss was NaN at step 50"}[
            state
        ]
        + ("" if plain or state != FAILED else f" {EVIL} " + "x" * 300),
        link=f"trials/{place:04d}/index.html",
        settings={
            dimension.key: settings[dimension.key] for dimension in dimensions if dimension.key in settings
        },
        values={one.name: values[one.name] for one in objectives} if state == COMPLETE else {},
        spreads={one.name: 0.012 for one in objectives} if state == COMPLETE else {},
        is_front=len(objectives) > 1 and place in (0, WINNING),
        roles=[DEFAULT] if place == 0 else [WINNER] if place == WINNING else [],
        steps_done=done,
        total_steps=150,
        seconds=30.0 * done / 150 + draw.random(),
        reports=reports,
        notes=["batch halved after out of memory"] if place == 3 else [],
    )


def _winner(objectives: Sequence[SweepObjective], dimensions: Sequence[SweepDimension]) -> SweepWinner:
    own = {"network.rank": "16", "optimizer.lr": "3e-3", "optimizer": "adamw", "noise.offset": "0.05"}
    default = {**own, "optimizer.lr": "1e-4", "noise.offset": "0"}
    searched = [dimension.key for dimension in dimensions if dimension.key in own]
    numbers = {
        "likeness": (0.76, 0.59, 0.02),
        "adherence": (0.33, 0.345, 0.02),
        "memorisation": (0.2, 0.14, 0.03),
    }
    measures = [
        SweepMeasure(
            objective=one.name,
            winner=Number(value=numbers[one.name][0], spread=numbers[one.name][2], n=3),
            default=Number(value=numbers[one.name][1], spread=0.015, n=3),
            change=Change(
                value=numbers[one.name][0] - numbers[one.name][1],
                low=numbers[one.name][0] - numbers[one.name][1] - 0.021,
                high=numbers[one.name][0] - numbers[one.name][1] + 0.021,
                verdict={"likeness": "better", "adherence": "within_noise"}.get(one.name, "worse"),
            ),
            base=one.base,
            real=one.real,
        )
        for one in objectives
    ]
    return SweepWinner(
        number=WINNING,
        link="trials/0007/index.html",
        sentence="Chosen by the highest mean likeness of its confirmation runs.",
        settings=[SweepSetting(key=key, value=own[key], default=default[key]) for key in searched],
        measures=measures,
        numbers_of="Mean of 3 fresh training seeds; ± is half of a 95 % interval.",
        command="python train.py network.rank=16 optimizer.lr=0.003 noise.offset=0.05 dataset.path=cats/ "
        "training.threads=1 training.device=cpu",
        experiment="python train.py +experiment=cat-lora-best dataset.path=photos/",
        files=[("LoRA file", "cat-lora-best.safetensors"), ("its settings", "best.yaml")],
    )


def _importances(objective: SweepObjective, dimensions: Sequence[SweepDimension]) -> SweepImportances:
    shares = dict(
        zip(["lr", "rank", "offset", "optimizer", "d_coef"], [0.61, 0.3, 0.08, 0.008, 0.002], strict=True)
    )
    labels = {dimension.label for dimension in dimensions}
    return SweepImportances(
        title=f"Of {objective.title}",
        shares={label: share for label, share in shares.items() if label in labels},
        num_trials=14,
    )


def _checks(objectives: Sequence[SweepObjective]) -> list[SignalRow]:
    return [
        SignalRow(objective=one.title, step=step, correlation=value, n=14, is_last=step == 150)
        for one in objectives
        for step, value in ((50, 0.45), (100, -0.12), (150, 0.83))
    ]


def _confirmed(objectives: Sequence[SweepObjective]) -> list[SweepConfirmed]:
    def one(of: int, mean: float, changes: dict[str, Change]) -> SweepConfirmed:
        return SweepConfirmed(
            of=of,
            settings="rank 16, lr 3e-3, offset 0.05" if of else "rank 16, lr 1e-4, offset 0",
            roles=[WINNER] if of else [DEFAULT],
            seeds=[1001, 1002, 1003],
            values={objective.name: [mean - 0.01, mean, mean + 0.01] for objective in objectives},
            numbers={objective.name: Number(value=mean, spread=0.025, n=3) for objective in objectives},
            changes=changes,
            optimism={objective.name: 0.015 for objective in objectives} if of else {},
            links=[("seed 1001", f"confirm/{of:04d}/index.html")],
        )

    change = Change(value=0.17, low=0.149, high=0.191, verdict="better")
    return [one(WINNING, 0.76, {objective.name: change for objective in objectives}), one(0, 0.59, {})]


def _sheet(folder: Path, trials: Sequence[SweepTrial]) -> SweepSheet:
    ordered = sorted((t for t in trials if t.rank), key=lambda trial: trial.rank or 0)
    measured = [("base model", None, (120, 120, 120)), ("true pictures", None, (40, 160, 90))]
    rows = [
        (f"trial {t.number}", t.number, (60 + 4 * (t.number % 40), 90, 200 - 3 * (t.number % 60)))
        for t in ordered
    ]
    made = [
        SheetRow(
            title=title,
            note="rank 16, lr 3e-3, offset 0.05" if place is not None else "",
            number=place,
            link=f"trials/{place:04d}/index.html" if place is not None else None,
            pictures={
                prompt: SheetPicture(
                    path=_picture(folder, f"{title} {at}", colour),
                    link=f"trials/{place}.png",
                    score=None if place is None else 0.7 + at / 10,
                )
                for at, prompt in enumerate(PROMPTS)
            },
        )
        for title, place, colour in [*rows[:1], *measured, *rows[1:]]
    ]
    return SweepSheet(prompts=PROMPTS, rows=made, score="likeness")


def _picture(folder: Path, name: str, colour: tuple[int, int, int]) -> Path:
    path = folder / f"{name}.png"
    if not path.is_file():
        Image.new("RGB", (64, 64), colour).save(path)
    return path
