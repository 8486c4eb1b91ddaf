"""What pruning stopped and saved, and whether its signal ranks the trials as the objectives do."""

from collections.abc import Mapping, Sequence
from statistics import correlation, median

from engine.config.outcome import Outcome
from sweeper.answer.pareto import SIGNS, complete_trials
from sweeper.answer.records import Pruned, PrunedTrial, SignalCheck
from sweeper.config import Direction
from sweeper.study.records import StudyRecord, TrialRecord

MIN_TRIALS = 3  # below it a correlation is a matter of course
MIN_TRIALS_TO_WARN = 8
LOW = 0.3
MAX_STEPS = 12  # of the steps that are checked, beside those at which trials were stopped


def pruned_of(record: StudyRecord) -> Pruned:
    """The trials that the pruner stopped, not those that found too little memory; and what that saved.

    Saved are the steps that were not done, at the trial's own time a step: what the training loop alone took,
    over the steps of the trial's last start. Loading, encoding, the looks at the validation loss, drawing and
    scoring are not in it: a trial that stops early has hardly any steps to spread its fixed costs over, and
    would seem to save many times what it does. The true saving is a little larger: a stopped trial is not
    drawn and scored either. A trial whose time a step is not known (a study of an earlier version) takes the
    median of the others'; where none is known, 0 seconds are claimed.
    """
    stopped = [trial for trial in record.trials if trial.outcome is Outcome.pruned]
    known = [trial.step_seconds for trial in record.trials if trial.step_seconds > 0]
    usual = median(known) if known else 0.0
    trials = tuple(_pruned(trial, usual) for trial in stopped)
    saved = sum(one.total_steps - one.step for one in trials)
    trained = sum(trial.steps_done for trial in record.trials)
    return Pruned(
        trials=trials,
        saved_steps=saved,
        saved_seconds=sum(one.saved_seconds for one in trials),
        share_of_steps=saved / (saved + trained) if saved else 0.0,
    )


def signal_checks(record: StudyRecord) -> list[SignalCheck]:
    """For each objective the rank correlation with the signal, step after step and at the end.

    Over the complete trials alone: the others have no objective. Empty where nothing is pruned.
    """
    if record.prune_on is None:
        return []
    trials = [trial for trial in complete_trials(record.trials, record.objectives) if trial.reports]
    sign = SIGNS[signal_direction(record)]
    checks = []
    for objective, direction in record.objectives.items():
        for step in _steps(trials, record):
            at_step = _signal_at(trials, step)
            checks.append(_check(trials, at_step, objective, SIGNS[direction] * sign, step))
        if trials:
            at_end = {trial.number: trial.reports[-1][1] for trial in trials}
            last = max(trial.reports[-1][0] for trial in trials)
            checks.append(_check(trials, at_end, objective, SIGNS[direction] * sign, last, is_last=True))
    return checks


def signal_warnings(
    record: StudyRecord, checks: Sequence[SignalCheck], objectives: Sequence[str]
) -> list[str]:
    """A sentence for each objective that the signal does not rank, where it decided or at its end."""
    decided = {trial.steps_done for trial in record.trials if trial.outcome is Outcome.pruned}
    sentences = []
    for objective in objectives:
        weak = [
            (check.correlation, check)
            for check in checks
            if check.objective == objective
            and check.correlation is not None
            and check.n >= MIN_TRIALS_TO_WARN
            and check.correlation < LOW
            and (check.is_last or check.step in decided)
        ]
        if weak:
            low, check = min(weak, key=lambda one: one[0])
            sentences.append(_warning(record.prune_on or "", objective, low, check))
    return sentences


def signal_direction(record: StudyRecord) -> Direction:
    """Which way the signal is better: as an objective of that name, else a loss: lower."""
    return record.objectives.get(record.prune_on or "", Direction.minimize)


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's: Pearson's of the ranks, equal values sharing the mean of theirs; None: one never varies."""
    if len(one) < 2 or len(set(one)) == 1 or len(set(other)) == 1:
        return None
    return correlation(_ranks(one), _ranks(other))


def _pruned(trial: TrialRecord, usual: float) -> PrunedTrial:
    """usual: seconds of a step where the trial's own are not known."""
    left = max(0, trial.total_steps - trial.steps_done)
    return PrunedTrial(
        number=trial.number,
        step=min(trial.steps_done, trial.total_steps),
        total_steps=trial.total_steps,
        signal=trial.reports[-1][1] if trial.reports else None,
        saved_seconds=left * (trial.step_seconds or usual),
    )


def _steps(trials: Sequence[TrialRecord], record: StudyRecord) -> list[int]:
    """Steps before the end at which enough trials were looked at: all, or a dozen and the decisions."""
    counts: dict[int, int] = {}
    for trial in trials:
        for step, _ in trial.reports[:-1]:
            counts[step] = counts.get(step, 0) + 1
    steps = sorted(step for step, count in counts.items() if count >= MIN_TRIALS)
    if len(steps) <= MAX_STEPS:
        return steps
    decided = {trial.steps_done for trial in record.trials if trial.outcome is Outcome.pruned}
    kept = {steps[round(place * (len(steps) - 1) / (MAX_STEPS - 1))] for place in range(MAX_STEPS)}
    return [step for step in steps if step in kept or step in decided]


def _signal_at(trials: Sequence[TrialRecord], step: int) -> dict[int, float]:
    found = {}
    for trial in trials:
        here = [value for at, value in trial.reports if at == step]
        if here:
            found[trial.number] = here[-1]
    return found


def _check(
    trials: Sequence[TrialRecord],
    signal: Mapping[int, float],
    objective: str,
    sign: float,
    step: int,
    *,
    is_last: bool = False,
) -> SignalCheck:
    pairs = [
        (signal[trial.number], sign * trial.values[objective]) for trial in trials if trial.number in signal
    ]
    found, reason = None, None
    if len(pairs) < MIN_TRIALS:
        reason = f"{len(pairs)} complete trials: a rank correlation takes {MIN_TRIALS}"
    else:
        found = rank_correlation([one for one, _ in pairs], [other for _, other in pairs])
        reason = "all values are the same" if found is None else None
    return SignalCheck(
        objective=objective, step=step, correlation=found, n=len(pairs), is_last=is_last, reason=reason
    )


def _warning(signal: str, objective: str, low: float, check: SignalCheck) -> str:
    blind = " The validation loss does not see luminance or over-training." if signal == "val_loss" else ""
    return (
        f"pruning looked at {signal}, which hardly ranks the trials as {objective} does: rank correlation "
        f"{low:+.2f} over {check.n} complete trials at step {check.step}. It may have stopped good ones."
        f"{blind} Prune on another metric (hydra.sweeper.prune.on) or not at all (hydra.sweeper.prune=null)."
    )


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=lambda place: values[place])
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in order[start : end + 1]:
            ranks[place] = (start + end) / 2
        start = end + 1
    return ranks
