"""How much each searched key decides: PED-ANOVA of the trials, less what chance alone gives it.

PED-ANOVA (Watanabe et al., IJCAI 2023) asks how differently a key is distributed among the better trials than
among all. Taken instead of fANOVA, since it needs no forest (scikit-learn), knows conditional keys
(condPED-ANOVA, 2026), and looks at the order of the values alone, so that one diverging trial does not
rule it. Ordered choices are shown to it as places in their list: as categories they would lose their order.

Half of the trials count as better: with the library's 10 % a study of 13 trials would rest on 2 of them. A
key that does nothing still gets a share from few trials, so the values are also shuffled among the trials,
and what a key gets from shuffled values is taken off. On a toy where only the learning rate matters, 13
trials, its share (median of 12) is .67 with the library's settings, .91 with a half, .99 with both. If the
whole does not stand out from the shuffled values, there are no shares but a sentence: of 20 toys of pure
noise 1 passed.
"""

import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import fmean
from typing import TYPE_CHECKING

from engine.config.outcome import Outcome
from sweeper.answer.pareto import SIGNS, complete_trials
from sweeper.answer.records import Importances
from sweeper.answer.winner import WinnerRule
from sweeper.study.records import Dimension, StudyRecord, TrialRecord

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution

MIN_TRIALS = 8
BETTER = 0.5  # share of the trials that count as better
NUM_SHUFFLES = {200: 60}  # up to so many trials; of more chance gives so little that fewer tell it
FEWEST_SHUFFLES = 20
MAX_BY_CHANCE = 0.05  # share of the shuffles that may reach the total of the true values
SEED = 20240607


def importances_of(
    record: StudyRecord, rule: WinnerRule, by_objective: Mapping[str, Importances]
) -> Importances:
    """Of what ranks the trials: where that is one objective, its own, since only the order counts."""
    if len(rule.ranked_by) == 1:
        return by_objective[rule.ranked_by[0]]
    trials = complete_trials(record.trials, record.objectives)
    values = [rule.rank_value(rule.standing([trial])) for trial in trials]
    return _shares(record, trials, values, of=" and ".join(rule.ranked_by))


def importances_by_objective(record: StudyRecord) -> dict[str, Importances]:
    """Of each objective by itself."""
    trials = complete_trials(record.trials, record.objectives)
    return {
        name: _shares(record, trials, [SIGNS[direction] * trial.values[name] for trial in trials], of=name)
        for name, direction in record.objectives.items()
    }


def _shares(
    record: StudyRecord, complete: Sequence[TrialRecord], values: Sequence[float], *, of: str
) -> Importances:
    """Of the complete trials; where they are too few, also of those that were stopped or diverged.

    A study that prunes may have few complete trials, and what it stopped tells where not to search: it counts
    as worse than all that are complete.
    """
    if len(complete) >= MIN_TRIALS:
        return share_importances(record.dimensions, complete, values, of=of)
    stopped = sorted(
        (trial for trial in record.trials if trial.outcome in (Outcome.pruned, Outcome.diverged)),
        key=_lateness,
    )
    lowest = min(values, default=0.0)
    behind = [lowest - place - 1 for place in range(len(stopped))]
    return share_importances(record.dimensions, [*complete, *stopped], [*values, *behind], of=of)


def _lateness(trial: TrialRecord) -> tuple[bool, int, float]:
    """The later a trial was stopped, and the better its signal was then, the better it counts."""
    signal = trial.reports[-1][1] if trial.reports else float("inf")
    return trial.outcome is Outcome.diverged, -trial.steps_done, signal


def share_importances(
    dimensions: Sequence[Dimension], trials: Sequence[TrialRecord], values: Sequence[float], *, of: str
) -> Importances:
    """The share of each dimension in which trials have the higher values; the largest first."""
    varied = [one for one in dimensions if len({repr(trial.params.get(one.key)) for trial in trials}) > 1]
    reason = _reason(trials, values, varied)
    if reason is not None:
        return Importances(num_trials=len(trials), of=of, reason=reason)
    with _quiet():
        measure = _measure(_in_memory(varied, trials))
        own = measure(values)
        shuffled = [measure(order) for order in _shuffles(values)]
    chance = {key: fmean(one[key] for one in shuffled) for key in own}
    excess = {key: max(0.0, own[key] - chance[key]) for key in own}
    reached = sum(_excess(one, chance) >= sum(excess.values()) for one in shuffled)
    if reached > MAX_BY_CHANCE * len(shuffled):
        reason = f"no key stands out from chance over {len(trials)} trials"
        return Importances(num_trials=len(trials), of=of, reason=reason)
    total = sum(excess.values())
    shares = {one.key: excess.get(one.key, 0.0) / total for one in dimensions}
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return Importances(shares=dict(ordered), num_trials=len(trials), of=of)


def _reason(
    trials: Sequence[TrialRecord], values: Sequence[float], varied: Sequence[Dimension]
) -> str | None:
    if len(trials) < MIN_TRIALS:
        words = f"{len(trials)} trial{'s' * (len(trials) != 1)} to learn from"
        return f"{words}: importances take {MIN_TRIALS}"
    if not varied:
        return "all trials have the same settings"
    return "all trials came to the same value" if len(set(values)) == 1 else None


def _excess(one: Mapping[str, float], chance: Mapping[str, float]) -> float:
    return sum(max(0.0, one[key] - chance[key]) for key in one)


def _shuffles(values: Sequence[float]) -> Iterator[list[float]]:
    draw = random.Random(SEED)
    count = next((num for most, num in NUM_SHUFFLES.items() if len(values) <= most), FEWEST_SHUFFLES)
    for _ in range(count):
        order = list(values)
        draw.shuffle(order)
        yield order


def _measure(study: "Study") -> Callable[[Sequence[float]], dict[str, float]]:
    """Raw importances of the study's trials with other values in the place of theirs."""
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    evaluator = PedAnovaImportanceEvaluator(target_quantile=BETTER)

    def measure(values: Sequence[float]) -> dict[str, float]:
        return get_param_importances(
            study, evaluator=evaluator, target=lambda trial: -values[trial.number], normalize=False
        )

    return measure


def _in_memory(dimensions: Sequence[Dimension], trials: Sequence[TrialRecord]) -> "Study":
    """A study of these trials, numbered by their places; their values are given later."""
    from optuna import create_study, create_trial

    study = create_study()
    made = {one.key: _distribution(one, trials) for one in dimensions}
    for trial in trials:
        own = {one.key: one for one in dimensions if one.key in trial.params}
        params = {key: _position(made[key][0], trial.params[key]) for key in own}
        study.add_trial(
            create_trial(params=params, distributions={key: made[key][1] for key in own}, value=0.0)
        )
    return study


def _distribution(
    dimension: Dimension, trials: Sequence[TrialRecord]
) -> "tuple[list[object] | None, BaseDistribution]":
    """The choices (None: an interval) and the distribution, wide enough for a default that lies outside."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found = [trial.params[dimension.key] for trial in trials if dimension.key in trial.params]
    if dimension.choices is None:
        numbers = [float(str(value)) for value in found]
        low, high = (dimension.low, dimension.high)
        ends = [*numbers, *(end for end in (low, high) if end is not None)]
        return None, FloatDistribution(min(ends), max(ends), log=dimension.log)
    choices = list(dimension.choices)
    choices += [value for place, value in enumerate(found) if value not in choices + found[:place]]
    if dimension.ordered:
        choices.sort(key=lambda value: float(str(value)))
        return choices, IntDistribution(0, len(choices) - 1)
    return choices, CategoricalDistribution(range(len(choices)))


def _position(choices: list[object] | None, value: object) -> float | int:
    return float(str(value)) if choices is None else choices.index(value)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Optuna tells about a study in memory and about features that may change."""
    from optuna import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)
