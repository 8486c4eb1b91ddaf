"""What the confirmations say: a mean and a spread for each setting, and its difference to the default."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev

from evaluation.maths.statistics import half_width
from evaluation.maths.student import t_quantile
from sweeper.answer.confirm import BASELINE
from sweeper.answer.pareto import SIGNS, complete_trials
from sweeper.answer.records import ConfirmedDifference, ConfirmedSetting, Verdict
from sweeper.answer.winner import WinnerRule
from sweeper.config import Direction
from sweeper.study.records import StudyRecord, TrialRecord, TrialState

_PROBABILITY = 0.975  # that Student's t stays below what half of a 95 % interval reckons with
_PENDING = (TrialState.waiting, TrialState.running)
_BySeed = Mapping[int, TrialRecord]


def read_confirmations(record: StudyRecord, rule: WinnerRule) -> list[ConfirmedSetting]:
    """Each setting that was planned to be confirmed; the best first, those without a result last."""
    groups: defaultdict[int, list[TrialRecord]] = defaultdict(list)
    for trial in record.confirmations:
        if trial.of is not None:
            groups[trial.of].append(trial)
    baseline = _by_seed(groups.get(BASELINE, []), record.objectives)
    settings = [_setting(of, group, record, rule, baseline) for of, group in groups.items()]
    behind = {setting.of: _stands_behind(groups[setting.of], record, rule) for setting in settings}
    return sorted(
        settings,
        key=lambda one: (
            one.rank_value is None,
            not can_win(one),
            behind[one.of],
            -(one.rank_value or 0.0),
            one.of,
        ),
    )


def can_win(setting: ConfirmedSetting) -> bool:
    """Whether a setting was confirmed without a failure."""
    return setting.rank_value is not None and setting.num_failed == 0


def mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean, and half the width of its 95 % t interval; None for a single value."""
    if len(values) < 2:
        return fmean(values), None
    return fmean(values), t_quantile(_PROBABILITY, len(values) - 1) * stdev(values) / sqrt(len(values))


def compare(
    setting: _BySeed, baseline: _BySeed, objective: str, direction: Direction
) -> ConfirmedDifference | None:
    """A setting minus the baseline, paired by training seed and by prompt; None without a common seed.

    Two sources of noise can be seen: another training seed, and other prompts. The seeds are few, so that
    their interval can be narrow by luck; the larger of the two counts.
    """
    seeds = sorted(setting.keys() & baseline.keys())
    if not seeds:
        return None
    by_seed = [setting[seed].values[objective] - baseline[seed].values[objective] for seed in seeds]
    value, over_seeds = mean_and_spread(by_seed)
    over_prompts = half_width(_changes_of_prompts(setting, baseline, objective, seeds))
    width = None if over_seeds is None else max(over_seeds, over_prompts or 0.0)
    return ConfirmedDifference(
        value=value,
        num_seeds=len(seeds),
        half_width=width,
        over_seeds=over_seeds,
        over_prompts=over_prompts,
        verdict=judge(value, width, direction),
    )


def judge(change: float, half_width: float | None, direction: Direction) -> Verdict:
    """What a difference says; one as large as its interval is within the noise."""
    if half_width is None:
        return Verdict.unknown
    if abs(change) <= half_width:
        return Verdict.within_noise
    return Verdict.better if SIGNS[direction] * change > 0 else Verdict.worse


def _setting(
    of: int, group: Sequence[TrialRecord], record: StudyRecord, rule: WinnerRule, baseline: _BySeed
) -> ConfirmedSetting:
    by_seed = _by_seed(group, record.objectives)
    trials = list(by_seed.values())
    values = {name: tuple(trial.values[name] for trial in trials) for name in record.objectives if trials}
    spreads = {name: mean_and_spread(own) for name, own in values.items()}
    means = {name: mean for name, (mean, _) in spreads.items()}
    num_missing = sum(trial.state in _PENDING for trial in group)
    differences = {} if of == BASELINE else _differences(by_seed, baseline, record.objectives)
    return ConfirmedSetting(
        of=of,
        seeds=tuple(by_seed),
        num_missing=num_missing,
        num_failed=_num_failed(group, record.objectives),
        means=means,
        spreads={name: spread for name, (_, spread) in spreads.items()},
        values=values,
        rank_value=rule.rank_value(rule.standing(trials)) if trials else None,
        differences=differences,
        optimism=_optimism(of, means, differences, record),
    )


def _by_seed(trials: Sequence[TrialRecord], objectives: Mapping[str, Direction]) -> dict[int, TrialRecord]:
    """Training seed -> the first that completed, rising; what breaks a constraint was measured too."""
    found: dict[int, TrialRecord] = {}
    for trial in complete_trials(trials, objectives):
        if trial.seed is not None:
            found.setdefault(trial.seed, trial)
    return dict(sorted(found.items()))


def _num_failed(group: Sequence[TrialRecord], objectives: Mapping[str, Direction]) -> int:
    complete = {trial.number for trial in complete_trials(group, objectives) if trial.feasible}
    return sum(trial.state not in _PENDING and trial.number not in complete for trial in group)


def _stands_behind(group: Sequence[TrialRecord], record: StudyRecord, rule: WinnerRule) -> bool:
    trials = complete_trials(group, record.objectives)
    return bool(trials) and rule.behind(rule.standing(trials)) is not None


def _differences(
    setting: _BySeed, baseline: _BySeed, objectives: Mapping[str, Direction]
) -> dict[str, ConfirmedDifference]:
    found = {name: compare(setting, baseline, name, direction) for name, direction in objectives.items()}
    return {name: difference for name, difference in found.items() if difference is not None}


def _changes_of_prompts(
    setting: _BySeed, baseline: _BySeed, objective: str, seeds: Sequence[int]
) -> list[float]:
    """One number a prompt that both have in every seed: the difference, averaged over the seeds."""
    pairs = [
        (setting[seed].prompt_values.get(objective, {}), baseline[seed].prompt_values.get(objective, {}))
        for seed in seeds
    ]
    common = set.intersection(*(set(after) & set(before) for after, before in pairs))
    return [fmean(after[prompt] - before[prompt] for after, before in pairs) for prompt in sorted(common)]


def _optimism(
    of: int,
    means: Mapping[str, float],
    differences: Mapping[str, ConfirmedDifference],
    record: StudyRecord,
) -> dict[str, float]:
    """How much better the search showed it: of the gain over the default, as the prompts are others now.

    Without a confirmed default the plain value of the search minus the confirmed mean.
    """
    searched = {trial.number: trial for trial in complete_trials(record.trials, record.objectives)}
    if of not in searched or of == BASELINE:  # the default is not chosen for what the search showed
        return {}
    found = {}
    for name, direction in record.objectives.items():
        value = searched[of].values[name]
        if name in differences and BASELINE in searched:
            excess = value - searched[BASELINE].values[name] - differences[name].value
        elif name in means:
            excess = value - means[name]
        else:
            continue
        found[name] = SIGNS[direction] * excess
    return found
