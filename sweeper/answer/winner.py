"""Which trial is the best: the rule that a study's objectives allow, and the ranking that it gives.

One objective is ranked by its value, several by the harmonic mean of their anchored values (0 = base model,
1 = true pictures), `winner: <metric>` by that metric. An objective that cannot be anchored, since true
pictures score no better than the base's (adherence on the demo), has no scale on which it could be traded
against the others. It then acts as a constraint: who falls below the base by more than the value's interval
stands behind all others, and the rest decides. If no trial meets that, it would only crown the least trained,
and is dropped. Where nothing can be anchored, each objective is measured by its range over the trials.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from statistics import fmean

from sweeper.answer.pareto import SIGNS, eligible_trials, pareto_front, signed_values
from sweeper.answer.records import Ranked
from sweeper.config import Direction
from sweeper.study.records import StudyRecord, TrialRecord, TrialScore


class RuleKind(Enum):
    """What the rank value is."""

    value = "value"  # of one objective
    harmonic = "harmonic"  # mean of anchored objectives
    ranges = "ranges"  # mean place between the worst and the best trial


@dataclass(kw_only=True, slots=True, frozen=True)
class Standing:
    """What the rule looks at: one trial, or the mean over several of the same settings."""

    values: Mapping[str, float]
    anchored: Mapping[str, float]  # of the objectives that can be anchored
    shortfalls: Mapping[str, float]  # below the base beyond the interval; <= 0: it is not


@dataclass(kw_only=True, slots=True, frozen=True)
class WinnerRule:
    """How trials of one study are ranked."""

    kind: RuleKind
    objectives: Mapping[str, Direction]
    ranked_by: tuple[str, ...]  # the objectives that the rank value is made of
    guards: tuple[str, ...] = ()  # objectives that must only not fall below the base
    anchors: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # objective -> (base, true)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # objective -> (worst, best)
    words: str = ""
    notices: tuple[str, ...] = ()

    def rank_value(self, standing: Standing) -> float:
        """Higher is better; a harmonic mean that is not above 0 is replaced by the worst anchored value."""
        if self.kind is RuleKind.value:
            name = self.ranked_by[0]
            return SIGNS[self.objectives[name]] * standing.values[name]
        if self.kind is RuleKind.ranges:
            return fmean(self._place(name, standing.values[name]) for name in self.ranked_by)
        anchored = [standing.anchored[name] for name in self.ranked_by]
        return min(anchored) if min(anchored) <= 0 else len(anchored) / sum(1 / part for part in anchored)

    def behind(self, standing: Standing) -> str | None:
        """Why this stands behind the others, or None."""
        low = [name for name in self.guards if standing.shortfalls.get(name, 0.0) > 0]
        return f"{' and '.join(low)} worse than the base model's" if low else None

    def standing(self, trials: Sequence[TrialRecord]) -> Standing:
        """The mean over trials of the same settings; all of them complete, at least one."""
        values = {name: fmean(trial.values[name] for trial in trials) for name in self.objectives}
        anchored = {
            name: fmean(_anchored(trial, name, ends) for trial in trials)
            for name, ends in self.anchors.items()
        }
        short = {
            name: fmean(_shortfall(trial.scores.get(name), direction) for trial in trials)
            for name, direction in self.objectives.items()
        }
        return Standing(values=values, anchored=anchored, shortfalls=short)

    def _place(self, name: str, value: float) -> float:
        worst, best = self.ranges[name]
        return 0.5 if best == worst else (value - worst) / (best - worst)


def rule_of(record: StudyRecord) -> WinnerRule:
    """The rule for the study as it stands."""
    trials = eligible_trials(record.trials, record.objectives)
    objectives = dict(record.objectives)
    anchors = {name: ends for name in objectives if (ends := _anchors(name, trials)) is not None}
    if len(objectives) == 1 or record.winner in objectives:
        name = record.winner if record.winner in objectives else next(iter(objectives))
        return WinnerRule(
            kind=RuleKind.value,
            objectives=objectives,
            ranked_by=(name,),
            anchors=anchors,
            words=_value_words(name, objectives),
        )
    if not anchors:
        return _range_rule(trials, objectives)
    return _anchored_rule(trials, objectives, anchors)


def rank_trials(record: StudyRecord, rule: WinnerRule) -> list[Ranked]:
    """The eligible search trials, the best first; of equal ones those of the front, then the earlier."""
    trials = eligible_trials(record.trials, record.objectives)
    points = {trial.number: signed_values(trial.values, record.objectives) for trial in trials}
    front = set(pareto_front(points))
    ranked = []
    for trial in trials:
        standing = rule.standing([trial])
        ranked.append(
            Ranked(
                number=trial.number,
                rank_value=rule.rank_value(standing),
                is_front=trial.number in front,
                behind=rule.behind(standing),
                anchored=standing.anchored,
            )
        )
    return sorted(
        ranked, key=lambda one: (one.behind is not None, -one.rank_value, not one.is_front, one.number)
    )


def _anchored_rule(
    trials: Sequence[TrialRecord],
    objectives: Mapping[str, Direction],
    anchors: Mapping[str, tuple[float, float]],
) -> WinnerRule:
    loose = [name for name in objectives if name not in anchors]
    guards = [name for name in loose if any(_holds(trial, name, objectives[name]) for trial in trials)]
    ranked_by = tuple(name for name in objectives if name in anchors)
    words = (
        f"{ranked_by[0]} between the base model (0) and true pictures (1)"
        if len(ranked_by) == 1
        else f"harmonic mean of {_listed(ranked_by)}, each between the base model (0) and true pictures (1)"
    )
    notices = [_loose_notice(name, ranked_by, is_guard=name in guards) for name in loose]
    if guards:
        words += f", where {_listed(guards)} did not fall below the base model"
    return WinnerRule(
        kind=RuleKind.harmonic,
        objectives=objectives,
        ranked_by=ranked_by,
        guards=tuple(guards),
        anchors=anchors,
        words=words,
        notices=tuple(notices),
    )


def _range_rule(trials: Sequence[TrialRecord], objectives: Mapping[str, Direction]) -> WinnerRule:
    ranges = {}
    for name, direction in objectives.items():
        values = sorted(SIGNS[direction] * trial.values[name] for trial in trials) or [0.0]
        ranges[name] = (SIGNS[direction] * values[0], SIGNS[direction] * values[-1])
    notice = (
        f"none of {_listed(tuple(objectives))} can be anchored between the base model and true pictures: "
        "trials are ranked by their mean place between the worst and the best trial of each. Name one with "
        "hydra.sweeper.winner=... to decide by it."
    )
    return WinnerRule(
        kind=RuleKind.ranges,
        objectives=objectives,
        ranked_by=tuple(objectives),
        ranges=ranges,
        words=f"mean place in {_listed(tuple(objectives))} between the worst trial (0) and the best (1)",
        notices=(notice,) if trials else (),
    )


def _anchors(name: str, trials: Sequence[TrialRecord]) -> tuple[float, float] | None:
    """Base and true pictures of the first trial that could be anchored."""
    for trial in trials:
        score = trial.scores.get(name)
        if score is None or score.anchored is None or score.base is None or score.real is None:
            continue
        if score.base != score.real:
            return score.base, score.real
    return None


def _anchored(trial: TrialRecord, name: str, ends: tuple[float, float]) -> float:
    """The trial's own anchored value; else by its own base and true pictures, else by the study's."""
    score = trial.scores.get(name)
    if score is not None and score.anchored is not None:
        return score.anchored
    base, real = ends
    if score is not None and score.base is not None and score.real is not None and score.base != score.real:
        base, real = score.base, score.real
    return (trial.values[name] - base) / (real - base)


def _shortfall(score: TrialScore | None, direction: Direction) -> float:
    """How far a value lies on the bad side of the base model's, beyond its own interval; 0 without a base."""
    if score is None or score.base is None:
        return 0.0
    return SIGNS[direction] * (score.base - score.value) - (score.spread or 0.0)


def _holds(trial: TrialRecord, name: str, direction: Direction) -> bool:
    return _shortfall(trial.scores.get(name), direction) <= 0


def _loose_notice(name: str, ranked_by: tuple[str, ...], *, is_guard: bool) -> str:
    head = f"{name} cannot be anchored: true pictures score no better in it than the base model's. "
    if is_guard:
        return (
            f"{head}It only has to stay at the base model's, within the noise; {_listed(ranked_by)} decides."
        )
    return f"{head}No trial kept it at the base model's: {_listed(ranked_by)} alone decides."


def _value_words(name: str, objectives: Mapping[str, Direction]) -> str:
    return name if objectives[name] is Direction.maximize else f"{name}, lower is better"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
