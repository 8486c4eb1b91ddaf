"""The sentence that is the answer of a study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.config.outcome import Outcome
from evaluation.maths.statistics import half_width
from sweeper.answer.confirm import BASELINE
from sweeper.answer.confirmed import can_win
from sweeper.answer.names import settings_words
from sweeper.answer.pareto import complete_trials
from sweeper.answer.records import AnswerKind, ConfirmedSetting, Importances, Ranked, Verdict
from sweeper.answer.words import (
    change_words,
    counts_words,
    importance_words,
    listed,
    number_words,
    seeds_words,
    told_apart,
    trials_words,
)
from sweeper.study.records import StudyRecord, TrialRecord, TrialState

_MOST_LEVEL = 3  # trials that are named; of more the number is told
_LOST = (Outcome.failed, Outcome.diverged, Outcome.out_of_memory)
_ENDED_AS: Mapping[Outcome | None, str] = {
    Outcome.pruned: "was pruned",
    Outcome.diverged: "diverged",
    Outcome.out_of_memory: "ran out of memory",
}


@dataclass(kw_only=True, slots=True, frozen=True)
class Facts:
    """What a sentence is made of."""

    record: StudyRecord
    ranking: Sequence[Ranked]
    confirmed: Sequence[ConfirmedSetting]
    num_missing: int  # confirmations
    importances: Importances
    names: Mapping[str, str]  # short ones of the keys


@dataclass(kw_only=True, slots=True, frozen=True)
class Said:
    """The sentence, and which trial it speaks for."""

    kind: AnswerKind
    sentence: str
    winner: int | None = None
    is_confirmed: bool = False


def say(facts: Facts) -> Said:
    """The one sentence for the study as it stands."""
    if not facts.ranking:
        return _without_ranking(facts.record)
    has_found = any(setting.seeds for setting in facts.confirmed if setting.of != BASELINE)
    if facts.num_missing or not has_found:
        return _from_search(facts)
    return _from_confirmed(facts)


def kind_of(setting: ConfirmedSetting) -> AnswerKind:
    """What the differences of one confirmed setting to the default say."""
    verdicts = {difference.verdict for difference in setting.differences.values()}
    if not verdicts:
        return AnswerKind.no_comparison
    if Verdict.unknown in verdicts:
        return AnswerKind.unconfirmed
    if Verdict.better in verdicts:
        return AnswerKind.trade if Verdict.worse in verdicts else AnswerKind.better
    return AnswerKind.within_noise


def _without_ranking(record: StudyRecord) -> Said:
    ended = [trial for trial in record.trials if trial.outcome not in (None, Outcome.interrupted)]
    if not ended:
        return Said(kind=AnswerKind.nothing_yet, sentence="No trial has ended yet.")
    complete = complete_trials(record.trials, record.objectives)
    if complete:
        return Said(kind=AnswerKind.infeasible, sentence=_infeasible(complete, record))
    counts = counts_words(outcome_counts(ended))
    first = next((trial for trial in ended if trial.outcome in _LOST and trial.cause), None)
    cause = f" Trial {first.number}: {first.cause}" if first else ""
    if all(trial.outcome in _LOST for trial in ended) and len(ended) == len(record.trials):
        words = (
            f"All {trials_words(len(ended))} failed ({counts})."
            if len(ended) > 1
            else f"The only trial {_ENDED_AS.get(ended[0].outcome, 'failed')}."
        )
        return Said(kind=AnswerKind.all_failed, sentence=f"{words}{cause}")
    yet = " yet" if len(ended) < len(record.trials) else ""
    return Said(kind=AnswerKind.none_complete, sentence=f"No trial has completed{yet} ({counts}).{cause}")


def outcome_counts(trials: Sequence[TrialRecord]) -> dict[str, int]:
    """How many ended how: outcome, or the state of what has not ended -> trials."""
    counts: dict[str, int] = {}
    for trial in trials:
        has_ended = trial.state not in (TrialState.waiting, TrialState.running) and trial.outcome is not None
        name = trial.outcome.value if has_ended and trial.outcome else trial.state.value
        counts[name] = counts.get(name, 0) + 1
    return counts


def is_searching(record: StudyRecord) -> bool:
    """Whether trials of the search are still to come."""
    has_open = any(trial.state in (TrialState.waiting, TrialState.running) for trial in record.trials)
    return has_open or (record.stopped is None and len(record.trials) < (record.num_trials or 0))


def _infeasible(complete: Sequence[TrialRecord], record: StudyRecord) -> str:
    broken: dict[str, list[float]] = {}
    for trial in complete:
        for name, excess in trial.constraints.items():
            if excess > 0:
                broken.setdefault(name, []).append(excess)
    parts = [
        f"{name} {record.constraints.get(name, '')}".strip()
        + f" ({trials_words(len(beyond))}, the nearest {number_words(min(beyond))} beyond)"
        for name, beyond in broken.items()
    ]
    if len(complete) == 1:
        return f"No trial can win: the only one that completed breaks a constraint: {listed(parts)}."
    count = trials_words(len(complete))
    return f"No trial can win: all {count} that completed break a constraint: {listed(parts)}."


def _from_search(facts: Facts) -> Said:
    """Nothing confirmed, or not all of it: the best of one training seed each."""
    best, count = facts.ranking[0].number, len(facts.ranking)
    among = f"{trials_words(count)}{' so far' * is_searching(facts.record)}{_level(facts.ranking)}"
    trials = {trial.number: trial for trial in complete_trials(facts.record.trials, facts.record.objectives)}
    tail = _tail(facts)
    kind = AnswerKind.waiting if facts.num_missing else AnswerKind.unconfirmed
    is_default = facts.record.begins_with_default
    if best == BASELINE and is_default:
        words = settings_words(trials[best].params, facts.names)
        if count == 1:
            only = (
                f"Only trial 0, your default ({words}), has completed: there is nothing to compare it with."
            )
            return Said(kind=AnswerKind.single, sentence=f"{only} {_values(trials[best])}.", winner=best)
        kind = kind if facts.num_missing else AnswerKind.default_best
        sentence = f"Trial 0, your default ({words}), is the best of {among}"
        return Said(kind=kind, sentence=f"{sentence}: {_values(trials[best])}{tail}", winner=best)
    if BASELINE not in trials or not is_default:
        kind = AnswerKind.no_comparison if is_default and not facts.num_missing else kind
        words = settings_words(trials[best].params, facts.names)
        sentence = f"{words} (trial {best}) is the best of {among}: {_values(trials[best])}{tail}"
        why = f" {_no_baseline(facts.record)}" if is_default else ""
        return Said(kind=kind, sentence=f"{sentence}{why}", winner=best)
    own, default = told_apart(trials[best].params, _defaults(facts.record), facts.names)
    changes = listed(_search_changes(trials[best], trials[BASELINE], facts.record))
    sentence = (
        f"{own} (trial {best}) is the best of {among}: {changes} against the declared default "
        f"({default}){tail}"
    )
    return Said(kind=kind, sentence=sentence, winner=best)


def _level(ranking: Sequence[Ranked]) -> str:
    """', level with trials 3 and 5' where others came out exactly as good as the first."""
    first = ranking[0]
    level = [
        str(one.number)
        for one in ranking[1:]
        if (one.rank_value, one.behind) == (first.rank_value, first.behind)
    ]
    if not level:
        return ""
    if len(level) > _MOST_LEVEL:
        return f", level with {len(level)} others"
    return f", level with trial{'s' * (len(level) > 1)} {listed(level)}"


def _tail(facts: Facts) -> str:
    if not facts.num_missing:
        return ", one training seed each: not confirmed."
    ended = sum(len(setting.seeds) + setting.num_failed for setting in facts.confirmed)
    total = ended + facts.num_missing
    return (
        f", one training seed each: not confirmed yet, {facts.num_missing} of {total} confirmation runs are "
        "missing."
    )


def _search_changes(trial: TrialRecord, baseline: TrialRecord, record: StudyRecord) -> list[str]:
    """likeness +0.170 ± 0.012, the interval over the prompts that both have."""
    words = []
    for name in record.objectives:
        after, before = trial.prompt_values.get(name, {}), baseline.prompt_values.get(name, {})
        width = half_width([after[prompt] - before[prompt] for prompt in after if prompt in before])
        change = trial.values[name] - baseline.values[name]
        over = "" if width is None else " over the prompts"
        words.append(f"{name} {number_words(change, width, is_signed=True)}{over}")
    return words


def _from_confirmed(facts: Facts) -> Said:
    able = [setting for setting in facts.confirmed if can_win(setting)]
    if not able:
        said = _from_search(facts)
        sentence = f"{said.sentence} Each confirmation of a setting failed in part: none could be confirmed."
        return Said(kind=AnswerKind.unconfirmed, sentence=sentence, winner=said.winner)
    first = able[0]
    clear = [one for one in able if kind_of(one) in (AnswerKind.better, AnswerKind.trade)]
    if first.of == BASELINE and not clear:
        return _default_is_best(facts, able)
    chosen = clear[0] if clear else first
    kind = kind_of(chosen)
    trial = facts.record.trial(chosen.of)
    own, default = told_apart(trial.params, _defaults(facts.record), facts.names)
    if kind in (AnswerKind.better, AnswerKind.trade):
        sentence = _gain_sentence(facts, chosen, own, default)
    elif kind is AnswerKind.no_comparison:
        values = _means(chosen)
        sentence = f"{own} (trial {chosen.of}) is the best of what was confirmed: {values}. The default "
        sentence += "could not be confirmed, so that there is nothing to compare it with."
    elif kind is AnswerKind.unconfirmed:
        changes = listed([change_words(name, one) for name, one in chosen.differences.items()])
        sentence = f"{own} (trial {chosen.of}): {changes} against the declared default ({default}), over a "
        sentence += "single fresh seed, which has no interval: not confirmed."
    else:
        sentence = _noise_sentence(chosen)
    return Said(
        kind=kind, sentence=sentence, winner=chosen.of, is_confirmed=kind is not AnswerKind.unconfirmed
    )


def _gain_sentence(facts: Facts, chosen: ConfirmedSetting, own: str, default: str) -> str:
    gains, losses = [], []
    for name, one in chosen.differences.items():
        words = f"{number_words(abs(one.value), one.half_width)} {name}"
        if one.verdict is Verdict.better:
            gains.append(words)
        elif one.verdict is Verdict.worse:
            losses.append(words)
    why = importance_words(facts.importances, facts.names)
    over = f"over {seeds_words(max(one.num_seeds for one in chosen.differences.values()))}"
    if losses:
        return (
            f"{own} gains {listed(gains)} over the declared default ({default}) and loses {listed(losses)}, "
            f"{over}{why}."
        )
    return f"{own} beats the declared default ({default}) by {listed(gains)} {over}{why}."


def _noise_sentence(chosen: ConfirmedSetting) -> str:
    verdicts = {one.verdict for one in chosen.differences.values()}
    why = ": the differences are within the noise" if verdicts == {Verdict.within_noise} else ""
    return f"Nothing found beats your default{why} (best: trial {chosen.of}, {_against(chosen)})."


def _default_is_best(facts: Facts, able: Sequence[ConfirmedSetting]) -> Said:
    words = settings_words(_defaults(facts.record), facts.names)
    next_one = next((setting for setting in able if setting.differences), None)
    rest = f" Next: trial {next_one.of}, {_against(next_one)}." if next_one else ""
    sentence = f"Trial 0, your default ({words}), is the best: {_means(able[0])}.{rest}"
    return Said(kind=AnswerKind.default_best, sentence=sentence, winner=BASELINE, is_confirmed=True)


def _against(setting: ConfirmedSetting) -> str:
    changes = [change_words(name, one) for name, one in setting.differences.items()]
    return f"{listed(changes)} over {seeds_words(max(one.num_seeds for one in setting.differences.values()))}"


def _means(setting: ConfirmedSetting) -> str:
    parts = [f"{name} {number_words(mean, setting.spreads[name])}" for name, mean in setting.means.items()]
    return f"{listed(parts)} over {seeds_words(len(setting.seeds))}"


def _values(trial: TrialRecord) -> str:
    return listed([f"{name} {number_words(value)}" for name, value in trial.values.items()])


def _no_baseline(record: StudyRecord) -> str:
    trial = next((one for one in record.trials if one.number == BASELINE), None)
    if trial is None or trial.outcome in (None, Outcome.interrupted):
        return "Your default, trial 0, has not ended: there is nothing to compare it with."
    cause = f" ({trial.cause})" if trial.cause else ""
    words = (
        _ENDED_AS.get(trial.outcome, "failed") if trial.outcome is not Outcome.completed else "has no score"
    )
    return f"Your default, trial 0, {words}{cause}: there is nothing to compare it with."


def _defaults(record: StudyRecord) -> Mapping[str, object]:
    if record.defaults:
        return record.defaults
    return next((trial.params for trial in record.trials if trial.number == BASELINE), {})
