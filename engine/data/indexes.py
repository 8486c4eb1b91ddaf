"""What was read of the folders of a data set, now and by earlier runs."""

import hashlib
from pathlib import Path

from engine.data.folder import FolderListing
from engine.data.headers import header_reader
from engine.data.scan_index import ScanIndex, index_file, load_index, save_index


class Indexes:
    """An index for each folder, below the cache folder; without one nothing outlives the run."""

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._cache_dir = cache_dir
        self._folders: dict[Path, tuple[ScanIndex, FolderListing]] = {}

    def of(self, listing: FolderListing) -> ScanIndex:
        """The index of a folder, to be read from and added to."""
        earlier = self._folders.get(listing.folder)
        index = earlier[0] if earlier is not None else ScanIndex()
        if earlier is None and self._cache_dir is not None:
            index = load_index(index_file(self._cache_dir, listing.folder), reader=header_reader())
        self._folders[listing.folder] = index, listing
        return index

    def sha256(self, file: Path, folder: Path) -> str:
        """Of the bytes of a file in a folder, in hexadecimal; read where the index does not know it.

        raises  OSError
        """
        name = file.relative_to(folder).as_posix() if file.is_relative_to(folder) else ""
        index, listing = self._folders.get(folder, (ScanIndex(), None))
        if listing is None or name not in listing.stamps:
            return _sha256(file)
        known = index.known_content(listing, name)
        if known is None:
            known = _sha256(file)
            index.add_content(listing, name, known)
        return known

    def save(self) -> None:
        """Write what was read anew; where that cannot be, the next run is only slower."""
        for index, listing in self._folders.values():
            if self._cache_dir is not None:
                file = index_file(self._cache_dir, listing.folder)
                save_index(index, file, listing, reader=header_reader())


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
