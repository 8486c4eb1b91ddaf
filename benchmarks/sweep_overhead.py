"""What a trial costs beyond its own training and scoring, by part, in a warm worker with a journal."""

import functools
import importlib
import io
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from sweep_ask import measure_ask
from sweep_run import PLAIN, ROOT, quiet
from sweep_study import table

OWN = "training and scoring"
PAGE = "page of the run"
# What is timed, where it is defined; modules stand before those that import from them by name.
PARTS = (
    ("pages.run_page:write_run_page", PAGE),
    ("engine.training.train:train", OWN),
    ("engine.compose.begin:begin", "checks before the start"),
    ("sweeper.tracking.artifacts:attach_pictures", "pictures for the dashboard"),
    ("sweeper.study.claim:TrialQueue.next_trial", "ask"),
    ("sweeper.study.claim:TrialQueue.save", "save"),
    ("sweeper.study.claim:TrialQueue.tell", "tell"),
    ("sweeper.work.composer:Composer.compose", "composing"),
    ("sweeper.work.trial:run_trial", "Hydra's run of a job"),
    ("sweeper.work.ending:ended_record", "reading scores, hashing the file"),
    ("sweeper.work.after:after_end", "what follows the end"),
    ("sweeper.work.work_trial:TrialWork.run", "the rest"),
)


@dataclass(slots=True)
class Watch:
    """Seconds of each part of each trial, what it calls left out."""

    trials: list[dict[str, float]] = field(default_factory=list)  # the last one is at work
    inner: list[float] = field(default_factory=list)  # seconds of the parts called, by depth

    def timed(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        """The same function, its time booked under a name."""

        @functools.wraps(call)
        def timing(*args: object, **kwargs: object) -> object:
            if name == "ask":
                self.trials.append({})
            start = time.perf_counter()
            self.inner.append(0.0)
            try:
                return call(*args, **kwargs)
            finally:
                seconds = time.perf_counter() - start
                own = seconds - self.inner.pop()
                if self.inner:
                    self.inner[-1] += seconds
                if self.trials:
                    self.trials[-1][name] = self.trials[-1].get(name, 0.0) + own

        return timing

    def put_on(self, place: str, name: str) -> None:
        """Book a function of a module, or a method of its class."""
        module, _, path = place.partition(":")
        owner: object = importlib.import_module(module)
        *classes, last = path.split(".")
        for one in classes:
            owner = getattr(owner, one)
        setattr(owner, last, self.timed(name, getattr(owner, last)))


def measure_overhead(folder: Path, *, size: str, trials: int) -> str:
    """One sweep of short trials without pruning; medians over its warm trials, as markdown tables."""
    steps = 20 if size == "full" else 2
    arguments = [
        *("--multirun", "+sweep=quick", *PLAIN, f"training.steps={steps}"),
        *("hydra.sweeper.confirm=null", "hydra.sweeper.prune=null", "hydra.sweeper.study=overhead"),
        *(f"hydra.sweeper.budget.trials={trials}", f"hydra.sweeper.folder={folder / 'sweeps'}"),
        f"cache_dir={folder / 'cache'}",
        *(["sampling.num_prompts=2"] if size == "tiny" else []),
    ]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        measured = pool.apply(timed_sweep, (arguments,))
    warm = [parts for parts in measured[1:] if OWN in parts]
    assert len(warm) == trials - 1, f"{len(warm)} warm trials of {trials}"
    return f"{_by_part(warm)}\n\n{measure_ask(trials=1000 if size == 'full' else 30)}"


def timed_sweep(arguments: list[str]) -> list[dict[str, float]]:
    """Run train.py's main in this process; the seconds by part of each trial."""
    quiet()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    watch = Watch()
    for place, name in PARTS:
        watch.put_on(place, name)
    sys.argv = ["train.py", *arguments]
    try:
        with redirect_stdout(io.StringIO()):
            importlib.import_module("train").main()
    except SystemExit as error:  # it would end this process without a word
        raise RuntimeError(f"the sweep ended with {error.code}") from error
    return watch.trials


def _by_part(trials: list[dict[str, float]]) -> str:
    names = [name for _, name in PARTS]
    seconds = {name: statistics.median(one.get(name, 0.0) for one in trials) for name in names}
    beyond = statistics.median(
        sum(value for name, value in one.items() if name not in (OWN, PAGE)) for one in trials
    )
    rows = [(name, f"{seconds[name] * 1e3:.0f}") for name in names if name not in (OWN, PAGE)]
    rows.sort(key=lambda row: -int(row[1]))
    total = ("together, without the page", f"{beyond * 1e3:.0f}")
    beside = [(name, f"{seconds[name] * 1e3:.0f}") for name in (PAGE, OWN)]
    head = (f"a warm trial of {len(trials)}", "ms")
    return table(head, [*rows, total, *beside])
