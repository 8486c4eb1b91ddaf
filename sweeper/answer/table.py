"""The end of a sweep on a terminal: the sentence, a table of the best, and how to use what was found."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sweeper.answer.best_file import BestFiles
from sweeper.answer.confirm import BASELINE
from sweeper.answer.names import show_value
from sweeper.answer.records import Answer
from sweeper.answer.words import counts_words, listed, number_words, seconds_words, seeds_words, trials_words
from sweeper.study.records import StudyRecord, TrialRecord

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MOST_ROWS = 10  # of the best; the default is shown beside them
MOST_KEYS = {1: 4, 2: 3}  # objectives -> columns of settings that fit; of more the important ones
NARROW, KEY_WIDTH = 80, 12  # columns of a terminal, and how many more make room for one key more
FEWEST_KEYS = 2  # beside three objectives and more, which then stand without their spread


def print_answer(
    record: StudyRecord, answer: Answer, console: "Console", files: BestFiles | None = None
) -> None:
    """The whole end of a sweep; only the lines that one copies are not wrapped."""
    from rich.padding import Padding
    from rich.text import Text

    console.print()
    if answer.ranking:
        console.print(answer_table(record, answer, width=console.width))
    for line in [*lines_of_answer(record, answer), *lines_of_files(files)]:
        if line.startswith("  python "):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            indent = len(line) - len(line.lstrip())
            console.print(Padding(Text(line.strip()), (0, 0, 0, indent), expand=False))


def lines_of_answer(record: StudyRecord, answer: Answer) -> list[str]:
    """The sentence, figures, warnings, and the command that makes the winner's file."""
    lines = [answer.sentence, *(f"  {detail}" for detail in answer.details)]
    lines += [f"  {line}" for line in _confirmed_lines(answer)]
    lines += [f"  note: {notice}" for notice in answer.notices]
    lost = {name: count for name, count in answer.counts.items() if name != "completed"}
    if lost and answer.ranking:
        lines.append(f"  {trials_words(len(record.trials))}, of them {counts_words(lost)}")
    if answer.command and answer.winner is not None:
        lines += [f"Trial {answer.winner} by itself:", f"  {answer.command}"]
    return lines


def lines_of_files(files: BestFiles | None) -> list[str]:
    """How to use best.yaml."""
    return [] if files is None else [f"From its config, {files.best.name}:", f"  {files.command}"]


def answer_table(record: StudyRecord, answer: Answer, *, width: int = 80) -> "Table":
    """The ten best of the search and the default: outcome, objectives, settings, seconds.

    * = on the Pareto front (several objectives), > = the winner.
    """
    from rich import box
    from rich.table import Table

    keys = _keys(record, answer, width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title=_title(record, answer))
    table.add_column("trial", justify="right", no_wrap=True)
    for name in record.objectives:
        table.add_column(name, justify="right", no_wrap=True)
    for key in keys:
        table.add_column(answer.short_names.get(key, key), justify="right", overflow="fold")
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for trial in shown_trials(record, answer):
        table.add_row(
            *_cells(trial, record, answer, keys), style="bold" if trial.number == answer.winner else ""
        )
    return table


def shown_trials(record: StudyRecord, answer: Answer) -> list[TrialRecord]:
    """The best ten in their order, then the winner and the default where they are not among them."""
    numbers = [ranked.number for ranked in answer.ranking[:MOST_ROWS]]
    numbers += [number for number in (answer.winner,) if number is not None and number not in numbers]
    by_number = {trial.number: trial for trial in record.trials}
    if record.begins_with_default and BASELINE not in numbers:
        numbers.append(BASELINE)
    return [by_number[number] for number in numbers]


def _confirmed_lines(answer: Answer) -> Iterator[str]:
    """confirmed: trial 7 likeness 0.760 ± 0.025 (3 seeds)."""
    for setting in answer.confirmed:
        if setting.seeds:
            means = [
                f"{name} {number_words(mean, setting.spreads[name])}" for name, mean in setting.means.items()
            ]
            name = "the default" if setting.of == BASELINE else f"trial {setting.of}"
            yield f"confirmed: {name}, {listed(means)} ({seeds_words(len(setting.seeds))})"


def _title(record: StudyRecord, answer: Answer) -> str:
    count, shown = len(record.trials), len(shown_trials(record, answer))
    return f"{record.name}: {trials_words(count)}" + (f", the best {shown}" if shown < count else "")


def _keys(record: StudyRecord, answer: Answer, width: int) -> list[str]:
    """The searched keys, in the order of the space; of too many for the width the most important."""
    keys = [dimension.key for dimension in record.dimensions]
    keys = [key for place, key in enumerate(keys) if key not in keys[:place]]
    most = MOST_KEYS.get(len(record.objectives), FEWEST_KEYS) + max(0, width - NARROW) // KEY_WIDTH
    if len(keys) <= most:
        return keys
    shares: Mapping[str, float] = answer.importances.shares
    kept = sorted(keys, key=lambda key: (-shares.get(key, 0.0), keys.index(key)))[:most]
    return [key for key in keys if key in kept]


def _cells(trial: TrialRecord, record: StudyRecord, answer: Answer, keys: Sequence[str]) -> Iterator[str]:
    is_winner = trial.number == answer.winner
    is_front = len(record.objectives) > 1 and trial.number in answer.front
    yield f"{'>' if is_winner else ''}{trial.number}{'*' if is_front else ''}"
    for name in record.objectives:
        score = trial.scores.get(name)
        value = trial.values.get(name)
        spread = score.spread if score and len(record.objectives) in MOST_KEYS else None
        yield "" if value is None else number_words(value, spread)
    for key in keys:
        yield show_value(trial.params[key]) if key in trial.params else ""
    yield seconds_words(trial.seconds)
    words = [] if trial.outcome is None else [trial.outcome.value.replace("_", " ")]
    words = [] if words == ["completed"] else words
    words += [f"over {name}" for name, excess in trial.constraints.items() if excess > 0]
    is_default = trial.number == BASELINE and record.begins_with_default
    yield ", ".join(["default"] * is_default + words)
