"""Work that is done ahead of its consumer by a few threads, and handed over in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_MOST_THREADS = 8


def in_order(
    work: Callable[[_Item], _Result],
    items: Iterable[_Item],
    *,
    threads: int | None = None,
    ahead: int | None = None,
) -> Iterator[_Result]:
    """work(item) of each item, in order; so many at a time that memory holds a few results only.

    threads  None = one a core, at most 8
    ahead    results that lie ready while the next are made; None = as many as threads
    raises   what work raises, at the place of its item
    """
    count = threads or min(_MOST_THREADS, os.cpu_count() or 1)
    pending: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(count, thread_name_prefix="reading") as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) > count + (count if ahead is None else ahead):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
