"""Real sweeps for tests: train.py --multirun in a process of its own, waited for, killed, read back."""

import csv
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sweeper.study.folder import StudyFolder
from sweeper.study.read import read_study
from sweeper.study.records import StudyRecord, TrialRecord, TrialState

PROJECT = Path(__file__).resolve().parents[2]
CONF = PROJECT / "conf"
PATIENCE = 240.0  # seconds that any condition is waited for
SMALL = (
    "hydra/launcher=basic",
    "training.threads=1",
    "training.validation_images=2",
    "training.validation_timesteps=2",
    "dataset.batch_size=2",
    "sampling.num_prompts=1",
    "sampling.num_plain_prompts=0",
    "sampling.steps=2",
    "sampling.seeds=[1]",
    "sampling.preview_every=0",
    "tracking=off",
)
SPACE = {"network.rank": "choice(2,4,8)", "optimizer.lr": "tag(log,interval(1e-3,1e-2))"}


@dataclass(kw_only=True)
class Toy:
    """A folder to type sweeps in: its own conf/sweep/toy.yaml, its own modules, its study."""

    folder: Path
    cache: Path
    space: Mapping[str, str] = field(default_factory=lambda: dict(SPACE))
    settings: Mapping[str, object] = field(default_factory=dict)  # more of hydra.sweeper
    overrides: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    sweep: str = "toy"  # or a shipped one

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.write()

    def write(self, **settings: object) -> None:
        """Write the sweep's file, as it was given or with other settings."""
        sweeper: dict[str, object] = {
            "study": "toy",
            "params": dict(self.space),
            "objectives": {"likeness": "maximize"},
            "confirm": None,
            "prune": None,
            **self.settings,
            **settings,
        }
        path = self.folder / "conf/sweep/toy.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"hydra": {"sweeper": sweeper}}, indent=1)  # JSON is YAML
        path.write_text(f"# @package _global_\n{text}\n")

    @property
    def study(self) -> StudyFolder:
        """Where the study lies."""
        return StudyFolder(self.folder / "sweeps/toy")

    def trial(self, number: int) -> Path:
        """The run folder of a trial of the search."""
        return self.study.trial(number)

    def words(self, *more: str) -> list[str]:
        """The command line; an option given later takes the place of an earlier one."""
        given: dict[str, str] = {}
        for text in (*SMALL, f"cache_dir={self.cache}", *self.overrides, *more):
            given[text.split("=")[0]] = text
        conf = f"--config-dir={self.folder / 'conf'}"
        return [
            sys.executable,
            str(PROJECT / "train.py"),
            conf,
            "--multirun",
            f"+sweep={self.sweep}",
            *given.values(),
        ]

    @contextmanager
    def started(self, *more: str, cwd: Path | None = None) -> Iterator["Running"]:
        """The sweep at work; whatever is left of it at the end of the block is killed."""
        with running(self.words(*more), cwd=cwd or self.folder, environment=self.environment) as process:
            yield process

    def run(self, *more: str, code: int = 0, cwd: Path | None = None) -> str:
        """The sweep to its end, which has to be this exit code; all that it printed."""
        with self.started(*more, cwd=cwd) as process:
            return process.ends(code)

    def read(self) -> StudyRecord:
        """The study as it is stored now."""
        return read_study(self.study)


@dataclass(kw_only=True)
class Running:
    """A program at work, and what it prints."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        """What it has printed until now, both streams."""
        return self.log.read_text(errors="replace")

    def ends(self, code: int) -> str:
        """Wait for its end; AssertionError with all its output where the exit code is another."""
        try:
            found = self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end:\n{self.output}") from None
        assert found == code, f"exit code {found}, not {code}:\n{self.output}"
        return self.output

    def wait(self, condition: Callable[[], object], *, what: str) -> None:
        """Wait until a condition holds while the program runs."""
        until = time.monotonic() + PATIENCE
        while not condition():
            ended = self.process.poll()
            assert ended is None, f"it ended with {ended} before {what}:\n{self.output}"
            assert time.monotonic() < until, f"not within {PATIENCE:.0f} s: {what}\n{self.output}"
            time.sleep(0.002)

    def reaches(self, trial: Path, step: int) -> None:
        """Wait until a trial's log.csv shows a step."""
        self.wait(lambda: last_step(trial) >= step, what=f"step {step} of {trial.name}")

    def children(self) -> list[psutil.Process]:
        """All processes below it."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def kill_all(self) -> None:
        """kill -9 of the program and of all below it."""
        below = self.children()
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        for child in below:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        self.process.wait()

    def ctrl_c(self) -> None:
        """What a terminal sends: SIGINT to the whole process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill_inside_a_save(self, trial: Path) -> None:
        """kill -9 while a checkpoint is half written: its temporary file stays."""
        while True:
            self.wait(lambda: partial_saves(trial), what=f"a save of {trial.name}")
            self.process.send_signal(signal.SIGSTOP)
            time.sleep(0.05)  # the kernel has stopped every thread by then
            if partial_saves(trial):
                self.kill_all()
                assert partial_saves(trial)
                return
            self.process.send_signal(signal.SIGCONT)


@contextmanager
def running(
    words: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """A program in a process group of its own; all of it is gone after the block."""
    cwd.mkdir(parents=True, exist_ok=True)
    log = cwd / f"printed-{time.time_ns()}.txt"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, "COLUMNS": "200", **(environment or {})},
        )
    started = Running(process=process, log=log)
    try:
        yield started
    finally:
        if process.poll() is None:
            started.kill_all()


def dice(name: str) -> random.Random:
    """Random numbers for the times of kills; the seed is printed, and REAL_SWEEPS_SEED repeats it."""
    seed = int(os.environ.get("REAL_SWEEPS_SEED", random.randrange(2**32)))
    print(f"{name}: REAL_SWEEPS_SEED={seed}")
    return random.Random(seed)


def last_step(trial: Path) -> int:
    """The last whole line of log.csv; -1 without one."""
    try:
        lines = (trial / "log.csv").read_text().splitlines()
    except FileNotFoundError:
        return -1
    numbers = [line.split(",")[0] for line in lines[1:]]
    return max((int(number) for number in numbers if number.isdigit()), default=-1)


def steps_of(trial: Path) -> list[int]:
    """The step column of log.csv."""
    with (trial / "log.csv").open(newline="") as stream:
        return [int(row["step"]) for row in csv.DictReader(stream)]


def losses_of(trial: Path) -> list[str]:
    """The losses of log.csv, digit by digit, one a training step."""
    with (trial / "log.csv").open(newline="") as stream:
        return [row["loss"] for row in csv.DictReader(stream) if row["loss"]]


def partial_saves(trial: Path) -> list[Path]:
    """Checkpoints that are being written, or were when their writer was killed."""
    return list((trial / "checkpoints").glob(".*.partial"))


def resumed_steps(trial: Path) -> list[int]:
    """N of each "going on after step N" in a trial's output."""
    lines = (trial / "output.log").read_text().splitlines()
    return [int(line.split()[-1]) for line in lines if line.startswith("going on after step ")]


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights_of(trial: TrialRecord) -> str:
    """The hash of a trial's file as it lies on the disk, which has to be the recorded one."""
    found = sha256(trial.folder / "demo.safetensors")
    assert found == trial.weights_sha256, f"trial {trial.number}"
    return found


def params_of(trials: Iterable[TrialRecord]) -> list[str]:
    """The parameters of each trial, in a form that can be compared and put into a set."""
    return [json.dumps(dict(trial.params), sort_keys=True) for trial in trials]


def check_whole(record: StudyRecord, total: int) -> None:
    """Exactly so many trials, numbered without a gap, all complete, no settings twice, a folder each."""
    assert [trial.number for trial in record.trials] == list(range(total))
    assert {trial.state for trial in record.trials} == {TrialState.complete}, [
        (trial.number, trial.state, trial.cause) for trial in record.trials
    ]
    assert len(set(params_of(record.trials))) == total, params_of(record.trials)
    folders = sorted(path.name for path in (record.folder / "trials").iterdir())
    assert folders == [f"{number:04d}" for number in range(total)]
    for trial in record.trials:
        weights_of(trial)
        assert steps_of(trial.folder) == list(range(trial.total_steps + 1)), trial.number
        assert trial.steps_done == trial.total_steps
