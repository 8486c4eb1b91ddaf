"""What searches find for an eighth of the grid's training steps: ours, at random, and the stock settings."""

import csv
import multiprocessing
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from sweep_grid import Settings as GridSettings
from sweep_grid import number, read_table, runs_of
from sweep_judge import DEFAULT, Judged, candidates, judge_all
from sweep_judge import Settings as JudgeSettings
from sweep_plain import Found, search_plainly, space_arguments
from sweep_study import all_trials, searched_overrides, study_of, sweep_py, table

TABLE = Path(__file__).with_name("sweep_quality.csv")
WAYS = ("ours", "random", "stock")
PART = 8  # of the grid's steps that a search may have
# Of ours, search and confirmations. How many steps they make is the pruner's to say; a
# study that comes to more than an eighth of the grid is made anew with fewer.
TRIALS = (22, 20)
CONFIRMATIONS, SEEDS_OF_EACH = 4, 2  # of the best of the search, and of the default


def measure_quality(folder: Path, *, size: str, seeds: int, processes: int, ways: Sequence[str]) -> str:
    """Search with each seed in each way, judge what was found; a markdown table of gains.

    The gain is that of the settings that a search names the best, trained again with three seeds that
    nobody used and scored on sampling=confirm, beyond the base; a share of 1 is that of the best of the
    grid's best three, judged the same way. What a search itself saw plays no part.
    """
    budget = grid_steps() // PART if size == "full" else 12
    tasks = [(way, seed, budget, folder, size) for way in ways for seed in range(seeds)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        found = pool.starmap(search, tasks, chunksize=1)
    named = dict(candidates(Path(GridSettings().table), 3 if size == "full" else 1))
    settings = JudgeSettings(size=size, processes=processes)
    each = [*named.values(), *(one.winner for one in found)]
    judged = judge_all(each, folder, settings)
    best = max((judged[named[name]] for name in named if name.startswith("grid")), key=lambda one: one.mean)
    if size == "full":
        write_table(TABLE, found, judged, best)
    return report(found, judged, best, judged[named[DEFAULT]], budget)


def search(way: str, seed: int, budget: int, folder: Path, size: str) -> Found:
    """One search of a way; what was done before is gone on with."""
    found = (
        search_ours(seed, budget, folder, size)
        if way == "ours"
        else search_plainly(way, seed, budget, folder, size=size)
    )
    print(found, flush=True)
    return found


def search_ours(seed: int, budget: int, folder: Path, size: str) -> Found:
    """train.py --multirun with tpe, asha, ordered ranks and confirmations, in one process."""
    for trials in TRIALS if size == "full" else (4,):
        found = _sweep(seed, trials, folder, size)
        if found.steps <= budget:
            return found
        print(f"seed {seed}: {trials} trials made {found.steps} steps", flush=True)
    raise RuntimeError(f"seed {seed}: no study stays within {budget} steps")


def _sweep(seed: int, trials: int, folder: Path, size: str) -> Found:
    """One study of so many trials; one that is whole already is only read."""
    from sweeper.answer.answer import answer_of

    steps = 60 if size == "full" else 3
    study = f"ours-{size}-{seed}" + ("" if trials == TRIALS[0] else f"-{trials}")
    pictures = ["sampling=sweep"] if size == "full" else ["sampling=quick", "sampling.num_prompts=2"]
    share = f"hydra.sweeper.confirm.share={(CONFIRMATIONS + 0.5) / trials:.4f}"
    confirm = [share, f"hydra.sweeper.confirm.seeds={SEEDS_OF_EACH}"]
    sweep_py(
        study,
        folder,
        *space_arguments(),
        *pictures,
        f"training.steps={steps}",
        f"training.validate_every={max(1, steps // 10)}",
        "seed=0",
        "+hydra.sweeper.objectives={likeness:maximize}",
        f"hydra.sweeper.sampler.seed={seed}",
        f"hydra.sweeper.budget.trials={trials}",
        *(confirm if size == "full" else ["hydra.sweeper.confirm=null"]),
    )
    record = study_of(study, folder)
    answer = answer_of(record)
    assert answer.winner is not None, answer.sentence
    winner = record.trial(answer.winner)
    made = all_trials(record)
    return Found(
        way="ours",
        seed=seed,
        winner=searched_overrides(winner),
        seen=winner.values["likeness"],
        steps=sum(trial.steps_done for trial in made),
        trials=len(record.trials),
        seconds=sum(trial.seconds for trial in made),
    )


def grid_steps() -> int:
    """Of the grid in all."""
    return sum(int(row["steps"]) for row in runs_of(read_table()))


def report(
    found: Sequence[Found],
    judged: Mapping[tuple[str, ...], Judged],
    best: Judged,
    default: Judged,
    budget: int,
) -> str:
    """A row a way: medians over the seeds, with the range."""
    head = (
        "way",
        "share of the grid's best gain",
        "each seed",
        f"steps (at most {budget})",
        "trials",
        "minutes",
    )
    rows = []
    for way in dict.fromkeys(one.way for one in found):
        own = [one for one in found if one.way == way]
        shares = [judged[one.winner].gain / best.gain for one in own]
        each = " ".join(f"{share:.2f}" for share in shares)
        steps = f"{min(one.steps for one in own)} to {max(one.steps for one in own)}"
        trials = f"{statistics.median(one.trials for one in own):.0f}"
        minutes = f"{statistics.median(one.seconds for one in own) / 60:.1f}"
        rows.append((way, f"{statistics.median(shares):.1%}", each, steps, trials, minutes))
    rows.append(("the default, untouched", f"{default.gain / best.gain:.1%}", "", "", "", ""))
    return table(head, rows)


def write_table(
    path: Path, found: Sequence[Found], judged: Mapping[tuple[str, ...], Judged], best: Judged
) -> None:
    """A row a search."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = (
            "way",
            "seed",
            "winner",
            "seen",
            "judged",
            "std_of_seeds",
            "base",
            "share",
            "steps",
            "trials",
        )
        writer.writerow([*names, "seconds"])
        for one in found:
            own = judged[one.winner]
            share = own.gain / best.gain
            values = map(number, (one.seen, own.mean, own.spread(), own.base, share))
            costs = (one.steps, one.trials, f"{one.seconds:.0f}")
            writer.writerow([one.way, one.seed, " ".join(one.winner), *values, *costs])
