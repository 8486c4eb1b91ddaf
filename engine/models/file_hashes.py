"""sha256 of files; those of large ones are kept, for 24 GB take half a minute; no torch."""

import contextlib
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path

LARGE = 64 * 2**20  # bytes from which on a hash is kept: 60 ms of hashing
_SETTLED = 2 * 10**9  # nanoseconds after which another write would show in a file's time on any disk


def sha256_of(file: Path, *, size: int, modified: int) -> str:
    """Of the bytes of a file, in hexadecimal; kept from a start that found it of the same size and time.

    size      bytes
    modified  nanoseconds, as stat gives them
    raises    OSError
    """
    if size < LARGE:
        return _sha256(file)
    key = f"{file.resolve()} {size} {modified}"
    known = _read()
    if key not in known:
        found = _sha256(file)
        if modified > time.time_ns() - _SETTLED:
            return found
        with contextlib.suppress(OSError):  # then the next start is only slower
            _write({**_read(), key: found})
        return found
    return known[key]


def index_file() -> Path:
    """Where hashes are kept: with the user's caches."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "diffusion-sweeper" / "file_hashes.json"


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read() -> dict[str, str]:
    try:
        content = json.loads(index_file().read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in content.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _write(known: dict[str, str]) -> None:
    """In one step, so that no reader sees half of it; of two writers at once the later one stays."""
    file = index_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as stream:
        json.dump(known, stream, indent=1, sort_keys=True)
    Path(stream.name).replace(file)
