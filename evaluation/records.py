"""What a scoring gives back: plain dataclasses, and their form as scores.json."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeVar, cast

from engine.config.errors import ConfigError

T = TypeVar("T")

SCHEMA = 2
DECIMALS = 6  # of every number in the files: far below any noise, above float32 rounding
CONSTRAINT = "health"  # what must hold whatever is optimised
DEFAULT_OBJECTIVES = ("likeness", "adherence")


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

    value: float  # mean over types of the mean over prompts of the mean over a prompt's pictures
    n: int  # values that it is made of: pictures, or prompts
    num_prompts: int  # 0: what was measured belongs to no prompt
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
class Noise:
    """Where the noise of a metric's paired differences comes from, and what it hides."""

    between_prompts: (
        float | None
    )  # variance; None: each prompt has one picture, the parts cannot be told apart
    within_prompts: float | None  # variance between the seeds of a prompt
    smallest_difference: float  # what these pictures tell from noise, at 95 % confidence and 80 % power
    prompts_for_half: (
        int | None
    )  # how many prompts half that difference would need; None: no number is enough


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
    real: Measurement | None = None  # true pictures
    difference: Difference | None = None
    noise: Noise | None = None
    anchored: float | None = None  # 0 = base, 1 = real; over the prompts that all three have
    anchored_spread: float | None = None  # half-width of its 95 % interval
    encoder: str | None = None  # fingerprint of the encoder's files
    skipped: str | None = None  # why there is no value
    note: str | None = None  # what a reader of the number must know


@dataclass(kw_only=True, slots=True, frozen=True)
class Combined:
    """The harmonic mean of the anchored objectives: one number, where one is asked for."""

    value: float | None = None
    spread: float | None = None  # half-width of its 95 % interval
    reason: str | None = None  # why there is none, or why it is 0


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
    objectives: list[str] = field(default_factory=list)  # what is optimised; health is the constraint
    combined: Combined = field(default_factory=Combined)
    run_id: str | None = None
    config_hash: str = ""  # of what was asked: the same hash, the same question
    encoders: dict[str, EncoderFacts] = field(default_factory=dict)  # role -> encoder
    num_pictures: dict[str, int] = field(default_factory=dict)  # set -> pictures, the excluded ones too
    excluded: list[Excluded] = field(default_factory=list)
    truncated_prompts: int = 0  # prompts longer than the encoder reads
    references: dict[str, list[str]] = field(
        default_factory=dict
    )  # prompt -> true pictures, as files are named
    notices: list[str] = field(default_factory=list)  # what a reader of all numbers must know
    environment: dict[str, str] = field(default_factory=dict)  # versions

    def row(self, metric: str) -> Score:
        """The row of a metric; KeyError if it is not in the table."""
        for row in self.rows:
            if row.metric == metric:
                return row
        raise KeyError(metric)

    def failed(self) -> list[Score]:
        """The rows of objectives that could not be computed."""
        return [row for row in self.rows if row.metric in self.objectives and row.final is None]


def scores_text(scores: Scores) -> str:
    """scores.json; the same scores give the same text."""
    data = {"schema": SCHEMA, **cast("dict[str, object]", plain(asdict(scores)))}
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def read_scores(path: Path) -> Scores:
    """Read scores.json. ConfigError: not a scores.json, or of another schema."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Score the pictures again.") from error
    if not isinstance(data, dict) or data.pop("schema", None) != SCHEMA:
        raise ConfigError(f"{path}: not a scores file of schema {SCHEMA}. Score the pictures again.")
    try:
        return checked(Scores, data)
    except ValueError as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Score the pictures again.") from error


def checked(kind: type[T], data: object) -> T:
    """Data of a JSON file as the dataclass that it was made of.

    raises  ValueError that names the first place where something is missing, unknown or of another type
    """
    from pydantic import TypeAdapter, ValidationError

    adapter = TypeAdapter(kind)
    try:
        found = adapter.validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from error
    if odd := _odd_key(data, adapter.dump_python(found, mode="json"), ""):
        raise ValueError(odd)
    return found


def scores_schema() -> dict[str, object]:
    """The JSON schema of scores.json, as evaluation/scores.schema.json holds it."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(Scores).json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"] = {"schema": {"const": SCHEMA}, **schema["properties"]}
    for part in [schema, *schema["$defs"].values()]:
        if "properties" in part:
            part["required"] = sorted(part["properties"])  # what is written is always whole
            part["additionalProperties"] = False
    return cast("dict[str, object]", schema)


def schema_text() -> str:
    """The content of evaluation/scores.schema.json."""
    return json.dumps(scores_schema(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def plain(value: object) -> object:
    """Enums as their values, floats rounded, so that JSON is stable."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        return round(value, DECIMALS) + 0.0
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def _odd_key(read: object, known: object, place: str) -> str | None:
    """The first key that is in one of both alone: what has a default counts as missing all the same."""
    if isinstance(read, list) and isinstance(known, list):
        pairs = [(str(index), *both) for index, both in enumerate(zip(read, known, strict=False))]
    elif isinstance(read, dict) and isinstance(known, dict):
        odd = next((key for key in (*read, *known) if key not in read or key not in known), None)
        if odd is not None:
            return f"{place}{odd}: {'unknown' if odd in read else 'missing'}"
        pairs = [(str(key), read[key], known[key]) for key in read]
    else:
        return None
    return next((found for key, a, b in pairs if (found := _odd_key(a, b, f"{place}{key}."))), None)
