"""The last lines of a run: how it ended, what it scored, where everything is."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from engine.config.outcome import Outcome
from engine.training.result import TrainResult
from engine.training.saves import saved_files

_EXIT_CODES = {Outcome.completed: 0, Outcome.pruned: 0, Outcome.interrupted: 130}
GOES_ON = "The same command goes on from the last checkpoint."


def exit_code(outcome: Outcome) -> int:
    """What the program returns to the shell: 0 completed or pruned, 130 interrupted, else 1."""
    return _EXIT_CODES.get(outcome, 1)


def finish(
    result: TrainResult,
    score_lines: Sequence[str],
    page: Path,
    console: Console,
    *,
    missing: Sequence[str] = (),
) -> None:
    """Print the summary; leave the program where the run did not reach its end (SystemExit).

    missing  sentences about scores that the run was to end with and that are not there: exit code 1
    """
    for line in summary_lines(result, score_lines, page):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for line in missing if result.outcome is Outcome.completed else ():
        print(line, file=sys.stderr)
    if code := exit_code(result.outcome) or int(bool(missing)):
        sys.exit(code)


def summary_lines(result: TrainResult, score_lines: Sequence[str], page: Path) -> list[str]:
    """Outcome, scores before and after, the weights, the page, and what can be done next."""
    lines = ["", _outcome(result)]
    if result.outcome in (Outcome.interrupted, Outcome.out_of_memory, Outcome.failed):
        lines.append(GOES_ON)
    if result.outcome is Outcome.completed:
        lines += [*score_lines, f"weights  {result.weights}"]
    if saves := saved_files(result.name, result.folder):
        lines.append(f"on the way  {len(saves)} more, the last {saves[-1].name}")
    return [*lines, f"page     {page}", *result.tracker_lines]


def _outcome(result: TrainResult) -> str:
    name = result.outcome.value.replace("_", " ")
    words = f"{name} after {result.steps_done} of {result.total_steps} steps"
    if result.reused:
        words = f"This run has already ended ({words}); force=true repeats it"
    else:
        words += f" in {result.seconds:.0f} s"
    return words + (f": {result.cause}" if result.cause else "")
