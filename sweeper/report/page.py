"""report.html of a study: the record and its answer as the data of the page."""

from collections.abc import Mapping
from pathlib import Path

from pages.gallery_data import HIGHER, LOWER
from pages.numbers import places_for
from pages.sweep_data import (
    SignalRow,
    SweepConfirmed,
    SweepDimension,
    SweepImportances,
    SweepObjective,
    SweepPage,
    SweepPruning,
    SweepTrial,
)
from pages.sweep_page import write_sweep_page
from sweeper.answer.names import settings_words
from sweeper.answer.records import Answer, AnswerKind, ConfirmedSetting
from sweeper.config import Direction
from sweeper.report.facts import facts_of, ran_of
from sweeper.report.sheet import sheet_of
from sweeper.report.values import change_of, mean_of, page_link, roles_of, settings_of, value_of
from sweeper.report.winner import winner_part
from sweeper.study.folder import StudyFolder
from sweeper.study.records import Dimension, StudyRecord, TrialRecord, TrialState

_BADGES: Mapping[AnswerKind, tuple[str, str]] = {
    AnswerKind.better: ("beats the default", "good"),
    AnswerKind.trade: ("a trade", "wait"),
    AnswerKind.within_noise: ("within the noise", "wait"),
    AnswerKind.default_best: ("the default is best", "none"),
    AnswerKind.no_comparison: ("no default to compare with", "wait"),
    AnswerKind.waiting: ("not confirmed yet", "wait"),
    AnswerKind.unconfirmed: ("not confirmed", "wait"),
    AnswerKind.single: ("one trial", "none"),
    AnswerKind.infeasible: ("nothing feasible", "bad"),
    AnswerKind.none_complete: ("nothing complete", "bad"),
    AnswerKind.all_failed: ("all failed", "bad"),
    AnswerKind.nothing_yet: ("just begun", "none"),
}


def write_report(record: StudyRecord, answer: Answer) -> Path:
    """Write report.html into the study's folder; the path of it."""
    path = StudyFolder(record.folder).report
    write_sweep_page(page_of(record, answer), path)
    return path


def page_of(record: StudyRecord, answer: Answer) -> SweepPage:
    """All that the report shows."""
    words, tone = _BADGES[answer.kind]
    objectives = [_objective(name, way, record) for name, way in record.objectives.items()]
    return SweepPage(
        title=record.name,
        sentence=answer.sentence,
        tone=tone,
        verdict=words,
        details=answer.details,
        ran=ran_of(record, answer),
        notices=answer.notices,
        winner=winner_part(record, answer),
        objectives=objectives,
        dimensions=[_dimension(dimension, answer.short_names) for dimension in record.dimensions],
        trials=_trials(record, answer),
        importances=_importances(answer),
        sheet=sheet_of(record, answer),
        pruning=_pruning(record, answer),
        confirmed=[_confirmed(setting, record, answer) for setting in answer.confirmed],
        confirm_note=_confirm_note(record, answer),
        facts=facts_of(record, answer),
    )


def _objective(name: str, way: Direction, record: StudyRecord) -> SweepObjective:
    scores = [trial.scores[name] for trial in record.trials if name in trial.scores]
    return SweepObjective(
        name=name,
        title=name.replace("_", " "),
        direction=LOWER if way is Direction.minimize else HIGHER,
        base=next((score.base for score in scores if score.base is not None), None),
        real=next((score.real for score in scores if score.real is not None), None),
        places=places_for(trial.values.get(name) for trial in record.trials),
    )


def _dimension(dimension: Dimension, names: Mapping[str, str]) -> SweepDimension:
    choices = dimension.choices
    return SweepDimension(
        key=dimension.key,
        label=names.get(dimension.key, dimension.key),
        choices=None if choices is None else [value_of(choice, dimension) for choice in choices],
        low=dimension.low,
        high=dimension.high,
        is_log=dimension.log,
        when=dimension.when,
    )


def _trials(record: StudyRecord, answer: Answer) -> list[SweepTrial]:
    ranks = {ranked.number: place for place, ranked in enumerate(answer.ranking, start=1)}
    front = set(answer.front) if len(record.objectives) > 1 else set()
    return [_trial(trial, (record, answer), ranks.get(trial.number), front) for trial in record.trials]


def _trial(
    trial: TrialRecord, study: tuple[StudyRecord, Answer], rank: int | None, front: set[int]
) -> SweepTrial:
    record, answer = study
    is_done = trial.state is TrialState.complete
    spreads = {name: trial.scores[name].spread for name in trial.values if name in trial.scores}
    broken = [
        f"{name} {record.constraints.get(name, '')}".strip() + " does not hold"
        for name, excess in trial.constraints.items()
        if excess > 0
    ]
    words = trial.outcome.value if trial.outcome and _has_ended(trial) else trial.state.value
    return SweepTrial(
        number=trial.number,
        state=trial.state.value,
        outcome="infeasible" if is_done and broken else words.replace("_", " "),
        cause=trial.cause or ", ".join(broken),
        link=page_link(trial, record),
        settings=settings_of(trial.params, record),
        values={name: value for name, value in trial.values.items() if name in record.objectives},
        spreads={name: spread for name, spread in spreads.items() if spread is not None},
        rank=rank,
        is_front=trial.number in front,
        roles=roles_of(trial.number, record, answer),
        steps_done=trial.steps_done,
        total_steps=trial.total_steps,
        seconds=trial.seconds,
        reports=trial.reports,
        notes=trial.notes,
    )


def _has_ended(trial: TrialRecord) -> bool:
    return trial.state not in (TrialState.waiting, TrialState.running)


def _importances(answer: Answer) -> list[SweepImportances]:
    several = len(answer.importances_by_objective) > 1
    title = "What decides the best" if several else f"Of {answer.importances.of}"
    groups = [(title, answer.importances)]
    groups += [
        (f"Of {name}", one)
        for name, one in answer.importances_by_objective.items()
        if several and (one.shares, one.reason) != (answer.importances.shares, answer.importances.reason)
    ]
    return [
        SweepImportances(
            title=title,
            shares={answer.short_names.get(key, key): share for key, share in one.shares.items()},
            num_trials=one.num_trials,
            reason=one.reason,
        )
        for title, one in groups
        if one.shares or one.reason
    ]


def _pruning(record: StudyRecord, answer: Answer) -> SweepPruning:
    is_off = record.prune_on is None or record.pruner == "none"
    return SweepPruning(
        signal=None if is_off else record.prune_on,
        rule=f"Pruner: {record.pruner}.",
        stopped=[(one.number, one.step) for one in answer.pruned.trials],
        saved_steps=answer.pruned.saved_steps,
        saved_seconds=answer.pruned.saved_seconds,
        share_of_steps=answer.pruned.share_of_steps,
        checks=[
            SignalRow(
                objective=check.objective,
                step=check.step,
                correlation=check.correlation,
                n=check.n,
                is_last=check.is_last,
                reason=check.reason,
            )
            for check in answer.signal
        ],
    )


def _confirmed(setting: ConfirmedSetting, record: StudyRecord, answer: Answer) -> SweepConfirmed:
    runs = [run for run in record.confirmations if run.of == setting.of]
    links = [(f"seed {run.seed}", page_link(run, record)) for run in runs]
    numbers = {name: mean_of(setting, name) for name in setting.means}
    return SweepConfirmed(
        of=setting.of,
        settings=settings_words(record.trial(setting.of).params, answer.short_names),
        roles=roles_of(setting.of, record, answer),
        seeds=setting.seeds,
        num_missing=setting.num_missing,
        num_failed=setting.num_failed,
        values=setting.values,
        numbers={name: number for name, number in numbers.items() if number is not None},
        changes={name: change_of(difference) for name, difference in setting.differences.items()},
        optimism=setting.optimism,
        links=[(words, link) for words, link in links if link is not None],
    )


def _confirm_note(record: StudyRecord, answer: Answer) -> str:
    if answer.num_missing:
        return f"{answer.num_missing} confirmation runs have not ended yet."
    if not answer.confirmed and answer.ranking:
        return "Nothing was trained again: what is best here rests on one training seed each."
    return ""
