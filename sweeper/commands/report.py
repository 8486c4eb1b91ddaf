"""python -m sweeper report: report.html and trials.csv from what the storage holds now."""

import sys

from rich.console import Console
from rich.text import Text

from sweeper.answer.answer import answer_of
from sweeper.answer.trials_csv import write_trials_csv
from sweeper.commands.arguments import Arguments
from sweeper.commands.studies import chosen_study, open_study, readable
from sweeper.report.page import write_report


def report(arguments: Arguments) -> int:
    """Write both and print where they are."""
    study = open_study(chosen_study(arguments), arguments.storage)
    answer = answer_of(study.record)
    with readable(study.folder):
        path = write_report(study.record, answer)
        write_trials_csv(study.record, study.folder.table)
    Console(file=sys.stdout).print(Text(answer.sentence))
    print(f"report   {path}")
    print(f"table    {study.folder.table}")
    return 0
