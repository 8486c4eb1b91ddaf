"""A study's folder: where everything lies in it, and study.json, which says what is searched."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from engine.config import ConfigError
from engine.data.json_file import write_json
from sweeper.config import Direction
from sweeper.study.records import Dimension, Phase

SCHEMA = 1


@dataclass(kw_only=True, slots=True, frozen=True)
class StudyFile:
    """study.json: what holds for the whole study; written when it is made, and when a start changes it."""

    name: str
    storage: str  # journal, or the URL without its password
    command: str  # the line that started it, and goes on
    objectives: Mapping[str, Direction]
    constraints: Mapping[str, str] = field(default_factory=dict)  # metric -> "<= 23"
    dimensions: tuple[Dimension, ...] = ()
    space: Mapping[str, object] = field(default_factory=dict)  # Space.facts(), to compare a later start with
    base: Mapping[str, object] = field(default_factory=dict)  # the base config's facts, key -> value
    base_hash: str = ""
    sampler: str = "tpe"
    pruner: str = "asha"
    prune_on: str | None = "val_loss"
    winner: str = "harmonic"
    num_trials: int | None = None  # the search's share of budget.trials
    num_confirmations: int = 0
    budget: Mapping[str, float] = field(default_factory=dict)  # as given: trials, hours, ...
    defaults: Mapping[str, object] = field(default_factory=dict)  # searched key -> its value in trial 0
    created: datetime | None = None
    is_demo: bool = False
    device: str | None = None
    threads: int | None = None


class StudyFolder:
    """The paths of one study; nothing is made on the disk before `make`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "study.json"
        self.journal = root / "journal.log"
        self.torn = root / "journal.log.torn"  # bytes of a write that a kill or a full disk cut short
        self.lock = root / "study.lock"
        self.trials = root / "trials"
        self.confirm = root / "confirm"
        self.workers = root / "workers"
        self.artifacts = root / "artifacts"
        self.wandb = root / "wandb"  # the controller's run
        self.report = root / "report.html"
        self.best = root / "best.yaml"
        self.table = root / "trials.csv"
        self.best_weights = root / f"{root.name}-best.safetensors"

    def __repr__(self) -> str:
        return f"StudyFolder({str(self.root)!r})"

    def make(self) -> None:
        """Make the folders that writers count on."""
        for folder in (self.trials, self.workers, self.artifacts):
            folder.mkdir(parents=True, exist_ok=True)

    def trial(self, number: int, phase: Phase = Phase.search) -> Path:
        """The run folder of a trial: trials/0007, or confirm/0002."""
        return (self.trials if phase is Phase.search else self.confirm) / f"{number:04d}"

    def worker_file(self, host: str, pid: int) -> Path:
        """What a worker says about itself while it runs."""
        return self.workers / f"{host}-{pid}.json"

    def exists(self) -> bool:
        """Whether a study was made here."""
        return self.file.is_file()

    def write(self, study: StudyFile) -> None:
        """Write study.json, whole or not at all."""
        self.root.mkdir(parents=True, exist_ok=True)
        values = asdict(study)
        values["objectives"] = {name: way.value for name, way in study.objectives.items()}
        values["created"] = study.created.isoformat() if study.created else None
        write_json(self.file, {"schema": SCHEMA, **values})

    def read(self) -> StudyFile:
        """What study.json says; ConfigError where there is none, or one of another schema."""
        values = self._values()
        schema = values.pop("schema", None)
        if schema != SCHEMA:
            raise ConfigError(
                f"hydra.sweeper.study={self.root}: its study.json is of schema {schema}, this version reads "
                f"schema {SCHEMA}. Use the version that made it, or give the study another name."
            )
        try:
            return _study_file(values)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ConfigError(
                f"hydra.sweeper.study={self.root}: study.json does not hold what it should ({error}). "
                "Restore it from a copy, or move the folder away and start again."
            ) from error

    def _values(self) -> dict[str, object]:
        try:
            values = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ConfigError(
                f"hydra.sweeper.study={self.root}: there is no study here (no study.json). "
                "`python -m sweeper ls` lists the studies of a folder."
            ) from error
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"hydra.sweeper.study={self.root}: study.json cannot be read ({error}). "
                "Restore it from a copy, or move the folder away and start again."
            ) from error
        if not isinstance(values, dict):
            raise ConfigError(
                f"hydra.sweeper.study={self.root}: study.json holds no study. Move the folder away."
            )
        return values


def _study_file(values: dict[str, object]) -> StudyFile:
    known = {name: values[name] for name in StudyFile.__slots__ if name in values}
    objectives, dimensions, created = (known.pop(name) for name in ("objectives", "dimensions", "created"))
    assert isinstance(objectives, dict)
    assert isinstance(dimensions, list)
    return StudyFile(
        **known,  # type: ignore[arg-type]  # names and types are asdict's own
        objectives={name: Direction(way) for name, way in objectives.items()},
        dimensions=tuple(_dimension(entry) for entry in dimensions),
        created=datetime.fromisoformat(created) if isinstance(created, str) else None,
    )


def _dimension(entry: dict[str, object]) -> Dimension:
    choices = entry["choices"]
    own = {**entry, "choices": tuple(choices) if isinstance(choices, list) else None}
    return Dimension(**own)  # type: ignore[arg-type]
