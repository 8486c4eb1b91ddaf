"""The live line while pictures are drawn or looked at."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def drawing_bar(console: Console, title: str, *, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar over a known number of pictures.

    yields  what is told how many pictures are done
    """
    with progress_bar(console, title) as on_progress:
        yield lambda done: on_progress(done, total)


@contextmanager
def progress_bar(console: Console, title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, gone when the block ends; elsewhere nothing, so that a log stays short.

    yields  what is told how many pictures of how many are done
    """
    if not console.is_terminal:
        yield lambda done, total: None
        return
    bar = Progress(
        TextColumn(title, markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        transient=True,
    )
    task = bar.add_task(title, total=None)
    with bar:
        yield lambda done, total: bar.update(task, completed=done, total=total)
