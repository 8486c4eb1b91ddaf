"""A study's record as JSON, for other programs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from sweeper.study.records import StudyRecord

SCHEMA = 1  # raised when a field changes its name or its meaning; new fields may come at any time


def record_json(record: StudyRecord) -> dict[str, object]:
    """schema, then the fields of StudyRecord; times as ISO 8601, what is not finite as null."""
    return {"schema": SCHEMA, **_object(record)}


def _object(value: object) -> dict[str, object]:
    assert is_dataclass(value)
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def _plain(value: object) -> object:
    if is_dataclass(value):
        return _object(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(entry) for entry in value]
    return value
