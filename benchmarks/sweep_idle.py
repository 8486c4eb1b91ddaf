"""How long workers wait: four of them on one sweep with pruning, in slots of this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep_plain import space_arguments
from sweep_study import all_trials, study_of, sweep_py, table


@dataclass(kw_only=True, slots=True, frozen=True)
class Stretch:
    """A worker at work on a trial; seconds since 1970."""

    worker: str
    began: float
    ended: float


def measure_idle(folder: Path, *, size: str, workers: int, trials: int) -> str:
    """One sweep with asha and confirmations; a markdown table of the workers' time.

    Idle is what is not between the claim of a trial and its told end: asking, writing pages, waiting at the
    end of the search for what is to be confirmed, and waiting for the slowest at the very end.
    """
    steps = 60 if size == "full" else 6
    study = f"idle{workers}"
    pictures = ["sampling=sweep"] if size == "full" else ["sampling=quick", "sampling.num_prompts=2"]
    sweep_py(
        study,
        folder,
        *space_arguments(),
        *pictures,
        "hydra/launcher=gpus",
        f"hydra.launcher.slots={workers}",
        "+hydra.sweeper.objectives={likeness:maximize}",
        f"hydra.sweeper.budget.trials={trials}",
        f"hydra.sweeper.prune.min={steps // 6}",
        f"training.steps={steps}",
        f"training.validate_every={steps // 6}",
    )
    record = study_of(study, folder)
    search, both = (
        [
            Stretch(
                worker=trial.worker or "?", began=trial.started.timestamp(), ended=trial.ended.timestamp()
            )
            for trial in trials
            if trial.started and trial.ended
        ]
        for trials in (record.trials, all_trials(record))
    )
    num_pruned = sum(trial.steps_done < trial.total_steps for trial in record.trials)
    head = (
        f"{workers} workers, {len(search)} + {len(both) - len(search)} trials, {num_pruned} pruned",
        "idle",
    )
    started_last = max(stretch.began for stretch in search)
    return table(
        head,
        [
            ("search, until its last trial starts", f"{idle_share(search, workers, until=started_last):.1%}"),
            ("search, until its last trial ends", f"{idle_share(search, workers):.1%}"),
            ("with confirmations, to the end", f"{idle_share(both, workers):.1%}"),
        ],
    )


def idle_share(stretches: Sequence[Stretch], workers: int, *, until: float | None = None) -> float:
    """The part of the workers' time, from the first claim on, in which they had no trial."""
    first = min(stretch.began for stretch in stretches)
    last = max(stretch.ended for stretch in stretches) if until is None else until
    busy = sum(max(0.0, min(stretch.ended, last) - stretch.began) for stretch in stretches)
    return 1 - busy / (workers * (last - first)) if last > first else 0.0
