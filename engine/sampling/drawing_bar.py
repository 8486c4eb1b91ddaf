"""The live line while a set of pictures is drawn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def drawing_bar(console: Console, title: str, *, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, gone when the block ends; elsewhere nothing, so that a log stays short.

    yields  what is told how many pictures are done
    """
    if not console.is_terminal:
        yield lambda done: None
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
    task = bar.add_task(title, total=total)
    with bar:
        yield lambda done: bar.update(task, completed=done)
