"""The page of one run: what base and result draw, how it learnt, and how sure the scores are."""

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from pages.charts import Series, line_chart, smooth
from pages.document import document, write_page
from pages.pictures_part import pictures_part, strips_part
from pages.quarters import below_their_stems, quarter_title
from pages.run_data import RunPage, ScoreRow
from pages.run_folder import duration, read_run_folder
from pages.verdicts import verdict_words

__all__ = ["RunPage", "read_run_folder", "run_page_html", "write_run_page"]

_BADGES = {"completed": "good", "pruned": "wait", "interrupted": "wait"}
_SAYINGS = {
    "diverged": "The loss ran away; the pictures below, if any, were drawn before it did.",
    "out_of_memory": "The memory was too small for these settings.",
    "interrupted": "It was stopped; the same command goes on from its last checkpoint.",
    "pruned": "The sweep stopped it early.",
    "failed": "It stopped with an error.",
}


def write_run_page(page: RunPage, path: Path) -> None:
    """Write the page as one HTML file; the same data give the same bytes."""
    write_page(run_page_html(page), path)


def run_page_html(page: RunPage) -> str:
    """The page as text."""
    body = [
        _header(page),
        "<main>",
        _problems(page),
        _tiles(page),
        pictures_part(page),
        strips_part(page),
        _curves(page),
        _score_table(page),
        _details(page),
        "</main>",
        "<footer>Made by Diffusion Sweeper. This file holds everything it shows.</footer>",
    ]
    return document(title=f"{page.title} - {page.outcome or 'not ended'}", body="\n".join(filter(None, body)))


def _header(page: RunPage) -> str:
    outcome = page.outcome or "not ended"
    badge = _BADGES.get(outcome, "none" if page.outcome is None else "bad")
    words = []
    if page.steps_done is not None:
        words.append(f"{page.steps_done} of {page.total_steps or '?'} steps")
    if page.seconds is not None:
        words.append(f"in {duration(page.seconds)}")
    sentence = " ".join(words) + ("." if words else "")
    saying = _SAYINGS.get(outcome, "")
    if page.outcome is None and not page.is_unreadable("result.json"):
        saying = "There is no result.json yet."
    cause = f" Cause: {page.cause}" if page.cause else ""
    return (
        f'<header><div class="head"><h1>{escape(page.title)}</h1>'
        f'<span class="badge {badge}">{escape(outcome.replace("_", " "))}</span></div>'
        f'<p class="lead">{escape(f"{sentence} {saying}{cause}".strip())}</p></header>'
    )


def _problems(page: RunPage) -> str:
    return "".join(f'<p class="notice">{escape(problem)}</p>' for problem in page.problems)


def _tiles(page: RunPage) -> str:
    if not page.scores:
        why = "" if page.is_unreadable("scores.json") else ": this run was not scored, or not yet"
        return f'<p class="empty">There are no scores{why}.</p>'
    tiles = "".join(_tile(row) for row in page.scores if row.is_key)
    return f'<section class="tiles" aria-label="scores">{tiles}</section>'


def _tile(row: ScoreRow) -> str:
    words, badge = verdict_words(row.verdict, is_measured=row.final is not None)
    if row.final is None:
        numbers, small = "-", row.remark or ""
    else:
        before = "" if row.base is None else f'<span class="before">{row.base:.2f} → </span>'
        spread = (
            f' <span class="spread">± {row.final_spread:.2f}</span>' if row.final_spread is not None else ""
        )
        numbers = f"{before}{row.final:.2f}{spread}"
        small = f"{row.n} pictures of {row.num_prompts} prompts"
        small += (
            f"; true pictures score {row.real:.2f}" if row.real is not None and row.real != row.final else ""
        )
    return (
        f'<div class="tile"><h3>{escape(row.title)}</h3><div class="numbers">{numbers}</div>'
        f'<span class="badge {badge}">{escape(words)}</span><p class="small">{escape(small)}</p></div>'
    )


def _curves(page: RunPage) -> str:
    boxes = []
    loss = line_chart(
        [
            Series(name="loss", points=page.loss, style="raw"),
            Series(name="smoothed", points=smooth(page.loss), style="smooth"),
        ],
        title="Training loss over the steps",
        x_label="step",
        y_label="loss",
    )
    if loss:
        keys = '<span><i class="key raw"></i>each step</span><span><i class="key"></i>smoothed</span>'
        boxes.append(_box("Training loss", loss, keys))
    validation = line_chart(
        [Series(name="validation loss", points=page.val_loss, style="smooth", dots=True)],
        title="Validation loss over the steps",
        x_label="step",
        y_label="validation loss",
    )
    if validation:
        keys = "<span>the same pictures, noise and timesteps each time</span>"
        boxes.append(_box("Validation loss", validation, keys))
    rate = line_chart(
        [Series(name="learning rate", points=page.learning_rate, style="smooth")],
        title="Learning rate over the steps",
        x_label="step",
        y_label="learning rate",
    )
    if rate:
        boxes.append(_box("Learning rate", rate, ""))
    if boxes:
        inside = f'<div class="charts">{"".join(boxes)}</div>'
    else:
        inside = "" if page.loss else '<p class="empty">No losses yet.</p>'
    return f"<section><h2>How the loss fell</h2>{_not_numbers(page)}{inside}</section>"


def _not_numbers(page: RunPage) -> str:
    """What a line cannot show: it only has a gap there."""
    steps = [step for step, value in page.loss if not math.isfinite(value)]
    if not steps:
        return ""
    times = "" if len(steps) == 1 else f" at {len(steps)} steps, first"
    return f'<p class="notice">The loss was not a number{times} at step {steps[0]:.0f}.</p>'


def _box(title: str, chart: str, legend: str) -> str:
    keys = f'<p class="legend">{legend}</p>' if legend else ""
    return f'<div class="box"><h3>{escape(title)}</h3>{chart}{keys}</div>'


def _score_table(page: RunPage) -> str:
    if not page.scores:
        return ""
    head = "".join(
        f"<th>{name}</th>" for name in ("Score", "Base", "Result", "Change", "", "True", "Anchored", "n")
    )
    shown = [row for row in page.scores if row.final is not None or row.is_key]
    rows = "".join(_table_row(row, stem) for row, stem in below_their_stems(shown, lambda row: row.name))
    excluded = "".join(
        f'<p class="notice">Not scored: {escape(file)} is {escape(reason)}.</p>'
        for file, reason in page.excluded
    )
    return (
        "<section><h2>Scores</h2>"
        '<p class="soft">± is half of a 95 % interval over prompts. The change is paired: same prompt, same '
        "seed. Anchored: 0 is the base, 1 is what true pictures score.</p>"
        f'{excluded}<div class="box scroll"><table><tr>{head}</tr>{rows}</table></div>'
        f"{_beside(page)}</section>"
    )


def _beside(page: RunPage) -> str:
    """What was not measured, and where the scores of single pictures are."""
    skipped = [row.title for row in page.scores if row.final is None and not row.is_key]
    words = f'<p class="soft">Not measured: {escape(", ".join(skipped))}.</p>' if skipped else ""
    if page.gallery is None:
        return words
    return f'{words}<p><a href="{escape(page.gallery)}">Every picture with its scores</a></p>'


def _table_row(row: ScoreRow, stem: ScoreRow | None) -> str:
    words, badge = verdict_words(row.verdict, is_measured=row.final is not None)
    remark = f"<br><small class='soft'>{escape(row.remark)}</small>" if row.remark else ""
    name = f"<b>{escape(row.title)}</b><br><small class='soft'>{escape(row.scale)}</small>{remark}"
    if stem is not None:
        name = f"{escape(quarter_title(row.title, stem.title))}{remark.replace('<br>', ' ')}"
    count = f"{row.n} / {row.num_prompts}" if row.num_prompts else str(row.n or "-")
    cells: Sequence[str] = (
        _number(row.base, row.base_spread),
        _number(row.final, row.final_spread),
        _number(row.change, row.change_spread, sign="+"),
        f'<span class="badge {badge}">{escape(words)}</span>',
        _number(row.real, None),
        _number(row.anchored, row.anchored_spread),
        count if stem is None else "",
    )
    style = "" if stem is None else ' class="part"'
    return f"<tr{style}><td>{name}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _number(value: float | None, spread: float | None, *, sign: str = "") -> str:
    if value is None:
        return "-"
    return f"{value:{sign}.3f}" + ("" if spread is None else f" ± {spread:.3f}")


def _details(page: RunPage) -> str:
    parts = ["<section><h2>The run</h2>"]
    if page.facts:
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in page.facts
        )
        parts.append(f'<div class="box"><table class="facts">{rows}</table></div>')
    if page.config:
        parts.append(
            f"<details><summary>Every setting (run.yaml)</summary><pre>{escape(page.config)}</pre></details>"
        )
    else:
        parts.append('<p class="empty">The folder holds no run.yaml.</p>')
    return "".join([*parts, "</section>"])
