"""One pass over pictures: each is decoded once for all who have not seen it, ahead of the encoder."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from PIL import Image

from engine.compose.device import num_threads
from engine.data.ahead import in_order
from evaluation.encoders.file_hashes import FileHashes
from evaluation.encoders.pictures import UNREADABLE, decode_picture

OnProgress = Callable[[int, int], None]  # pictures that are done, pictures in all

_MOST_THREADS = 8


class Looker(Protocol):
    """Who wants to see pictures: an encoder with its memory, the facts of pixels."""

    batch_size: int

    def is_known(self, content: str) -> bool:
        """Whether the picture of these bytes (sha256) was seen, now or by an earlier process."""
        ...

    def prepare(self, picture: Image.Image) -> object:
        """What is needed of an RGB picture, small; called by several threads."""
        ...

    def keep(self, contents: Sequence[str], prepared: Sequence[object]) -> None:
        """See a batch of prepared pictures and remember what was seen."""
        ...

    def is_refused(self, content: str, prepared: object | None) -> bool:
        """Whether the others need not look at a picture, known or just prepared: it is faulty."""
        ...


@dataclass(slots=True)
class _Seen:
    """What a thread brings back of one picture."""

    path: Path
    content: str | None = None  # None: the file cannot be read
    prepared: list[tuple[Looker, object]] = field(default_factory=list)
    error: Exception | None = None


def look_at(
    paths: Sequence[Path],
    lookers: Sequence[Looker],
    *,
    hashes: FileHashes,
    on_progress: OnProgress | None = None,
) -> dict[Path, Exception]:
    """Show each picture to those who do not know it; memory holds a batch and what lies ready, not the rest.

    lookers  in the order in which they look at a picture: one that refuses it keeps it from those behind
    returns  the pictures that cannot be read, with why
    raises   what a looker raises
    """
    queues = _Queues(lookers)
    failed: dict[Path, Exception] = {}
    unique = list(dict.fromkeys(paths))
    todo = [path for path in unique if not _is_seen(path, lookers, hashes)]
    ahead = max((looker.batch_size for looker in lookers), default=1)
    threads = min(_MOST_THREADS, num_threads(None))
    found = in_order(lambda path: _see(path, lookers, hashes), todo, threads=threads, ahead=ahead)
    for done, seen in enumerate(found, start=len(unique) - len(todo) + 1):
        if seen.error is not None:
            failed[seen.path] = seen.error
        elif seen.content is not None:
            queues.add(seen.content, seen.prepared)
        if on_progress is not None and done < len(unique):
            on_progress(done, len(unique))
    queues.flush()
    hashes.save()
    if on_progress is not None:
        on_progress(len(unique), len(unique))
    return failed


class _Queues:
    """What was prepared and not yet kept; a content that is queued is not queued again."""

    def __init__(self, lookers: Sequence[Looker]) -> None:
        self._waiting: list[tuple[Looker, dict[str, object]]] = [(looker, {}) for looker in lookers]

    def add(self, content: str, prepared: Sequence[tuple[Looker, object]]) -> None:
        for looker, what in prepared:
            (queue,) = (queue for of, queue in self._waiting if of is looker)
            if content in queue or looker.is_known(content):  # a copy of it came first
                continue
            queue[content] = what
            if len(queue) >= looker.batch_size:
                _flush(looker, queue)

    def flush(self) -> None:
        for looker, queue in self._waiting:
            if queue:
                _flush(looker, queue)


def _flush(looker: Looker, queue: dict[str, object]) -> None:
    looker.keep(list(queue), list(queue.values()))
    queue.clear()


def _is_seen(path: Path, lookers: Sequence[Looker], hashes: FileHashes) -> bool:
    """Without a thread: a few small reads of the cache are done sooner than handed over."""
    try:
        content = hashes.known(path)
    except OSError:
        return False
    return content is not None and not _wanting(content, lookers)


def _see(path: Path, lookers: Sequence[Looker], hashes: FileHashes) -> _Seen:
    """Runs in a thread. The hash is of the bytes that are decoded, whatever happens to the file meanwhile."""
    try:
        content, data = hashes.read(path)
        seen = _Seen(path, content)
        wanting = _wanting(content, lookers)
        if wanting:
            _show(decode_picture(io.BytesIO(data)), wanting, seen)
        return seen
    except UNREADABLE as error:
        return _Seen(path, error=error)


def _show(picture: Image.Image, wanting: Sequence[Looker], seen: _Seen) -> None:
    assert seen.content is not None
    for looker in wanting:
        prepared = looker.prepare(picture)
        seen.prepared.append((looker, prepared))
        if looker.is_refused(seen.content, prepared):
            return


def _wanting(content: str, lookers: Sequence[Looker]) -> list[Looker]:
    wanting: list[Looker] = []
    for looker in lookers:
        if not looker.is_known(content):
            wanting.append(looker)
        elif looker.is_refused(content, None):
            break
    return wanting
