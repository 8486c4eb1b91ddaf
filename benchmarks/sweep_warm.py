"""What a warm sweep saves: the trials of one process against as many separate commands of the same runs."""

import statistics
from pathlib import Path

from sweep_study import Spent, plain, searched_overrides, study_of, sweep_py, table, train_py


def measure_warm(folder: Path, *, size: str, rounds: int, threads: int) -> str:
    """Both ways in turn, after one command that fills their common cache; a markdown table.

    Both train, draw and score the same runs, one after the other with as many threads, without trackers.
    """
    trials, steps = (8, 20) if size == "full" else (2, 2)
    length = [f"training.steps={steps}", f"cache_dir={folder / 'cache'}"]
    preset = ["sampling=quick"] if size == "full" else ["sampling=quick", "sampling.num_prompts=2"]
    train_py(*plain(threads), *length, *preset, f"output_dir={folder / 'first'}", "network.rank=2")
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
            threads=threads,
        )
        settings = [searched_overrides(trial) for trial in study_of(study, folder).trials]
        assert len(settings) == trials, settings
        output = f"output_dir={folder / f'separate{number}'}"
        each = [train_py(*plain(threads), *length, *preset, output, *chosen) for chosen in settings]
        separate = sum(each, start=Spent())
        rows.append((swept, separate))
    return _report(rows, trials, steps)


def _report(rows: list[tuple[Spent, Spent]], trials: int, steps: int) -> str:
    head = (f"{trials} trials of {steps} steps", "one sweep", "separate commands", "ratio")
    lines = []
    for number, (swept, separate) in enumerate(rows, start=1):
        clock, processor = separate.clock / swept.clock, separate.processor / swept.processor
        times = (f"{swept.clock:.1f} s", f"{separate.clock:.1f} s", f"{clock:.2f}")
        used = (f"{swept.processor:.1f} s", f"{separate.processor:.1f} s", f"{processor:.2f}")
        lines += [(f"round {number}, by the clock", *times), (f"round {number}, on the processor", *used)]
    ratio = statistics.median(separate.clock / swept.clock for swept, separate in rows)
    return table(head, [*lines, ("median, by the clock", "", "", f"{ratio:.2f}")])
