"""All scored runs below a folder in one table."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.compose.record import read_run_yaml
from engine.config.errors import ConfigError
from evaluation.records import CONSTRAINT, Scores, read_scores
from evaluation.reports.page_data import facts_of, number_of
from pages.gallery_data import MetricFacts, Number, ReportPage, ReportRun
from pages.report_page import write_report_page

MAX_SHOWN_OPTIONS = 6


@dataclass(kw_only=True, slots=True, frozen=True)
class ReportedRun:
    """A scored run or folder of a report."""

    name: str
    folder: Path
    scores: Scores
    options: Mapping[str, str]  # what tells it from the others


def write_report(folder: Path, path: Path) -> tuple[Path, list[str]]:
    """Write the page of all scored runs of a folder; its path, and a line for each run.

    raises  ConfigError where there is none
    """
    runs, problems = read_runs(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_report_page(report_page(folder, runs, problems, beside=path.parent), path)
    return path, report_lines(runs, problems)


def report_page(
    folder: Path, runs: Sequence[ReportedRun], problems: Sequence[str], *, beside: Path
) -> ReportPage:
    """What the page shows; links start from the folder `beside`."""
    objectives = _objectives(runs)
    metrics = _metrics(runs, objectives)
    return ReportPage(
        title=f"Runs of {folder.name or folder}",
        lead=f"{len(runs)} scored runs.",
        notices=[*comparable(runs), *problems],
        metrics=metrics,
        runs=[
            ReportRun(
                name=run.name,
                link=_link(run.folder, beside),
                outcome=_outcome(run.folder),
                numbers=_numbers(run),
                options=run.options,
            )
            for run in runs
        ],
        axes=(objectives[0], objectives[1]) if len(objectives) > 1 else None,
    )


def report_lines(runs: Sequence[ReportedRun], problems: Sequence[str]) -> list[str]:
    """A line a run: its objectives and what sets it apart."""
    width = max(len(run.name) for run in runs)
    lines = []
    for run in runs:
        rows = [row for row in run.scores.rows if row.metric in (*run.scores.objectives, CONSTRAINT)]
        numbers = [f"{row.metric} {row.final.value:.3f}" for row in rows if row.final is not None]
        options = [f"{key}={value}" for key, value in run.options.items()]
        lines.append(f"  {run.name:<{width}}  {'  '.join(numbers)}  {' '.join(options)}".rstrip())
    return [*lines, *(f"  note: {note}" for note in (*comparable(runs), *problems))]


def read_runs(folder: Path) -> tuple[list[ReportedRun], list[str]]:
    """Every scored folder directly below a folder, by name, and sentences about those that could not be read.

    raises  ConfigError where there is none
    """
    if not folder.is_dir():
        raise ConfigError(f"report={folder}: no such folder. Give the folder that holds the runs.")
    found: list[tuple[Path, Scores, Mapping[str, str]]] = []
    problems: list[str] = []
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        scored = next(
            (place for place in (path, path / "evaluation") if (place / "scores.json").is_file()), None
        )
        if scored is None:
            if (path / "run.yaml").is_file():
                problems.append(f"{path.name}: was not scored")
            continue
        try:
            found.append((path, read_scores(scored / "scores.json"), _options(path)))
        except ConfigError as error:
            problems += error.problems
    if not found:
        told = "".join(f" {problem}." for problem in problems)
        raise ConfigError(
            f"report={folder}: holds no scored run.{told} Score one: python -m evaluation run=..."
        )
    differing = _differing([options for _, _, options in found])
    return [
        ReportedRun(
            name=path.name,
            folder=path,
            scores=scores,
            options={key: options[key] for key in differing if key in options},
        )
        for path, scores, options in found
    ], problems


def comparable(runs: Sequence[ReportedRun]) -> list[str]:
    """What a reader must know before one run is held against another."""
    notices = []
    if len({run.scores.config_hash for run in runs}) > 1:
        notices.append(
            "not all were asked the same question (other prompts, seeds, references or encoders): "
            "their numbers are not to be held against each other"
        )
    broken = [run.name for run in runs if run.scores.excluded]
    if broken:
        notices.append(f"broken pictures were left out of {', '.join(broken)}: see {CONSTRAINT}")
    return notices


def _options(folder: Path) -> Mapping[str, str]:
    if not (folder / "run.yaml").is_file():
        return {}
    flat: dict[str, str] = {}
    _flatten(read_run_yaml(folder).config, "", flat)
    return flat


def _flatten(node: object, prefix: str, into: dict[str, str]) -> None:
    if isinstance(node, Mapping):
        for key, value in node.items():
            _flatten(value, f"{prefix}.{key}" if prefix else str(key), into)
    else:
        into[prefix] = str(node)


def _differing(options: Sequence[Mapping[str, str]]) -> list[str]:
    """The keys whose values are not the same everywhere; names and folders aside."""
    keys = dict.fromkeys(key for of_one in options for key in of_one)
    passed_over = ("name", "output_dir", "cache_dir", "tracking.")
    return [
        key
        for key in keys
        if len({of_one.get(key) for of_one in options}) > 1 and not key.startswith(passed_over)
    ][:MAX_SHOWN_OPTIONS]


def _objectives(runs: Sequence[ReportedRun]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.scores.objectives))


def _metrics(runs: Sequence[ReportedRun], objectives: Sequence[str]) -> list[MetricFacts]:
    """Every metric that some run has a value of; the objectives first."""
    rows = {row.metric: row for run in runs for row in run.scores.rows if row.final is not None}
    order = [
        *(name for name in objectives if name in rows),
        *(name for name in rows if name not in objectives),
    ]
    return [facts_of(rows[name], objectives) for name in order]


def _numbers(run: ReportedRun) -> dict[str, Number]:
    return {row.metric: number for row in run.scores.rows if (number := number_of(row.final)) is not None}


def _link(folder: Path, beside: Path) -> str | None:
    pages = (folder / "index.html", folder / "evaluation" / "index.html")
    page = next((page for page in pages if page.is_file()), None)
    return None if page is None else Path(os.path.relpath(page, beside)).as_posix()


def _outcome(folder: Path) -> str | None:
    path = folder / "result.json"
    try:
        outcome = json.loads(path.read_text(encoding="utf-8")).get("outcome")
    except (OSError, ValueError, AttributeError):
        return None
    return None if outcome is None else str(outcome)
