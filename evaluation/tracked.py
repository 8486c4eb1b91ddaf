"""What a tracked run is told of its scores: numbers, and a table with the pictures."""

import json
from collections.abc import Callable
from pathlib import Path

from engine.compose.record import RunRecord, run_from_record
from engine.config import is_demo
from engine.config.outcome import Outcome
from engine.training.tracker import FinalScores, ScoredRow, TrackedRun
from engine.training.tracking import Trackers
from evaluation.encoders.pixel_facts import UNREADABLE_FAULT
from evaluation.material import BASE, FINAL
from evaluation.maths.statistics import values_by_picture
from evaluation.score import Scored


def final_scores(scored: Scored) -> FinalScores:
    """The numbers of all measured metrics and a row for each final picture."""
    material, faults = scored.material, scored.material.faults
    by_metric = {metric: values_by_picture(sets.get(FINAL, [])) for metric, sets in scored.values.items()}
    before = {(p.prompt_index, p.seed): p.path for p in material.healthy(BASE)}
    rows = []
    for picture in material.pictures.get(FINAL, []):
        key = (picture.prompt_index, picture.seed)
        fault = faults.get(picture.path)
        rows.append(
            ScoredRow(
                prompt=picture.prompt,
                seed=picture.seed,
                picture=None if fault == UNREADABLE_FAULT else picture.path,
                base=before.get(key),
                fault=fault,
                scores={metric: values[key] for metric, values in by_metric.items() if key in values},
            )
        )
    values = {f"final/{row.metric}": row.final.value for row in scored.scores.rows if row.final is not None}
    return FinalScores(values=values, rows=rows)


def track_again(scored: Scored, folder: Path, record: RunRecord, *, warn: Callable[[str], None]) -> list[str]:
    """Send the scores of a run that was scored again to its wandb run, where it has one.

    returns  what the user can do with them (wandb's address or sync command)
    """
    if not (folder / "wandb").is_dir():
        return []
    run, step = run_from_record(record), _last_step(folder)
    tracked = TrackedRun(
        folder=folder,
        name=folder.name,
        run_id=record.run_id,
        config=record.config,
        is_demo=is_demo(run.model),
        resumed_step=step,
    )
    trackers = Trackers(warn=warn)
    trackers.add_wandb(run.tracking, tracked)
    trackers.scores(step, final_scores(scored))
    return trackers.finish(Outcome.completed)


def _last_step(folder: Path) -> int:
    path = folder / "result.json"
    steps = json.loads(path.read_text(encoding="utf-8")).get("total_steps") if path.is_file() else None
    return int(steps or 0)
