"""sha256 of files, remembered with size, dates and inode, so that an unchanged file is not read again."""

import hashlib
import os
import threading
import time
from pathlib import Path

from engine.data.folder import FolderListing, Stamp
from engine.data.scan_index import ScanIndex, index_file, load_index, save_index

_READER = "files as scoring hashes them 1"


class FileHashes:
    """Hashes of files by path; with a cache folder they outlive the process, an index for each folder.

    An index leaves out files that were younger than two seconds: an edit could keep their dates.
    """

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._cache_dir = cache_dir
        self._seen: dict[Path, tuple[Stamp, str]] = {}
        self._new: dict[Path, dict[str, tuple[Stamp, str]]] = {}  # by folder and name: not saved yet
        self._indexes: dict[Path, tuple[ScanIndex, int]] = {}  # by folder; with the time of loading
        self._lock = threading.Lock()

    def known(self, path: Path) -> str | None:
        """The hash of a file that has not changed since it was read. OSError: it is not there."""
        stamp = _stamp(path)
        entry = self._seen.get(path) or self._kept(path)
        return entry[1] if entry is not None and entry[0] == stamp else None

    def sha256(self, path: Path) -> str:
        """Of the bytes of a file, in hexadecimal. OSError: it cannot be read."""
        known = self.known(path)
        if known is not None:
            return known
        stamp = _stamp(path)
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        return self._remember(path, stamp, found)

    def read(self, path: Path) -> tuple[str, bytes]:
        """The hash and the bytes that it is of. OSError: it cannot be read."""
        self._kept(path)
        stamp = _stamp(path)
        content = path.read_bytes()
        return self._remember(path, stamp, hashlib.sha256(content).hexdigest()), content

    def save(self) -> None:
        """Write what was hashed anew; where that cannot be, the next process is only slower."""
        if self._cache_dir is None:
            return
        for folder, new in self._new.items():
            index, taken_ns = self._indexes[folder]
            listing = _list(folder, taken_ns)
            for name, (stamp, sha256) in new.items():
                if listing.stamps.get(name) == stamp:
                    index.add_content(listing, name, sha256)
            save_index(index, _file(self._cache_dir, folder), listing, reader=_READER)
        self._new.clear()

    def _remember(self, path: Path, stamp: Stamp, sha256: str) -> str:
        """After `known` looked the folder up: its index is older than the bytes."""
        self._seen[path] = stamp, sha256
        if self._cache_dir is not None:
            with self._lock:
                self._new.setdefault(path.parent, {})[path.name] = stamp, sha256
        return sha256

    def _kept(self, path: Path) -> tuple[Stamp, str] | None:
        if self._cache_dir is None:
            return None
        with self._lock:
            if path.parent not in self._indexes:
                index = load_index(_file(self._cache_dir, path.parent), reader=_READER)
                self._indexes[path.parent] = index, time.time_ns()
        return self._indexes[path.parent][0].contents.get(path.name)


def _file(cache_dir: Path, folder: Path) -> Path:
    return cache_dir / "embeddings" / index_file(cache_dir, folder).name


def _list(folder: Path, taken_ns: int) -> FolderListing:
    """The files of a folder alone; what cannot be looked at is left out."""
    listing = FolderListing(folder=folder, taken_ns=taken_ns)
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file():
                    listing.stamps[entry.name] = _stamp(Path(entry.path))
    except OSError:  # the folder went, or a file of it while it was listed: an index of fewer files
        pass
    return listing


def _stamp(path: Path) -> Stamp:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
