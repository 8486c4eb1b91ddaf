"""What safetensors files say of their tensors before one of them is read; no torch."""

import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2}  # bytes; others 1
_LARGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors format
_SHORTEST = 8  # bytes that tell how long the header is
_VARIANTS = re.compile(r"\.fp16|non_ema")  # in names of files and of indexes that are not the plain ones


@dataclass(kw_only=True, slots=True, frozen=True)
class Weight:
    """A tensor in a weights file."""

    name: str
    shape: tuple[int, ...]
    num_bytes: int


class DamagedFileError(ValueError):
    """A safetensors file whose header can't be read, or that ends too early."""


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of one part: the plain ones, else those of the fp16 variant.

    Where an index names them they are the files that it names, be they there or not.
    raises  DamagedFileError where an index can't be read
    """
    found = _plain(sorted(folder.glob("*.safetensors")))
    for index in _plain(sorted(folder.glob("*.safetensors.index*.json"))):
        if not found or bool(_VARIANTS.search(index.name)) == bool(_VARIANTS.search(found[0].name)):
            return [folder / name for name in _named_in(index)]
    return found


def missing_shards(folder: Path) -> list[str]:
    """Names of files that the index of a part tells of and that are not there."""
    return [file.name for file in weight_files(folder) if not file.is_file()]


def part_weights(folder: Path) -> list[Weight]:
    """Every tensor of a part; raises DamagedFileError, OSError."""
    return [weight for file in weight_files(folder) for weight in read_header(file)]


def read_header(file: Path) -> list[Weight]:
    """Name, shape and size of every tensor of a safetensors file; raises DamagedFileError, OSError."""
    try:
        header = _header(file)
        header.pop("__metadata__", None)
        return [
            Weight(
                name=name,
                shape=tuple(row["shape"]),
                num_bytes=math.prod(row["shape"]) * _WIDTHS.get(row["dtype"], 1),
            )
            for name, row in header.items()
        ]
    except (ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        raise DamagedFileError(f"{file.name}: {error}") from error


def _header(file: Path) -> dict[str, dict[str, Any]]:
    size = file.stat().st_size
    if size < _SHORTEST:
        raise ValueError("empty" if not size else "cut off")
    with file.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > min(_LARGEST_HEADER, size):
            raise ValueError("the header is longer than the file")
        header: dict[str, dict[str, Any]] = json.loads(stream.read(length))
    ends = (row["data_offsets"][1] for name, row in header.items() if name != "__metadata__")
    if size < 8 + length + max(ends, default=0):
        raise ValueError("cut off")
    return header


def _plain(files: list[Path]) -> list[Path]:
    return [file for file in files if not _VARIANTS.search(file.name)] or files


def _named_in(index: Path) -> list[str]:
    try:
        rows = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    except (ValueError, LookupError, TypeError) as error:
        raise DamagedFileError(f"{index.name}: {error}") from error
    if not isinstance(rows, Mapping):
        raise DamagedFileError(f"{index.name}: names no files")
    return sorted({str(name) for name in rows.values()})
