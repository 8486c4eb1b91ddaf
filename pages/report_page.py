"""Many runs in one sortable table, and what they give for what."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from pages.document import document, write_page
from pages.gallery_data import LOWER, MetricFacts, ReportPage, ReportRun
from pages.gallery_style import GALLERY_STYLE
from pages.numbers import NONE, number_markup, places_for
from pages.parts import FOOTER, header, href, notices, run_name
from pages.scatter import ScatterPoint, scatter_part
from pages.score_table import better_words
from pages.script import SCRIPT

_BADGES = {"completed": "good", "pruned": "wait", "interrupted": "wait", "diverged": "bad", "failed": "bad"}
_BADGES["out_of_memory"] = "bad"


def write_report_page(page: ReportPage, path: Path) -> None:
    """Write the page as one HTML file; the same data give the same bytes."""
    write_page(report_html(page), path)


def report_html(page: ReportPage) -> str:
    """The page as text."""
    body = [
        header(page.title, page.lead),
        "<main>",
        notices(page.notices),
        _scatter(page),
        _table_part(page),
        "</main>",
        FOOTER,
    ]
    return document(title=page.title, body="\n".join(filter(None, body)), style=GALLERY_STYLE, script=SCRIPT)


def _table_part(page: ReportPage) -> str:
    if not page.runs:
        return '<section><h2>Runs</h2><p class="empty">There are no runs.</p></section>'
    with_outcome = any(run.outcome for run in page.runs)
    options = list(dict.fromkeys(option for run in page.runs for option in run.options))
    places = {
        facts.name: places_for(
            [run.numbers[facts.name].value for run in page.runs if facts.name in run.numbers]
        )
        for facts in page.metrics
    }
    head = [
        _head("Run", "ascending"),
        *([_head("Outcome", "ascending", style="text")] if with_outcome else []),
    ]
    head += [_metric_head(facts) for facts in page.metrics]
    head += [_head(option, "ascending") for option in options]
    rows = "".join(_row(run, page.metrics, places, (with_outcome, options)) for run in page.runs)
    return (
        '<section><h2>Runs</h2><p class="soft">± is half of a 95 % interval over prompts. '
        "A click on a column's name sorts by it.</p>"
        '<div class="box scroll" tabindex="0" role="region" aria-label="all runs">'
        f'<table class="scores sortable"><thead><tr>{"".join(head)}</tr></thead><tbody>{rows}</tbody></table>'
        "</div></section>"
    )


def _head(title: str, first: str, below: str = "", *, style: str = "") -> str:
    """A column that can be sorted; first = the way of the first click."""
    small = f"<small>{escape(below)}</small>" if below else ""
    return (
        f'<th scope="col" class="{style}" data-first="{first}">'
        f'<button type="button" class="sort">{escape(title)}</button>{small}</th>'
    )


def _metric_head(facts: MetricFacts) -> str:
    role = "objective, " if facts.is_objective else "constraint, " if facts.is_constraint else ""
    first = "ascending" if facts.direction == LOWER else "descending"
    return _head(facts.title, first, f"{role}{better_words(facts)}")


def _row(
    run: ReportRun,
    metrics: Sequence[MetricFacts],
    places: dict[str, int],
    columns: tuple[bool, Sequence[str]],
) -> str:
    with_outcome, options = columns
    note = f'<small class="note">{escape(run.note)}</small>' if run.note else ""
    cells = [f'<th scope="row" data-value="{escape(run.name)}">{run_name(run.name, run.link)}{note}</th>']
    if with_outcome:
        outcome = run.outcome or ""
        badge = (
            f'<span class="badge {_BADGES.get(outcome, "none")}">{escape(outcome.replace("_", " "))}</span>'
        )
        cells.append(f'<td class="text" data-value="{escape(outcome)}">{badge if outcome else NONE}</td>')
    for facts in metrics:
        number = run.numbers.get(facts.name)
        value = "" if number is None else repr(number.value)
        cells.append(f'<td data-value="{value}">{number_markup(number, places[facts.name])}</td>')
    for option in options:
        text = run.options.get(option, "")
        cells.append(f'<td class="option" data-value="{escape(text)}">{escape(text) or NONE}</td>')
    return f'<tr data-run="{escape(run.name)}">{"".join(cells)}</tr>'


def _scatter(page: ReportPage) -> str:
    if page.axes is None:
        return ""
    by_name = {facts.name: facts for facts in page.metrics}
    if any(axis not in by_name for axis in page.axes):
        return ""
    across, up = page.axes
    points = [
        ScatterPoint(
            name=run.name,
            x=run.numbers[across],
            y=run.numbers[up],
            address=None if run.link is None else href(run.link),
        )
        for run in page.runs
        if across in run.numbers and up in run.numbers
    ]
    return scatter_part(points, (by_name[across], by_name[up]))
