"""From a study's record to its answer."""

from collections.abc import Sequence

from sweeper.answer.confirm import BASELINE
from sweeper.answer.confirmed import read_confirmations
from sweeper.answer.importance import importances_by_objective, importances_of
from sweeper.answer.names import settings_words, short_names
from sweeper.answer.notes import details_of, notices_of
from sweeper.answer.pareto import complete_trials
from sweeper.answer.pruned import pruned_of, signal_checks
from sweeper.answer.records import Answer, ConfirmedSetting
from sweeper.answer.verdict import Facts, Said, outcome_counts, say
from sweeper.answer.winner import rank_trials, rule_of
from sweeper.study.records import StudyRecord, TrialRecord, TrialState

_FEWEST_RUNS = 4  # two settings with two seeds: below that no confirmation is planned
_PENDING = (TrialState.waiting, TrialState.running)


def answer_of(record: StudyRecord) -> Answer:
    """Everything that the study says as it stands; the same record gives the same answer."""
    rule = rule_of(record)
    ranking = rank_trials(record, rule)
    confirmed = read_confirmations(record, rule)
    by_objective = importances_by_objective(record)
    importances = importances_of(record, rule, by_objective)
    names = short_names([dimension.key for dimension in record.dimensions])
    num_missing = _num_missing(record, has_candidates=any(one.number != BASELINE for one in ranking))
    facts = Facts(
        record=record,
        ranking=ranking,
        confirmed=confirmed,
        num_missing=num_missing,
        importances=importances,
        names=names,
    )
    said, pruned, checks = say(facts), pruned_of(record), signal_checks(record)
    winner = None if said.winner is None else record.trial(said.winner)
    complete = complete_trials(record.trials, record.objectives)
    return Answer(
        kind=said.kind,
        sentence=said.sentence,
        details=tuple(details_of(facts, said, pruned)),
        notices=tuple(notices_of(facts, said, rule, checks)),
        rule=rule.words,
        ranking=tuple(ranking),
        front=tuple(sorted(one.number for one in ranking if one.is_front)),
        search_best=ranking[0].number if ranking else None,
        winner=said.winner,
        is_confirmed=said.is_confirmed,
        winner_seeds=_seeds_of(said, confirmed),
        has_baseline=record.begins_with_default and any(trial.number == BASELINE for trial in complete),
        confirmed=tuple(confirmed),
        num_missing=num_missing,
        importances=importances,
        importances_by_objective=by_objective,
        pruned=pruned,
        signal=tuple(checks),
        short_names=names,
        settings="" if winner is None else settings_words(winner.params, names),
        command="" if winner is None else winner.command,
        weights=None if winner is None else winner.weights,
        counts=outcome_counts(record.trials),
    )


def winner_of(record: StudyRecord, answer: Answer) -> TrialRecord | None:
    """The search trial whose settings are the answer."""
    return None if answer.winner is None else record.trial(answer.winner)


def _num_missing(record: StudyRecord, *, has_candidates: bool) -> int:
    """Confirmations that have not ended; what is planned counts too before any setting found is queued.

    The default's own runs may come before the search has ended, and say nothing by themselves.
    """
    pending = sum(trial.state in _PENDING for trial in record.confirmations)
    if any(trial.of != BASELINE for trial in record.confirmations):
        return pending
    if not has_candidates or record.num_confirmations < _FEWEST_RUNS:
        return pending
    return max(pending, record.num_confirmations - (len(record.confirmations) - pending))


def _seeds_of(said: Said, confirmed: Sequence[ConfirmedSetting]) -> int:
    return next((len(setting.seeds) for setting in confirmed if setting.of == said.winner), 0)
