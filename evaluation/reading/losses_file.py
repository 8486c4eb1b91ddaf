"""validation.json of a run folder: the fixed losses of its base and of its result, as training wrote them."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from engine.config.errors import ConfigError

FILE_NAME = "validation.json"
SCHEMA = 1
NUM_QUARTERS = 4
HELD_OUT, TRAINING = _KINDS = ("held_out", "training")
_LONGEST = 100_000  # timesteps of a schedule: far above any
Rows = Sequence[Sequence[float | None]]  # [pictures][timesteps]; None: not a finite number


@dataclass(kw_only=True, slots=True, frozen=True)
class Losses:
    """What the model itself says of some pictures, at some places of its schedule."""

    on: str  # "held_out" or "training": what the pictures are to the run
    pictures: Sequence[str]  # their names in its data set
    num_timesteps: int  # of the whole schedule
    timesteps: Sequence[int]  # those that were looked at
    base: Rows | None  # None: not measured
    final: Rows | None
    missing: Mapping[str, str] = field(
        default_factory=dict
    )  # set -> why some or all of its losses are not there

    def of(self, set_name: str) -> Rows | None:
        """The losses of the set "base" or "final"; None for any other and where they are not there."""
        return {"base": self.base, "final": self.final}.get(set_name)

    def places(self, quarter: int | None = None) -> list[int]:
        """Which columns belong to a quarter of the schedule, 1 (the least noise) to 4; None: all of them."""
        numbers = [NUM_QUARTERS * timestep // self.num_timesteps + 1 for timestep in self.timesteps]
        return [place for place, number in enumerate(numbers) if quarter in (None, number)]


def read_losses(folder: Path) -> Losses | None:
    """The losses of a run folder; None where it has none.

    raises  ConfigError for a file that training did not write so
    """
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(_broken(path, f"cannot be read ({error})")) from error
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(_broken(path, f"is not JSON ({error})")) from error
    if not isinstance(content, dict):
        raise ConfigError(_broken(path, "is not an object"))
    if content.get("schema") != SCHEMA:
        raise ConfigError(_broken(path, f"is not of schema {SCHEMA}"))
    try:
        return _losses(content)
    except ValueError as error:
        raise ConfigError(_broken(path, str(error))) from error


def _broken(path: Path, why: str) -> str:
    return f"{path}: {why}. Remove it, and type the run's command again: that measures the losses anew."


def _losses(content: Mapping[str, object]) -> Losses:
    on, missing = content.get("on"), content.get("missing")
    if not isinstance(on, str) or on not in _KINDS:
        raise ValueError(f"on is not one of {', '.join(_KINDS)}")
    if not isinstance(missing, dict) or not all(isinstance(why, str) for why in missing.values()):
        raise ValueError("missing does not say why losses are missing")
    pictures = _list(content, "pictures")
    if not pictures or not all(isinstance(name, str) for name in pictures):
        raise ValueError("pictures holds no names")
    length = _count(content.get("num_timesteps"), "num_timesteps", _LONGEST + 1)
    timesteps = [_count(one, "timesteps", length) for one in _list(content, "timesteps")]
    if not timesteps:
        raise ValueError("timesteps holds none")
    shape = (len(pictures), len(timesteps))
    return Losses(
        on=on,
        pictures=[str(name) for name in pictures],
        num_timesteps=length,
        timesteps=timesteps,
        base=_rows(content, "base", shape),
        final=_rows(content, "final", shape),
        missing=missing,
    )


def _list(content: Mapping[str, object], key: str) -> list[object]:
    value = content.get(key)
    if not isinstance(value, list):
        raise ValueError(f"{key} is not a list")
    return value


def _count(value: object, where: str, below: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < below:
        raise ValueError(f"{where} holds {value!r:.40}, not a number from 0 to {below - 1}")
    return value


def _rows(content: Mapping[str, object], key: str, shape: tuple[int, int]) -> Rows | None:
    """The losses of a set, which may be null as a whole or one by one."""
    if content.get(key, ...) is None:
        return None
    rows = _list(content, key)
    if [len(row) if isinstance(row, list) else None for row in rows] != [shape[1]] * shape[0]:
        raise ValueError(f"{key} does not hold {shape[1]} losses for each of {shape[0]} pictures")
    return tuple(tuple(_loss(loss, key) for loss in cast(list[object], row)) for row in rows)


def _loss(value: object, key: str) -> float | None:
    if value is None:
        return None
    if not isinstance(value, float | int) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise ValueError(f"{key} holds {value!r:.40}, which is no loss")
    return float(value)
