"""What wandb shows of a study as a whole, as plain data: facts, a row a trial, best so far, importances."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sweeper.answer.records import Answer, ConfirmedSetting
from sweeper.config import Direction
from sweeper.study.records import StudyRecord, TrialRecord, TrialState
from sweeper.tracking.names import trial_part

Cell = str | int | float | bool | None
ENDED = (TrialState.complete, TrialState.pruned, TrialState.failed)
_LEADING = ("trial", "wandb id", "phase", "of", "outcome", "feasible")
_CLOSING = ("seconds", "seed", "steps", "run id")


@dataclass(kw_only=True, slots=True, frozen=True)
class Rows:
    """A table."""

    columns: tuple[str, ...]
    rows: list[list[Cell]] = field(default_factory=list)


def study_facts(record: StudyRecord) -> dict[str, object]:
    """What the study searches and how, as the config of its run; no folder, no machine, no storage."""
    return {
        "study": record.name,
        "objectives": {name: direction.value for name, direction in record.objectives.items()},
        "constraints": dict(record.constraints),
        "space": {_flat(d.key): _dimension_text(record, d.key) for d in record.dimensions},
        "defaults": {_flat(key): value for key, value in record.defaults.items()},
        "sampler": record.sampler,
        "pruner": record.pruner,
        "prune_on": record.prune_on,
        "winner": record.winner,
        "budget": dict(record.budget),
        "search_trials": record.num_trials,
        "confirmations": record.num_confirmations,
        "is_demo": record.is_demo,
        "device": record.device,
        "threads": record.threads,
    }


def trial_rows(record: StudyRecord) -> Rows:
    """A row for each trial of the search, then one for each confirmation."""
    objectives = [part for name in record.objectives for part in (name, f"{name} spread")]
    keys = [dimension.key for dimension in record.dimensions]
    table = Rows(columns=(*_LEADING, *objectives, *keys, *_CLOSING))
    for trial in (*record.trials, *record.confirmations):
        wandb_id = trial_part(record.name, trial.number, settings={}, phase=trial.phase).tracked_id
        scores = [trial.scores.get(name) for name in record.objectives]
        values = [trial.values.get(name) for name in record.objectives]
        spreads = [None if score is None else score.spread for score in scores]
        table.rows.append(
            [
                *(trial.number, wandb_id, trial.phase.value, trial.of, _outcome(trial), trial.feasible),
                *(cell for pair in zip(values, spreads, strict=True) for cell in pair),
                *(plain(trial.params.get(key)) for key in keys),
                *(trial.seconds, trial.seed, trial.steps_done, trial.run_id),
            ]
        )
    return table


def importance_rows(answer: Answer) -> Rows:
    """key and share, largest first; no row where there are none."""
    table = Rows(columns=("key", "share"))
    table.rows.extend([key, share] for key, share in answer.importances.shares.items())
    return table


def best_so_far(record: StudyRecord, *, wait: bool) -> Iterator[tuple[int, dict[str, str | float]]]:
    """(number, values) of the search trials that ended, by number.

    wait    with several workers a later trial may end before an earlier one; True: it is held back until
            the earlier ones end, so that each step of a history is written once, in order
    values  trial/<objective> of a complete trial, best/<objective> over all complete and feasible ones up
            to it, trial/seconds, trial/outcome
    """
    best: dict[str, float] = {}
    for trial in sorted(record.trials, key=lambda trial: trial.number):
        if trial.state not in ENDED:
            if wait:
                return
            continue
        if trial.state is TrialState.complete and trial.feasible:
            for name, value in trial.values.items():
                best[name] = _better(record.objectives[name], value, best.get(name, value))
        yield trial.number, _row(trial) | {f"best/{name}": value for name, value in best.items()}


def verdict_values(record: StudyRecord, answer: Answer) -> dict[str, Cell]:
    """The answer for a run's summary: the sentence, the winner, its confirmed means and gains, counts."""
    values: dict[str, Cell] = {"verdict": answer.sentence, "verdict_kind": answer.kind.value}
    if answer.winner is not None:
        values |= {
            "winner": trial_part(record.name, answer.winner, settings={}).tracked_id,
            "winner_confirmed": answer.is_confirmed,
            "winner_settings": answer.settings,
        }
    passing = dict.fromkeys(
        (TrialState.waiting.value, TrialState.running.value), 0
    )  # else the last count stays
    values |= {f"trials/{name}": count for name, count in {**passing, **answer.counts}.items()}
    for setting in answer.confirmed:
        if setting.of == answer.winner:
            values |= _confirmed_values(setting)
    return values


def plain(value: object) -> Cell:
    """A searched value as a table's cell."""
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _confirmed_values(setting: ConfirmedSetting) -> dict[str, Cell]:
    values: dict[str, Cell] = {f"winner/{name}": mean for name, mean in setting.means.items()}
    for name, difference in setting.differences.items():
        values |= {f"gain/{name}": difference.value, f"gain/{name}/half_width": difference.half_width}
    return values


def _row(trial: TrialRecord) -> dict[str, str | float]:
    row: dict[str, str | float] = {"trial/outcome": _outcome(trial), "trial/seconds": trial.seconds}
    return row | {f"trial/{name}": value for name, value in trial.values.items()}


def _outcome(trial: TrialRecord) -> str:
    return trial.state.value if trial.outcome is None else trial.outcome.value


def _better(direction: Direction, first: float, second: float) -> float:
    return max(first, second) if direction is Direction.maximize else min(first, second)


def _flat(key: str) -> str:
    return key.replace(".", "/")


def _dimension_text(record: StudyRecord, key: str) -> str:
    (dimension,) = (dimension for dimension in record.dimensions if dimension.key == key)
    if dimension.choices is not None:
        text = "choice(" + ", ".join(str(choice) for choice in dimension.choices) + ")"
    else:
        text = f"interval({dimension.low}, {dimension.high})" + (", log" if dimension.log else "")
    return text if dimension.when is None else f"{text} when {dimension.when}"
