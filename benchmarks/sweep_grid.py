"""Every setting of a grid on the demo, once: what a sweep is measured against.

Commands:
    python benchmarks/sweep_grid.py                      all runs, and the table
    python benchmarks/sweep_grid.py part=ids             is each row's run still the one that it was?
    python benchmarks/sweep_grid.py part=again rows=2    are two rows' files the same byte for byte?

Arguments as key=value (Settings). The grid: rank {2,4,8,16,32,64} x learning rate {1e-4 ... 1e-2, six values
in equal ratios} x noise offset {0, .05, .1}, 108 runs of 60 steps on the demo's concept with seed 0, one
thread each; all else is the recipe's. 60 steps (a fifth of the recipe's) leave the best settings short of
what the demo can reach, so that settings differ. Run folders stay, so the same command again goes on where
it was stopped. The table is benchmarks/sweep_grid.csv: a row a run, diverged ones too, and two rows for the
base model and for true pictures.
"""

import csv
import itertools
import math
import multiprocessing
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sweep_run import PLAIN, Ran, machine, quiet, run_id_of, train_once

TABLE = Path(__file__).with_name("sweep_grid.csv")
RANKS = (2, 4, 8, 16, 32, 64)
RATES = (1e-4, 2.5e-4, 6.3e-4, 1.6e-3, 4e-3, 1e-2)
OFFSETS = (0.0, 0.05, 0.1)
COLUMNS = (
    *("run_id", "rank", "lr", "noise_offset", "seed", "steps", "seconds", "outcome", "likeness"),
    *("likeness_spread", "adherence", "preservation", "val_loss", "sha256"),
)
PARTS = ("run", "ids", "again")
METRICS = ("likeness", "adherence", "preservation")


@dataclass(kw_only=True, slots=True, frozen=True)
class Settings:
    """How much, and where."""

    part: str = "run"  # of PARTS
    size: str = "full"  # tiny: two corners of the grid, 4 steps, no table in benchmarks/
    processes: int = 2  # with one thread each
    folder: str = ".cache/benchmarks/sweep_grid"  # run folders and caches; they stay
    table: str = str(TABLE)
    rows: int = 2  # of part=again
    seed: int = -1  # which rows; -1 = drawn, and printed


@dataclass(kw_only=True, slots=True, frozen=True)
class Cell:
    """A place in the grid."""

    rank: int
    lr: float
    offset: float
    seed: int = 0

    def overrides(self) -> list[str]:
        """As train.py takes them."""
        return [
            f"network.rank={self.rank}",
            f"optimizer.lr={self.lr!r}",
            f"noise.offset={self.offset!r}",
            f"seed={self.seed}",
        ]


def main(arguments: Sequence[str]) -> None:
    """Run what is missing and write the table, or hold the table against today's code."""
    settings = Settings(**read_arguments(arguments))  # type: ignore[arg-type]
    assert settings.part in PARTS, f"part={settings.part}: one of {', '.join(PARTS)}"
    quiet()
    print(machine(), flush=True)
    if settings.part == "run":
        make_table(settings)
    else:
        differences = changed_ids(settings) if settings.part == "ids" else changed_rows(settings)
        print("\n".join(differences) or "as in the table")
        sys.exit(1 if differences else 0)


def make_table(settings: Settings) -> None:
    """Run what is missing; all rows, sorted, into the table."""
    rows = list(run_grid(settings))
    rows.sort(key=lambda row: (float(row["noise_offset"]), int(row["rank"]), float(row["lr"])))
    write_table(Path(settings.table), rows + anchors(settings))
    best = max(rows, key=lambda row: float(row["likeness"] or "-inf"))
    print(f"{len(rows)} runs, {sum(int(row['steps']) for row in rows)} steps; best {best}")


def changed_ids(settings: Settings) -> list[str]:
    """A line for each row whose settings mean another run_id now."""
    fixed = common(settings.size, Path(settings.folder))
    return [
        f"{row['run_id']}: now {now}"
        for row in runs_of(read_table(Path(settings.table)))
        if (now := run_id_of([*fixed, *cell_of(row).overrides()])) != row["run_id"]
    ]


def changed_rows(settings: Settings) -> list[str]:
    """Run some rows anew, in a folder of their own; a line for each whose run, file or score differs."""
    seed = random.randrange(10**6) if settings.seed < 0 else settings.seed
    rows = random.Random(seed).sample(runs_of(read_table(Path(settings.table))), settings.rows)
    print(f"seed={seed}: {', '.join(row['run_id'] for row in rows)}", flush=True)
    found = []
    for row in rows:
        with tempfile.TemporaryDirectory() as folder:
            now = run_cell(replace(settings, folder=folder), cell_of(row))
        compared = ("run_id", "steps", "outcome", "likeness", "adherence", "sha256")
        found += [
            f"{row['run_id']}: {name} {row[name]}, now {now[name]}"
            for name in compared
            if row[name] != now[name]
        ]
    return found


def read_arguments(arguments: Sequence[str]) -> dict[str, str | int]:
    """Arguments such as processes=1, numbers as numbers."""
    given = dict(word.split("=", 1) for word in arguments)
    return {key: int(value) if value.isdigit() else value for key, value in given.items()}


def grid(size: str) -> list[Cell]:
    """All places, or two corners of them."""
    cells = [
        Cell(rank=rank, lr=lr, offset=offset) for offset, rank, lr in itertools.product(OFFSETS, RANKS, RATES)
    ]
    return [cells[0], cells[-1]] if size == "tiny" else cells


def common(size: str, folder: Path) -> list[str]:
    """The overrides that all runs of the grid share."""
    length = ["training.steps=60", "training.validate_every=10", "sampling=sweep"]
    if size == "tiny":
        length = ["training.steps=4", "sampling=quick", "sampling.num_prompts=2", "sampling.steps=2"]
    return [*PLAIN, *length, f"output_dir={folder / 'runs'}", f"cache_dir={folder / 'cache'}"]


def run_cell(settings: Settings, cell: Cell) -> dict[str, str]:
    """One run as a row."""
    ran = train_once([*common(settings.size, Path(settings.folder)), *cell.overrides()])
    return row_of(cell, ran)


def run_grid(settings: Settings) -> Iterator[dict[str, str]]:
    """All rows, in the order in which they end."""
    cells = grid(settings.size)
    anchors(settings)  # draws the base's pictures before several processes want them
    with multiprocessing.get_context("spawn").Pool(settings.processes) as pool:
        tasks = [pool.apply_async(run_cell, (settings, cell)) for cell in cells]
        for number, task in enumerate(tasks):
            row = task.get()
            print(f"{number + 1}/{len(cells)}", *(row[name] for name in COLUMNS[:9]), flush=True)
            yield row


def anchors(settings: Settings) -> list[dict[str, str]]:
    """What the base model and true pictures come to: from the run of the first place."""
    ran = train_once([*common(settings.size, Path(settings.folder)), *grid(settings.size)[0].overrides()])
    empty = dict.fromkeys(COLUMNS, "")
    base = {name: number(ran.base.get(name)) for name in METRICS}
    real = {name: number(ran.real.get(name)) for name in METRICS}
    return [empty | {"run_id": "base"} | base, empty | {"run_id": "real"} | real]


def row_of(cell: Cell, ran: Ran) -> dict[str, str]:
    """A run as text, in the table's columns."""
    return {
        "run_id": ran.run_id,
        "rank": str(cell.rank),
        "lr": repr(cell.lr),
        "noise_offset": repr(cell.offset),
        "seed": str(cell.seed),
        "steps": str(ran.steps),
        "seconds": f"{ran.seconds:.1f}",
        "outcome": ran.outcome,
        "likeness_spread": number(ran.spreads.get("likeness")),
        **{name: number(ran.values.get(name)) for name in METRICS},
        "val_loss": number(ran.val_loss),
        "sha256": ran.sha256,
    }


def number(value: float | None) -> str:
    """Six decimals; empty where there is none."""
    return "" if value is None or not math.isfinite(value) else f"{value:.6f}"


def cell_of(row: Mapping[str, str]) -> Cell:
    """The place of a row."""
    return Cell(
        rank=int(row["rank"]),
        lr=float(row["lr"]),
        offset=float(row["noise_offset"]),
        seed=int(row["seed"]),
    )


def write_table(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """The rows as CSV, whole or not at all."""
    temporary = path.with_suffix(".new")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(path)


def read_table(path: Path = TABLE) -> list[dict[str, str]]:
    """The rows as they were written, the base's and the true pictures' last."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def runs_of(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Without the base's and the true pictures'."""
    return [row for row in rows if row["rank"]]


if __name__ == "__main__":
    main(sys.argv[1:])
