"""What a trial that came back means for the study: its state, values, constraints, and why."""

from dataclasses import replace
from math import isfinite

from engine.config.outcome import Outcome
from engine.training.result import TrainResult
from sweeper.study.records import TrialRecord, TrialState
from sweeper.work.measured import Measured, measure, sha256_of
from sweeper.work.objectives import constraint_values
from sweeper.work.plan import SweepPlan
from sweeper.work.trial import Ended

END_STATES = (TrialState.complete, TrialState.pruned, TrialState.failed)
OUT_OF_MEMORY = "memory"  # the constraint that a trial breaks which needs more than there is


def ended_record(
    plan: SweepPlan, record: TrialRecord, ended: Ended, *, device: str, first_step: int = 0
) -> TrialRecord:
    """The record as it is told; never with a value that was not measured.

    first_step  where the last start of the trial went on from
    """
    record = replace(record, outcome=ended.outcome, cause=ended.cause)
    if ended.result is not None:
        record = _with_result(record, ended.result, device)
        record = replace(record, step_seconds=_step_seconds(record, ended.result, first_step))
    if ended.outcome is Outcome.completed and ended.result is not None:
        return _scored(plan, record, ended.result)
    if ended.outcome is Outcome.pruned:
        return replace(record, state=TrialState.pruned)
    if ended.outcome is Outcome.out_of_memory:  # pruned, so that the sampler learns that this is no way
        return replace(record, state=TrialState.pruned, constraints={OUT_OF_MEMORY: 1.0})
    return replace(record, state=TrialState.failed)


def _with_result(record: TrialRecord, result: TrainResult, device: str) -> TrialRecord:
    return replace(
        record,
        steps_done=result.steps_done,
        total_steps=result.total_steps or record.total_steps,
        gpu_seconds=record.seconds if device.startswith("cuda") else 0.0,
        peak_memory_bytes=result.peak_memory_bytes,
    )


def _step_seconds(record: TrialRecord, result: TrainResult, first_step: int) -> float:
    """The training loop's own time over the steps of this start; without any, what was known before."""
    steps = result.steps_done - first_step
    seconds = result.seconds_by_phase.get("training", 0.0)
    return seconds / steps if steps > 0 and seconds > 0 else record.step_seconds


def _scored(plan: SweepPlan, record: TrialRecord, result: TrainResult) -> TrialRecord:
    measured = measure(record.folder, plan.objectives)
    found = measured.values(result)
    problems = _missing(plan, measured, found)
    if problems:
        return replace(record, state=TrialState.failed, outcome=Outcome.failed, cause="; ".join(problems))
    assert result.weights is not None, "a completed run has its file"
    return replace(
        record,
        state=TrialState.complete,
        values={name: found[name] for name in plan.objectives},
        constraints=constraint_values(plan.settings.constraints, found),
        scores=measured.scores,
        prompt_values=measured.prompt_values,
        weights=result.weights,
        weights_sha256=sha256_of(result.weights),
    )


def _missing(plan: SweepPlan, measured: Measured, found: dict[str, float]) -> list[str]:
    lacking = [name for name in plan.objectives if name not in found or not isfinite(found[name])]
    return (
        [*measured.missing]
        if lacking and measured.missing
        else [f"{name} could not be measured" for name in lacking]
    )
