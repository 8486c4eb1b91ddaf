"""The contact sheet of a study's report: which trials and prompts, and where their pictures lie."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pages.run_data import PromptPictures
from pages.run_folder import read_run_folder
from pages.sweep_data import SheetPicture, SheetRow, SweepSheet
from pages.sweep_sheet import MAX_ROWS
from sweeper.answer.names import settings_words
from sweeper.answer.records import Answer
from sweeper.report.values import BASELINE, page_link, roles_of
from sweeper.study.records import StudyRecord, TrialRecord


@dataclass(kw_only=True, slots=True, frozen=True)
class _Folder:
    """A trial and what its run folder holds."""

    trial: TrialRecord
    prompts: Sequence[PromptPictures]


def sheet_of(record: StudyRecord, answer: Answer) -> SweepSheet:
    """The winner, the default, the base model, true pictures, then the others, the best first."""
    order = [ranked.number for ranked in answer.ranking]
    first = [number for number in (answer.winner, BASELINE) if number in order]
    numbers = list(dict.fromkeys([*first, *order]))
    shown = numbers[: MAX_ROWS - 2]
    folders = [
        _Folder(trial=trial, prompts=read_run_folder(trial.folder).prompts)
        for trial in (record.trial(number) for number in shown)
    ]
    objective = next(iter(record.objectives), "")
    rows = [_row(one, record, answer, objective) for one in folders]
    top = len(dict.fromkeys(first))
    prompts = list(dict.fromkeys(prompt.prompt for one in folders for prompt in one.prompts))
    measures = [
        SheetRow(title="base model", note="without a LoRA", pictures=_shared(folders, record, "base")),
        SheetRow(title="true pictures", pictures=_shared(folders, record, "true")),
    ]
    return SweepSheet(
        prompts=prompts,
        rows=[*rows[:top], *(row for row in measures if row.pictures), *rows[top:]],
        score=objective.replace("_", " "),
        left_out=[f"trial {number}" for number in numbers[len(shown) :]],
    )


def _row(one: _Folder, record: StudyRecord, answer: Answer, objective: str) -> SheetRow:
    trial = one.trial
    scores = trial.prompt_values.get(objective, {})
    roles = roles_of(trial.number, record, answer)
    return SheetRow(
        title=f"trial {trial.number}" + (f", {' = '.join(roles)}" if roles else ""),
        note=settings_words(trial.params, answer.short_names),
        number=trial.number,
        link=page_link(trial, record),
        pictures=_pictures(one.prompts, "final", record, scores),
    )


def _shared(folders: Sequence[_Folder], record: StudyRecord, kind: str) -> dict[str, SheetPicture]:
    """The pictures that all trials have alike, from the first folder that holds them."""
    for one in folders:
        found = _pictures(one.prompts, kind, record, {})
        if any(picture.path.is_file() for picture in found.values()):
            return found
    return {}


def _pictures(
    prompts: Sequence[PromptPictures], kind: str, record: StudyRecord, scores: Mapping[str, float]
) -> dict[str, SheetPicture]:
    """Prompt -> the picture of its first seed that has one."""
    found: dict[str, SheetPicture] = {}
    for prompt in prompts:
        paths = [{"final": pair.final, "base": pair.base, "true": pair.true}[kind] for pair in prompt.pairs]
        path = next((path for path in paths if path is not None), None)
        if path is not None:
            score = scores.get(prompt.prompt)
            found[prompt.prompt] = SheetPicture(path=path, link=_link(path, record), score=score)
    return found


def _link(path: Path, record: StudyRecord) -> str:
    return os.path.relpath(path, record.folder)
