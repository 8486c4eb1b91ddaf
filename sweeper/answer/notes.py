"""What stands below the sentence of the answer: further figures, and what a reader must beware of."""

from collections.abc import Iterator, Sequence

from engine.config.outcome import Outcome
from sweeper.answer.confirm import BASELINE
from sweeper.answer.pareto import complete_trials
from sweeper.answer.pruned import signal_warnings
from sweeper.answer.records import Pruned, SignalCheck, Verdict
from sweeper.answer.verdict import Facts, Said
from sweeper.answer.winner import WinnerRule
from sweeper.answer.words import number_words, runs_words, seconds_words, trials_words, verdict_words
from sweeper.study.records import TrialState

_CLEAR = (Verdict.better, Verdict.worse)


def details_of(facts: Facts, said: Said, pruned: Pruned) -> Iterator[str]:
    """The winner's differences, what the search had promised, importances, what pruning saved."""
    winner = next((one for one in facts.confirmed if one.of == said.winner and one.seeds), None)
    if winner is not None and said.is_confirmed:
        for name, difference in winner.differences.items():
            yield verdict_words(name, difference)
        for name, excess in winner.optimism.items():
            if name in winner.differences and winner.differences[name].verdict in _CLEAR:
                yield _optimism_words(name, excess)
    if facts.importances.shares:
        shares = [
            f"{facts.names.get(key, key)} {100 * share:.0f} %"
            for key, share in facts.importances.shares.items()
        ]
        yield f"importances: {', '.join(shares)} ({trials_words(facts.importances.num_trials)})"
    elif facts.importances.reason and facts.ranking:
        yield f"no importances: {facts.importances.reason}"
    if pruned.trials:
        count = len(facts.record.trials)
        saved = f" and {seconds_words(pruned.saved_seconds)} of training" if pruned.saved_seconds else ""
        share = f"{pruned.saved_steps} steps ({100 * pruned.share_of_steps:.0f} % of the search)"
        yield f"{len(pruned.trials)} of {trials_words(count)} pruned: {share}{saved} saved"


def notices_of(facts: Facts, said: Said, rule: WinnerRule, checks: Sequence[SignalCheck]) -> Iterator[str]:
    """Warnings, each a sentence."""
    record = facts.record
    if record.winner != "harmonic" and record.winner not in record.objectives:
        yield f"winner: {record.winner} is not an objective of this study; its objectives decide instead."
    yield from record.notes
    yield from rule.notices
    yield from signal_warnings(record, checks, rule.ranked_by)
    for setting in facts.confirmed:
        if setting.num_failed:
            yield (
                f"trial {setting.of}: {runs_words(setting.num_failed)} did not complete within the "
                "constraints, so that it cannot win."
            )
    if facts.confirmed and said.is_confirmed and facts.confirmed[0].of != said.winner:
        ahead = facts.confirmed[0].of
        yield (
            f"trial {ahead} came out higher on average than trial {said.winner}, but not clear of the noise "
            "against the default."
        )
    baseline = next((trial for trial in record.trials if trial.number == BASELINE), None)
    if (
        facts.ranking
        and baseline is not None
        and baseline.outcome is Outcome.completed
        and not baseline.feasible
    ):
        broken = ", ".join(name for name, excess in baseline.constraints.items() if excess > 0)
        yield f"the default itself breaks a constraint ({broken}): it is compared with, and cannot win."
    known = {trial.number for trial in complete_trials(record.trials, record.objectives)}
    for trial in record.trials:
        if trial.state is TrialState.complete and trial.number not in known:
            yield f"trial {trial.number} completed without a value of every objective, and is left out."


def _optimism_words(name: str, excess: float) -> str:
    if round(excess, 3) == 0:
        return f"{name}: fresh seeds and prompts confirm what the search had shown"
    way = "more" if excess > 0 else "less"
    return (
        f"{name}: the search had shown {number_words(abs(excess))} {way} than fresh seeds and prompts confirm"
    )
