"""Which settings are trained again with fresh seeds: the best of the search, and the default beside them."""

from collections.abc import Mapping
from dataclasses import dataclass

from sweeper.answer.winner import rank_trials, rule_of
from sweeper.config import ConfirmConfig
from sweeper.study.records import StudyRecord

FIRST_SEED = 1001  # of the fresh ones, counted up; far from the small numbers that people type
MIN_SEEDS = 2  # below it a setting has no spread
BASELINE = 0  # the trial of the declared defaults


@dataclass(kw_only=True, slots=True, frozen=True)
class PlannedConfirmation:
    """One training run to come."""

    of: int  # search trial whose settings are used
    seed: int  # of the training


def plan_confirmations(record: StudyRecord, confirm: ConfirmConfig) -> list[PlannedConfirmation]:
    """Every confirmation that record.num_confirmations has room for; the same on every worker.

    The best k distinct settings, as many as fit (at most confirm.top), and the default, all with the same
    fresh seeds. With room for less than two settings the seeds become fewer, down to two; with less than
    that, or nothing to confirm beside the default, the list is empty.
    """
    candidates = _candidates(record)
    for num_seeds in range(confirm.seeds, min(MIN_SEEDS, confirm.seeds) - 1, -1):
        count = min(confirm.top, record.num_confirmations // num_seeds - 1, len(candidates))
        if count > 0:
            seeds = fresh_seeds(record, num_seeds)
            chosen = [*candidates[:count], *_baseline(record)]
            return [PlannedConfirmation(of=of, seed=seed) for seed in seeds for of in chosen]
    return []


def fresh_seeds(record: StudyRecord, count: int) -> list[int]:
    """Training seeds that no trial of the search used."""
    used = {trial.seed for trial in record.trials}
    used |= {value for trial in record.trials if isinstance(value := trial.params.get("seed"), int)}
    seeds: list[int] = []
    seed = FIRST_SEED
    while len(seeds) < count:
        if seed not in used:
            seeds.append(seed)
        seed += 1
    return seeds


def _candidates(record: StudyRecord) -> list[int]:
    """Search trials from the best on, of each setting the first; not the default's settings."""
    trials = {trial.number: trial for trial in record.trials}
    seen = {_settings(trials[number].params) for number in _baseline(record)}
    chosen = []
    for ranked in rank_trials(record, rule_of(record)):
        settings = _settings(trials[ranked.number].params)
        if settings not in seen:
            seen.add(settings)
            chosen.append(ranked.number)
    return chosen


def _baseline(record: StudyRecord) -> list[int]:
    """Trial 0, whatever became of it: with other seeds a default that diverged may come through."""
    return [trial.number for trial in record.trials if trial.number == BASELINE]


def _settings(params: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """What makes two trials the same but for their seed."""
    return tuple(sorted((key, repr(value)) for key, value in params.items() if key != "seed"))
