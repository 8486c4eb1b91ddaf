"""Two or more scored folders side by side: who is told from whom, and the same prompts and seeds together."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from pages.document import document, write_page
from pages.gallery_data import (
    LOWER,
    Change,
    ComparedPrompt,
    ComparedRun,
    ComparedScores,
    ComparePage,
    GalleryPicture,
    Number,
    RankStep,
)
from pages.gallery_style import GALLERY_STYLE
from pages.numbers import NONE, interval_text, number_markup, places_for, plain_number
from pages.parts import FOOTER, column_class, header, href, notices, prompt_heading, run_name
from pages.picture_choice import MAX_PICTURES, evenly
from pages.quarters import below_their_stems
from pages.scatter import ScatterPoint, scatter_part
from pages.score_table import metric_name
from pages.script import SCRIPT
from pages.shots import ShotMaker, Words, shown_metrics, zoom_dialog


def write_compare_page(page: ComparePage, path: Path) -> None:
    """Write the page as one HTML file; the same data give the same bytes."""
    write_page(compare_html(page), path)


def compare_html(page: ComparePage, most: int = MAX_PICTURES) -> str:
    """The page as text, with at most so many pictures."""
    every = [picture for prompt in page.prompts for of_run in prompt.pictures.values() for picture in of_run]
    facts = sorted((scores.facts for scores in page.metrics), key=lambda facts: not facts.is_objective)
    maker = ShotMaker(shown_metrics(facts, every))
    body = [
        header(page.title, page.lead),
        "<main>",
        notices(page.notices),
        _table_part(page),
        _scatter(page),
        _pictures_part(page, maker, most),
        "</main>",
        zoom_dialog(maker.metrics) if every else "",
        FOOTER,
    ]
    return document(title=page.title, body="\n".join(filter(None, body)), style=GALLERY_STYLE, script=SCRIPT)


def _table_part(page: ComparePage) -> str:
    if not page.metrics:
        return '<section><h2>Scores</h2><p class="empty">Nothing was scored.</p></section>'
    names = "".join(f'<th scope="col">{run_name(run.name, run.link)}</th>' for run in page.runs)
    ordered = below_their_stems(page.metrics, lambda scores: scores.facts.name)
    rows = "".join(_row(scores, page.runs, stem) for scores, stem in ordered)
    return (
        "<section><h2>Scores</h2>"
        '<p class="soft">± is half of a 95 % interval over prompts. The small number is the rank. Neighbours '
        "in rank are told apart by their paired differences: same prompt, same seed.</p>"
        '<div class="box scroll" tabindex="0" role="region" aria-label="all scores"><table class="scores">'
        f'<thead><tr><th scope="col">Metric</th>{names}'
        '<th scope="col" class="left">Told apart</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _row(scores: ComparedScores, runs: Sequence[ComparedRun], stem: ComparedScores | None) -> str:
    places = places_for([number.value for number in scores.numbers.values()])
    ranks = _ranks(scores)
    cells = []
    for run in runs:
        number = scores.numbers.get(run.name)
        if number is None:
            why = scores.missing.get(run.name)
            reason = f"<small>{escape(why)}</small>" if why else ""
            cells.append(f'<td class="wide">{NONE}{reason}</td>')
        else:
            cells.append(_cell(number, places, ranks[run.name]))
    steps = "".join(_step(step, places) for step in scores.steps)
    style, above = ("", None) if stem is None else (' class="part"', stem.facts)
    return (
        f'<tr{style}><th scope="row">{metric_name(scores.facts, above)}</th>{"".join(cells)}'
        f'<td class="steps">{steps or NONE}</td></tr>'
    )


def _cell(number: Number, places: int, rank: int) -> str:
    first = ' class="first"' if rank == 1 else ""
    return (
        f'<td{first} data-rank="{rank}">{number_markup(number, places)}<span class="rank">{rank}</span></td>'
    )


def _ranks(scores: ComparedScores) -> dict[str, int]:
    """1 is the best; equal values share a rank."""
    sign = 1 if scores.facts.direction == LOWER else -1
    values = {name: sign * number.value for name, number in scores.numbers.items()}
    return {name: 1 + sum(other < value for other in values.values()) for name, value in values.items()}


def _step(step: RankStep, places: int) -> str:
    change = step.difference
    words, badge = _saying(change)
    between = "and" if change.value == 0 else "before"
    return (
        f'<div class="step"><span class="badge {badge}">{words}</span>'
        f"<span><b>{escape(step.better)}</b> {between} {escape(step.worse)} "
        f"{plain_number(change.value, places, sign=True)}"
        f"<small>{interval_text(change, places)}</small></span></div>"
    )


def _saying(change: Change) -> tuple[str, str]:
    """Whether two runs are told apart: words, and the class of their badge."""
    if change.low is None or change.high is None:
        return "no interval", "none"
    if change.is_separated:
        return "separated", "good"
    return ("no difference", "none") if change.low == change.high == 0 else ("within the noise", "wait")


def _scatter(page: ComparePage) -> str:
    if page.axes is None:
        return ""
    by_name = {scores.facts.name: scores for scores in page.metrics}
    if any(axis not in by_name for axis in page.axes):
        return ""
    x, y = (by_name[axis] for axis in page.axes)
    points = [
        ScatterPoint(
            name=run.name,
            x=x.numbers[run.name],
            y=y.numbers[run.name],
            address=None if run.link is None else href(run.link),
        )
        for run in page.runs
        if run.name in x.numbers and run.name in y.numbers
    ]
    return scatter_part(points, (x.facts, y.facts))


def _pictures_part(page: ComparePage, maker: ShotMaker, most: int) -> str:
    pairs = [
        (place, seed)
        for place, prompt in enumerate(page.prompts)
        for seed in sorted({picture.seed for of_run in prompt.pictures.values() for picture in of_run})
    ]
    if not pairs:
        return '<section><h2>Pictures</h2><p class="empty">There are no pictures.</p></section>'
    with_true = any(prompt.references for prompt in page.prompts)
    shown = evenly(pairs, most // (len(page.runs) + with_true))
    left_out = (
        f" The page shows {len(shown):,} of {len(pairs):,} prompts and seeds, evenly chosen."
        if len(shown) < len(pairs)
        else ""
    )
    cards = "".join(
        _card(prompt, [seed for at, seed in shown if at == place], page.runs, maker)
        for place, prompt in enumerate(page.prompts)
    )
    return (
        '<section id="comparison"><h2>Pictures</h2>'
        f'<p class="soft">The same prompt and seed, side by side.{left_out}</p>'
        f"{_controls(sorted({seed for _, seed in shown}))}"
        f'<div class="cards prompts {column_class(len(page.runs) + with_true)}">{cards}</div></section>'
    )


def _controls(seeds: Sequence[int]) -> str:
    if len(seeds) < 2:
        return ""
    options = "".join(f'<option value="{seed}">{seed}</option>' for seed in seeds)
    return (
        '<form class="controls" data-script hidden><label>Seed <select id="seed">'
        f'{options}<option value="all">all</option></select></label></form>'
    )


def _card(prompt: ComparedPrompt, seeds: Sequence[int], runs: Sequence[ComparedRun], maker: ShotMaker) -> str:
    if not seeds:
        return ""
    lines = []
    for number, seed in enumerate(seeds):
        cells = [_shot(prompt, run.name, seed, maker) for run in runs]
        if prompt.references:
            cells.append(maker.true_picture(prompt.references[number % len(prompt.references)], prompt.text))
        lines.append(f'<div class="line" data-seed="{seed}">{"".join(cells)}</div>')
    return (
        f'<article class="card prompt">{prompt_heading(prompt.text, (prompt.type, prompt.kind, prompt.tone))}'
        f'<div class="lines">{"".join(lines)}</div></article>'
    )


def _shot(prompt: ComparedPrompt, run: str, seed: int, maker: ShotMaker) -> str:
    found: GalleryPicture | None = next(
        (picture for picture in prompt.pictures.get(run, ()) if picture.seed == seed), None
    )
    if found is None:
        return f'<div class="shot gap"><div class="missing">missing</div><p>{escape(run)}</p></div>'
    words = Words(prompt=prompt.text, caption=run, name=run, kind=prompt.kind, type=prompt.type)
    return maker.shot(found, words)
