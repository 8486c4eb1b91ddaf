"""What was found out of pictures and texts, kept on disk by content; read and written without torch."""

import contextlib
import hashlib
import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

Arrays = Mapping[str, NDArray[np.generic]]

_CHECKSUM = "checksum"
_LOG = logging.getLogger(__name__)


class ContentStore:
    """A folder of entries, one safetensors file each, shared by processes that work at the same time.

    None as the folder: nothing is kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._is_writable = True

    def get(self, key: str) -> Arrays | None:
        """The arrays of an entry; None where there is none, or only a damaged one."""
        if self.folder is None:
            return None
        path = self._path_of(self.folder, key)
        try:
            arrays = load(path.read_bytes())
        except (OSError, SafetensorError, ValueError):
            return None
        checksum = arrays.pop(_CHECKSUM, None)
        if checksum is None or checksum.tobytes() != _digest(arrays):
            return None
        with contextlib.suppress(OSError):  # of a cache that may only be read
            os.utime(path)  # when it was last used, for who prunes the cache
        return arrays

    def put(self, key: str, arrays: Arrays) -> None:
        """Write an entry whole or not at all; a folder that cannot be written is warned of once."""
        if self.folder is None or not self._is_writable:
            return
        path = self._path_of(self.folder, key)
        half_written = path.with_name(f".{path.stem}.{os.getpid()}.{secrets.token_hex(4)}")
        content = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        checksum = np.frombuffer(_digest(content), dtype=np.uint8)
        try:
            _write(half_written, save({**content, _CHECKSUM: checksum}))
            half_written.replace(path)
        except OSError as error:
            self._is_writable = False
            _LOG.warning("%s cannot be written (%s): the next scoring computes again.", self.folder, error)
        finally:
            with contextlib.suppress(OSError):
                half_written.unlink(missing_ok=True)  # where the disk was full or Ctrl-C came

    def _path_of(self, folder: Path, key: str) -> Path:
        """ab/abcd....safetensors, as the other caches have it: python -m engine cache prunes them alike."""
        return folder / key[:2] / f"{key}.safetensors"


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except FileNotFoundError:  # the first entry of its folder
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _digest(arrays: Arrays) -> bytes:
    """sha256 of names, shapes and values: a power cut can leave the right header before empty pages."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.digest()
