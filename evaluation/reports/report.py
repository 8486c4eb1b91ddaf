"""All scored runs of a folder, and itself if it is scored, in one table."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.compose.record import read_run_yaml
from engine.config.errors import ConfigError
from engine.data.sentences import listed
from evaluation.records import CONSTRAINT, Scores, read_scores
from evaluation.reports.page_data import facts_of, number_of
from pages.gallery_data import MetricFacts, Number, ReportPage, ReportRun
from pages.report_page import write_report_page

MAX_SHOWN_OPTIONS = 6
_DRAWN = "evaluation"  # where a run keeps what was drawn of it again, and a folder of pictures its scores


@dataclass(kw_only=True, slots=True, frozen=True)
class ReportedRun:
    """A scored run or folder of a report."""

    name: str
    folder: Path
    scores: Scores
    options: Mapping[str, str]  # what tells it from the others
    run: Path  # whose it is: of what was drawn again the run that drew it, else the folder


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
        title=f"Runs of {folder.resolve().name or folder}",
        lead="1 scored run." if len(runs) == 1 else f"{len(runs)} scored runs.",
        notices=[*comparable(runs), *problems],
        metrics=metrics,
        runs=[
            ReportRun(
                name=run.name,
                link=_link(run.folder, beside),
                outcome=_outcome(run.run),
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
    """A folder, if it is scored, those directly below it, and what was drawn again of each of them.

    Of several questions the one of most rows is listed, of as many the one of most runs' own pictures.
    returns  those asked it, the folder first, then by name, and sentences about those left out or broken
    raises   ConfigError where there is none
    """
    if not folder.is_dir():
        raise ConfigError(f"report={folder}: no such folder. Give the folder that holds the runs.")
    found: list[ReportedRun] = []
    problems: list[str] = []
    seen: set[Path] = set()
    for run in (folder, *_folders(folder)):
        rows, told = _read_run(run, seen)
        found += rows
        problems += told
    if not found:
        told_of = "".join(f" {problem}." for problem in problems)
        raise ConfigError(
            f"report={folder}: holds no scored run.{told_of} Score one: python -m evaluation run=..."
        )
    listed_runs, others = _of_most(found)
    return _with_differing(listed_runs), [*_left_out(others), *problems]


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


def _folders(folder: Path) -> list[Path]:
    """Its folders by name; links after those that are none, so that what both lead to has its own name."""
    return sorted(
        (path for path in folder.iterdir() if path.is_dir()), key=lambda path: (path.is_symlink(), path)
    )


def _read_run(run: Path, seen: set[Path]) -> tuple[list[ReportedRun], list[str]]:
    """A folder's own scores and those of what was drawn of it again, and what is wrong with them.

    seen  the folders that were read, links followed; grows
    """
    if run.resolve() in seen:
        return [], []
    name = run.resolve().name if run.name in ("", "..") else run.name
    rows: list[ReportedRun] = []
    problems: list[str] = []
    places = [place for place in _places(run) if place[1].resolve() not in seen]
    for label, place in places:
        seen.add(place.resolve())
        try:
            scores, options = read_scores(place / "scores.json"), _options(run)
        except ConfigError as error:
            problems += error.problems
            continue
        title = f"{name}, {label}" if label else name
        shown = place if label else run
        rows.append(ReportedRun(name=title, folder=shown, scores=scores, options=options, run=run))
    seen.add(run.resolve())
    if (run / "run.yaml").is_file() and not places:
        problems.append(f"{name}: was not scored")
    return rows, list(dict.fromkeys(problems))


def _places(run: Path) -> Iterator[tuple[str, Path]]:
    """Where scores lie, each with what it is called: nothing for the folder's own."""
    drawn = run / _DRAWN
    own = next((place for place in (run, drawn) if (place / "scores.json").is_file()), None)
    if own is not None:
        yield "", own
    if drawn.is_dir():
        yield from ((path.name, path) for path in _folders(drawn) if (path / "scores.json").is_file())


def _of_most(runs: Sequence[ReportedRun]) -> tuple[list[ReportedRun], list[ReportedRun]]:
    """Those that were asked what most were asked, and the others; of a full tie all."""
    rows = Counter(run.scores.config_hash for run in runs)
    own = Counter(run.scores.config_hash for run in runs if not _is_drawn(run))
    most = max((num, own[asked]) for asked, num in rows.items())
    wanted = {asked for asked, num in rows.items() if (num, own[asked]) == most}
    return (
        [run for run in runs if run.scores.config_hash in wanted],
        [run for run in runs if run.scores.config_hash not in wanted],
    )


def _is_drawn(run: ReportedRun) -> bool:
    return run.folder != run.run


def _left_out(others: Sequence[ReportedRun]) -> list[str]:
    """How many were asked something else, and the command that shows them."""
    if not others:
        return []
    ways = dict.fromkeys(f"report={one.run / _DRAWN if _is_drawn(one) else one.run}" for one in others)
    return [
        f"{len(others)} scored {'folder was' if len(others) == 1 else 'folders were'} asked another question "
        f"(other prompts, seeds, references or encoders) and left out. See {listed(list(ways))}"
    ]


def _with_differing(runs: Sequence[ReportedRun]) -> list[ReportedRun]:
    """With the options alone that set runs apart; folders of pictures have none."""
    differing = _differing([run.options for run in runs if run.options])
    return [
        replace(run, options={key: run.options[key] for key in differing if key in run.options})
        for run in runs
    ]


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
