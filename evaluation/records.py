"""What a scoring gives back: plain dataclasses, and their form as scores.json."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import cast

from engine.config.errors import ConfigError

SCHEMA = 1
DECIMALS = 6  # of every number in the files: far below any noise, above float32 rounding


class Direction(Enum):
    """Which way a score is better."""

    higher = "higher"
    lower = "lower"


class Verdict(Enum):
    """What a paired difference says, given its interval."""

    better = "better"  # the interval lies on the good side of 0
    worse = "worse"
    within_noise = "within_noise"  # the interval holds 0
    unchanged = "unchanged"  # no pair differs
    one_prompt = "one_prompt"  # a single prompt has no interval


class Scope(Enum):
    """What one value of a metric belongs to."""

    image = "image"
    prompt = "prompt"
    set = "set"


@dataclass(kw_only=True, slots=True, frozen=True)
class Measurement:
    """One metric on one set of pictures."""

    value: float  # mean over prompts of the mean over a prompt's pictures
    n: int  # pictures
    num_prompts: int
    spread: float | None  # half-width of a 95 % interval clustered by prompt; None: a single prompt


@dataclass(kw_only=True, slots=True, frozen=True)
class Difference:
    """The final pictures minus the base's, paired by (prompt, seed)."""

    value: float
    n: int  # pairs
    num_prompts: int
    spread: float | None  # half-width of a 95 % interval clustered by prompt
    low: float | None  # value - spread
    high: float | None  # value + spread
    verdict: Verdict


@dataclass(kw_only=True, slots=True, frozen=True)
class Score:
    """The row of one metric."""

    metric: str
    title: str  # as a report names it
    direction: Direction
    scope: Scope
    scale: str  # what the numbers are, in words
    final: Measurement | None = None  # the pictures that are scored
    base: Measurement | None = None  # the same prompts and seeds without the adapter
    real: Measurement | None = None  # true pictures of the same prompts
    difference: Difference | None = None
    anchored: float | None = None  # 0 = base, 1 = real; over the prompts that all three have
    anchored_spread: float | None = None  # half-width of its 95 % interval
    encoder: str | None = None  # fingerprint of the encoder's files
    skipped: str | None = None  # why there is no value
    note: str | None = None  # what a reader of the number must know


@dataclass(kw_only=True, slots=True, frozen=True)
class Excluded:
    """A picture that no metric but health looked at."""

    set_name: str
    file: str
    reason: str


@dataclass(kw_only=True, slots=True, frozen=True)
class EncoderFacts:
    """Which encoder gave the embeddings."""

    name: str
    fingerprint: str  # sha256 over its files
    preprocessing: str  # hash of how pictures are made ready for it


@dataclass(kw_only=True, slots=True, frozen=True)
class Scores:
    """Everything that scores.json holds."""

    rows: list[Score]
    run_id: str | None = None
    encoder: EncoderFacts | None = None
    num_pictures: dict[str, int] = field(default_factory=dict)  # set -> pictures, the excluded ones too
    excluded: list[Excluded] = field(default_factory=list)
    truncated_prompts: int = 0  # prompts longer than the encoder reads
    references: dict[str, list[str]] = field(
        default_factory=dict
    )  # prompt -> true pictures, as files are named
    environment: dict[str, str] = field(default_factory=dict)  # versions

    def row(self, metric: str) -> Score:
        """The row of a metric; KeyError if it is not in the table."""
        for row in self.rows:
            if row.metric == metric:
                return row
        raise KeyError(metric)


def write_scores(scores: Scores, path: Path) -> None:
    """Write scores.json; the same scores give the same bytes."""
    data = {"schema": SCHEMA, **cast("dict[str, object]", _plain(asdict(scores)))}
    write_atomically(path, json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_scores(path: Path) -> Scores:
    """Read scores.json. ConfigError: not a scores.json, or of another schema."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Score the run again.") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ConfigError(f"{path}: not a scores file of schema {SCHEMA}. Score the run again.")
    try:
        return Scores(
            rows=[_score(row) for row in data["rows"]],
            run_id=data["run_id"],
            encoder=EncoderFacts(**data["encoder"]) if data["encoder"] else None,
            num_pictures=data["num_pictures"],
            excluded=[Excluded(**row) for row in data["excluded"]],
            truncated_prompts=data["truncated_prompts"],
            references=data["references"],
            environment=data["environment"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Score the run again.") from error


def write_atomically(path: Path, text: str) -> None:
    """Write beside `path`, then rename: a reader never sees half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8", newline="")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _score(row: Mapping[str, object]) -> Score:
    fields = dict(row)
    for name in ("final", "base", "real"):
        fields[name] = Measurement(**cast("dict[str, float]", row[name])) if row[name] else None  # type: ignore[arg-type]
    difference = cast("dict[str, object] | None", row["difference"])
    if difference is not None:
        fields["difference"] = Difference(**{**difference, "verdict": Verdict(difference["verdict"])})  # type: ignore[arg-type]
    fields["direction"] = Direction(row["direction"])
    fields["scope"] = Scope(row["scope"])
    return Score(**fields)  # type: ignore[arg-type]


def _plain(value: object) -> object:
    """Enums as their values, floats rounded, so that JSON is stable."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        return round(value, DECIMALS) + 0.0
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
