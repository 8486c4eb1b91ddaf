"""python -m sweeper best: the answer of a study, its files, and a copy of the winning LoRA file."""

import shutil
import sys
from pathlib import Path

from rich.console import Console

from engine.config.errors import ConfigError
from sweeper.answer.answer import answer_of
from sweeper.answer.best_file import BestFiles, best_files
from sweeper.answer.records import Answer
from sweeper.answer.table import print_answer
from sweeper.commands.arguments import Arguments
from sweeper.commands.studies import chosen_study, open_study, readable
from sweeper.study.records import StudyRecord


def best(arguments: Arguments) -> int:
    """Print the answer; 1 where there is no winner yet."""
    study = open_study(chosen_study(arguments), arguments.storage)
    answer, console = answer_of(study.record), Console(file=sys.stdout)
    target = _target(arguments, study.record)
    print_answer(study.record, answer, console, _files(study.record, answer))
    if answer.winner is None:
        return 1
    lines = [("weights", answer.weights), ("report", study.folder.report)]
    if target is not None:
        with readable(study.folder):
            lines.append(("copied", _copy(answer, target, is_forced=arguments.is_on("force"))))
    for label, path in lines:
        if path is not None and path.is_file():
            console.print(f"{label:<8} {path}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _files(record: StudyRecord, answer: Answer) -> BestFiles | None:
    """best.yaml, if it is of this winner: a sweep that still runs writes it at its end."""
    files = best_files(record)
    try:
        text = files.best.read_text(encoding="utf-8")
    except OSError:
        return None
    return files if f"\n# Trial {answer.winner} of {record.name}." in text else None


def _target(arguments: Arguments, record: StudyRecord) -> Path | None:
    folder = arguments.path("copy_to")
    if folder is None:
        return None
    if not folder.is_dir():
        raise ConfigError(f"copy_to={folder}: no such folder. Make it, or correct its name.")
    return folder / f"{record.name}-best.safetensors"


def _copy(answer: Answer, target: Path, *, is_forced: bool) -> Path:
    source = answer.weights
    if source is None or not source.is_file():
        raise ConfigError(
            f"copy_to={target.parent}: the file of trial {answer.winner} is not here ({source}). Run this on "
            "the machine that has the study's folder, or make the file again with the command above."
        )
    if target.exists() and not is_forced:
        if target.read_bytes() == source.read_bytes():
            return target
        raise ConfigError(f"copy_to={target.parent}: {target.name} is there and differs. Add force=true.")
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, part)
    part.replace(target)
    return target
