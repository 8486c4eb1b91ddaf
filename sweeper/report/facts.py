"""What ran, and how the study was made, in words."""

from pages.run_folder import duration
from sweeper.answer.records import Answer
from sweeper.study.records import StudyRecord, TrialState


def ran_of(record: StudyRecord, answer: Answer) -> list[tuple[str, str]]:
    """For the head of the report; what is empty is left out there."""
    runs = [*record.trials, *record.confirmations]
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in answer.counts.items())
    planned = f" of {record.num_trials}" if (record.num_trials or 0) > len(record.trials) else ""
    done = sum(run.state is TrialState.complete for run in record.confirmations)
    total = max(len(record.confirmations), record.num_confirmations)
    gpu = sum(run.gpu_seconds for run in runs)
    workers = len({run.worker for run in runs if run.worker})
    return [
        ("Trials", f"{len(record.trials)}{planned}" + (f": {counts}" if counts else "")),
        ("Confirmation runs", f"{done} of {total}" if total else ""),
        ("Time of all runs", duration(sum(run.seconds for run in runs))),
        ("GPU time", f"{gpu / 3600:.2g} h" if gpu else "none"),
        ("Workers", str(workers) if workers else ""),
        ("Ended by", record.stopped.splitlines()[-1] if record.stopped else "not ended"),
    ]


def facts_of(record: StudyRecord, answer: Answer) -> list[tuple[str, str]]:
    """For the end of the report."""
    budget = ", ".join(f"{value:g} {name.replace('_', ' ')}" for name, value in record.budget.items())
    constraints = ", ".join(f"{name} {words}" for name, words in record.constraints.items())
    objectives = ", ".join(f"{way.value} {name}" for name, way in record.objectives.items())
    device = "" if record.device is None else f"{record.device}, threads a trial: {record.threads or '?'}"
    facts = [
        ("Command", record.command),
        ("Objectives", objectives),
        ("Constraints", constraints),
        ("The best is", answer.rule),
        ("Budget", budget),
        ("Sampler", record.sampler),
        ("Pruner", f"{record.pruner} on {record.prune_on}" if record.prune_on else "none"),
        ("Storage", record.storage),
        ("Device", device),
        ("Begun", record.created.strftime("%Y-%m-%d %H:%M %Z").strip() if record.created else ""),
        ("Ended by", record.stopped or ""),
    ]
    return [(name, words) for name, words in facts if words]
