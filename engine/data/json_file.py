"""JSON files that are on the disk whole or not at all."""

import json
import os
from pathlib import Path


def write_json(path: Path, value: object) -> None:
    """Write JSON under a temporary name, flush it to the disk, then rename it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        json.dump(value, stream, indent=1, ensure_ascii=False)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
