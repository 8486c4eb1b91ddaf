"""What a trial costs beyond its own training and scoring, by part, in a warm worker with a journal."""

import functools
import importlib
import io
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from sweep_ask import measure_ask
from sweep_run import PLAIN, ROOT, quiet
from sweep_study import table

OWN = "training and scoring"
PAGE = "page of the run"
BESIDE = (PAGE, OWN)  # what is not counted
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


@dataclass(slots=True, frozen=True)
class Took:
    """Seconds of a part, by the clock and on the processor: the second ones do not count who else is busy."""

    clock: float = 0.0
    processor: float = 0.0  # of the worker's own thread

    def __add__(self, other: "Took") -> "Took":
        return Took(self.clock + other.clock, self.processor + other.processor)

    def __sub__(self, other: "Took") -> "Took":
        return Took(self.clock - other.clock, self.processor - other.processor)

    def words(self) -> tuple[str, str]:
        """Both in milliseconds."""
        return f"{self.clock * 1e3:.0f}", f"{self.processor * 1e3:.0f}"


Parts = dict[str, Took]


@dataclass(slots=True)
class Watch:
    """What each part of each trial took, what it calls left out."""

    trials: list[Parts] = field(default_factory=list)  # the last one is at work
    inner: list[Took] = field(default_factory=list)  # of the parts called, by depth

    def timed(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        """The same function, its time booked under a name."""

        @functools.wraps(call)
        def timing(*args: object, **kwargs: object) -> object:
            if name == "ask":
                self.trials.append({})
            start = _now()
            self.inner.append(Took())
            try:
                return call(*args, **kwargs)
            finally:
                whole = _now() - start
                own = whole - self.inner.pop()
                if self.inner:
                    self.inner[-1] += whole
                if self.trials:
                    self.trials[-1][name] = self.trials[-1].get(name, Took()) + own

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


def timed_sweep(arguments: list[str]) -> list[Parts]:
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


def _now() -> Took:
    return Took(time.perf_counter(), time.thread_time())


def _by_part(trials: Sequence[Parts]) -> str:
    names = [name for _, name in PARTS]
    took = {name: _median([one.get(name, Took()) for one in trials]) for name in names}
    beyond = _median(
        [sum((part for name, part in one.items() if name not in BESIDE), start=Took()) for one in trials]
    )
    order = sorted(names, key=lambda name: -took[name].processor)
    rows = [(name, *took[name].words()) for name in order if name not in BESIDE]
    total = ("together, without the page", *beyond.words())
    beside = [(name, *took[name].words()) for name in BESIDE]
    head = (f"a warm trial, median of {len(trials)}", "ms", "on the processor, ms")
    return table(head, [*rows, total, *beside])


def _median(each: Sequence[Took]) -> Took:
    return Took(
        statistics.median(one.clock for one in each), statistics.median(one.processor for one in each)
    )
