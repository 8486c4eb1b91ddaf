"""What the study itself costs: a claim with its settings drawn by TPE, and an end told, at many trials."""

import math
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from sweep_study import table

if TYPE_CHECKING:
    import optuna

    from sweeper.space.space import Space
    from sweeper.study.claim import Claim, TrialQueue
    from sweeper.study.folder import StudyFolder
    from sweeper.study.pruning import Judge
    from sweeper.study.records import TrialRecord

_PROMPTS = 14  # of a trial's pictures: as many values are kept for each objective
_LAST = 50  # trials at the end of which the medians are taken


@dataclass(kw_only=True, slots=True, frozen=True)
class Times:
    """Seconds of one trial's part in the study."""

    ask: float  # the lock, the count, the claim
    draw: float  # rank x alpha ratio x learning rate x noise offset, by TPE
    save: float  # what the trial is, before it starts
    report: float  # eight reports, each with a question to the pruner
    tell: float


def measure_ask(*, trials: int) -> str:
    """A study of so many trials in a journal, made by the worker's own calls without a training."""
    with tempfile.TemporaryDirectory() as folder:
        times = _fill(Path(folder) / "study", trials)
    places = [place for place in (20, 100, trials) if place <= trials]
    rows = []
    for place in places:
        last = times[max(0, place - _LAST) : place]
        parts = [statistics.median(getattr(one, name) for one in last) for name in Times.__dataclass_fields__]
        both = statistics.median(one.ask + one.draw + one.tell for one in last)
        rows.append((f"{place}", *(f"{part * 1e3:.1f}" for part in parts), f"{both * 1e3:.1f}"))
    head = ("trials", "ask, ms", "draw", "save", "8 reports", "tell", "ask + draw + tell")
    return table(head, rows)


def _fill(folder: Path, trials: int) -> list[Times]:
    from sweeper.config import Direction, PruneConfig, PrunerConfig, PrunerKind, SweeperConfig
    from sweeper.space.reading import read_space
    from sweeper.study.budget import Budget
    from sweeper.study.claim import Claim, TrialQueue
    from sweeper.study.folder import StudyFolder
    from sweeper.study.pruning import Judge, build_pruner
    from sweeper.study.records import Phase

    params = {
        "network.rank": "choice(2,4,8,16,32,64)",
        "network.alpha_ratio": "choice(0.25,0.5,1,2)",
        "optimizer.lr": "tag(log,interval(1e-4,1e-2))",
        "noise.offset": "interval(0,0.1)",
    }
    space = read_space(SweeperConfig(params=params), [], {})
    place = StudyFolder(folder)
    place.make()
    study = _study(place, space, trials)
    budget = Budget(trials=trials)
    queue = TrialQueue(study, place, phase=Phase.search, budget=budget, lease=900)
    judge = Judge(
        study, build_pruner(PrunerConfig(kind=PrunerKind.asha), PruneConfig(min=10), 90), Direction.minimize
    )
    times: list[Times] = []
    while True:
        start = time.perf_counter()
        claim = queue.next_trial()
        if not isinstance(claim, Claim):
            return times
        times.append(_one(queue, judge, claim, space, asked=time.perf_counter() - start))


def _study(folder: "StudyFolder", space: "Space", trials: int) -> "optuna.Study":
    import optuna

    from sweeper.config import SamplerConfig
    from sweeper.study.samplers import build_sampler
    from sweeper.study.storage import open_storage

    sampler = build_sampler(SamplerConfig(), space.dimensions, num_trials=trials, num_objectives=1)
    storage = open_storage("journal", folder)
    study = optuna.create_study(study_name="ask", storage=storage, direction="maximize", sampler=sampler)
    study.set_metric_names(["likeness"])
    return study


def _one(queue: "TrialQueue", judge: "Judge", claim: "Claim", space: "Space", *, asked: float) -> Times:
    """What a worker does with the study for one trial; a third of the trials is pruned at the first rung."""
    from sweeper.space.suggest import suggest

    clock = [time.perf_counter()]
    settings = suggest(claim.trial, space, lambda key, settings: "")
    clock.append(time.perf_counter())
    record = replace(claim.record, params=settings, run_id=f"{claim.number:08x}", seed=0, total_steps=90)
    assert queue.save(claim, record)
    clock.append(time.perf_counter())
    quality = _quality(settings)
    stopped = any(
        judge.report_and_ask(claim.trial, step, 1 - quality + 1 / step, total_steps=90)
        for step in range(10, 90, 10)
    )
    clock.append(time.perf_counter())
    assert queue.tell(claim, _ended(record, quality, stopped=stopped))
    clock.append(time.perf_counter())
    draw, save, report, tell = (after - before for before, after in pairwise(clock))
    return Times(ask=asked, draw=draw, save=save, report=report, tell=tell)


def _quality(settings: Mapping[str, object]) -> float:
    """Best at a learning rate of 3e-3 and a high rank; what it is does not matter here."""
    lr, rank = float(str(settings["optimizer.lr"])), float(str(settings["network.rank"]))
    return 0.9 - 0.05 * abs(math.log10(lr / 3e-3)) - 0.1 / rank


def _ended(record: "TrialRecord", quality: float, *, stopped: bool) -> "TrialRecord":
    """Facts as large as those of a real trial: scores, a value a prompt, its command."""
    from engine.config.outcome import Outcome
    from sweeper.study.records import TrialScore, TrialState

    if stopped:
        return replace(record, state=TrialState.pruned, outcome=Outcome.pruned, steps_done=10)
    names = ("likeness", "adherence", "preservation", "diversity", "health", "val_loss")
    score = TrialScore(value=quality, spread=0.02, n=_PROMPTS * 2, base=0.65, real=0.96, anchored=0.5)
    by_prompt = {f"a photo of sks thing, number {place} of them": quality for place in range(_PROMPTS)}
    overrides = tuple(f"some.option_{place}=0.123456789" for place in range(12))
    return replace(
        record,
        state=TrialState.complete,
        outcome=Outcome.completed,
        values={"likeness": quality},
        scores=dict.fromkeys(names, score),
        prompt_values={"likeness": by_prompt},
        overrides=overrides,
        command=f"python train.py {' '.join(overrides)}",
        steps_done=90,
        weights_sha256="0" * 64,
    )
