"""What a warm sweep saves: the trials of one process against as many separate commands of the same runs."""

import statistics
from pathlib import Path

from sweep_run import PLAIN
from sweep_study import searched_overrides, study_of, sweep_py, table, train_py


def measure_warm(folder: Path, *, size: str, rounds: int) -> str:
    """Both ways in turn, after one command that fills their common cache; a markdown table.

    Both train, draw and score the same runs, one after the other with one thread, without trackers.
    """
    trials, steps = (8, 20) if size == "full" else (2, 2)
    length = [f"training.steps={steps}", f"cache_dir={folder / 'cache'}"]
    preset = ["sampling=quick"] if size == "full" else ["sampling=quick", "sampling.num_prompts=2"]
    train_py(*PLAIN, *length, *preset, f"output_dir={folder / 'first'}", "network.rank=2")
    rows = []
    for number in range(rounds):
        study = f"warm{number}"
        swept = sweep_py(
            study,
            folder,
            "+sweep=quick",
            f"training.steps={steps}",
            *preset[1:],
            f"hydra.sweeper.budget.trials={trials}",
            "hydra.sweeper.confirm=null",
            "hydra.sweeper.prune=null",
        )
        settings = [searched_overrides(trial) for trial in study_of(study, folder).trials]
        assert len(settings) == trials, settings
        output = f"output_dir={folder / f'separate{number}'}"
        separate = sum(train_py(*PLAIN, *length, *preset, output, *chosen) for chosen in settings)
        rows.append((swept, separate))
    return _report(rows, trials, steps)


def _report(rows: list[tuple[float, float]], trials: int, steps: int) -> str:
    head = (f"{trials} trials of {steps} steps", "one sweep, s", "separate commands, s", "ratio")
    lines = [
        (f"round {number + 1}", f"{swept:.1f}", f"{separate:.1f}", f"{separate / swept:.2f}")
        for number, (swept, separate) in enumerate(rows)
    ]
    ratio = statistics.median(separate / swept for swept, separate in rows)
    return table(head, [*lines, ("median", "", "", f"{ratio:.2f}")])
