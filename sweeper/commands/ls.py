"""python -m sweeper ls: the studies of a folder in a table."""

import sys
from typing import TYPE_CHECKING

from engine.config.errors import ConfigError
from sweeper.commands.arguments import Arguments
from sweeper.commands.studies import OpenStudy, open_study, studies_in
from sweeper.study.folder import StudyFolder

if TYPE_CHECKING:
    from sweeper.answer.records import Answer


def list_studies(arguments: Arguments) -> int:
    """One line a study; one that cannot be read says why below the table. 1 if there is none at all."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    folders = studies_in(arguments.folder)
    if not folders:
        print(f"no studies in {arguments.folder}", file=sys.stderr)
        return 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("study", overflow="fold")
    table.add_column("ended", justify="right", no_wrap=True)
    table.add_column("best", overflow="fold")
    table.add_column("state", overflow="fold")
    table.add_column("last sign", no_wrap=True)
    problems = []
    for folder in folders:
        cells, problem = _cells(folder, arguments.storage)
        table.add_row(*cells)
        problems += problem
    Console(file=sys.stdout).print(table)
    for text in problems:
        print(text.replace("hydra.sweeper.", ""), file=sys.stderr)
    return 2 if problems else 0


def _cells(folder: StudyFolder, storage: str | None) -> tuple[list[str], list[str]]:
    from rich.markup import escape

    from sweeper.answer.answer import answer_of
    from sweeper.commands.state import ago_words, num_ended, state_of

    try:
        journal = folder.read().storage == "journal"
        study = open_study(folder, None if journal else storage)
    except ConfigError as error:
        return [escape(folder.root.name), "", "", "cannot be read", ""], [*error.problems]
    answer = answer_of(study.record)
    state = state_of(study, answer)
    record = study.record
    ended = num_ended([*record.trials, *record.confirmations])
    planned = (record.num_trials or 0) + record.num_confirmations
    total = "" if record.num_trials is None else f"/{max(planned, ended)}"
    cells = [f"{ended}{total}", _best(study, answer), state.words, ago_words(state.last_sign)]
    return [escape(text) for text in (record.name, *cells)], []


def _best(study: OpenStudy, answer: "Answer") -> str:
    """likeness 0.760 (trial 7, confirmed); what the search found while nothing is confirmed."""
    from sweeper.answer.words import number_words

    number = answer.search_best if answer.winner is None else answer.winner
    if number is None:
        return ""
    means = next((one.means for one in answer.confirmed if one.of == number and one.means), None)
    values = means or study.record.trial(number).values
    numbers = ", ".join(f"{name} {number_words(value)}" for name, value in values.items())
    return f"{numbers} (trial {number}{', confirmed' if answer.is_confirmed else ''})"
