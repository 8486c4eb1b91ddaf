"""The live line of a run: step, loss, pictures a second, time left."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class TrainingProgress:
    """A progress bar on a terminal; elsewhere a plain line now and then, so that a log stays readable."""

    def __init__(self, console: Console, *, total: int, done: int) -> None:
        self._console = console
        self._total = total
        self._every = max(1, total // 10)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TextColumn("{task.fields[speed]:.1f} pictures/s"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            transient=False,
        )
        self._task = self._bar.add_task("training", total=total, completed=done, loss=float("nan"), speed=0.0)

    def __enter__(self) -> "TrainingProgress":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, step: int, *, loss: float, speed: float) -> None:
        """Show that `step` steps are done."""
        self._bar.update(self._task, completed=step, loss=loss, speed=speed)
        if not self._console.is_terminal and (step % self._every == 0 or step == self._total):
            self._console.print(f"step {step}/{self._total}  loss {loss:.4f}  {speed:.1f} pictures/s")

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, highlight=False)
