"""The scores of one folder: tiles of what counts, and the table of all metrics."""

from collections.abc import Sequence
from html import escape

from pages.gallery_data import LOWER, CombinedNumber, MetricFacts, MetricRow, Number
from pages.numbers import change_markup, number_markup, places_for, plain_number
from pages.quarters import below_their_stems, quarter_title, stem_name
from pages.verdicts import verdict_words

_HEAD = ("Base", "Result", "Change", "True pictures", "Anchored", "Pictures")


def tiles_part(metrics: Sequence[MetricRow], combined: CombinedNumber | None) -> str:
    """A tile for each objective, for the number that joins them, and for the constraint; "" without any."""
    tiles = [_tile(row) for row in metrics if row.facts.is_objective]
    tiles += [_combined_tile(combined)] if combined is not None and tiles else []
    tiles += [_tile(row) for row in metrics if row.facts.is_constraint and not row.facts.is_objective]
    return f'<section class="tiles" aria-label="objectives">{"".join(tiles)}</section>' if tiles else ""


def metrics_part(metrics: Sequence[MetricRow], noise: Sequence[str]) -> str:
    """All metrics: the measured ones, then the skipped ones with their reasons; below what noise hides."""
    if not metrics:
        return '<section><h2>Scores</h2><p class="empty">Nothing was scored.</p></section>'
    head = '<th scope="col">Metric</th>' + "".join(f'<th scope="col">{name}</th>' for name in _HEAD)
    rows = below_their_stems([row for row in metrics if row.final is not None], lambda row: row.facts.name)
    measured = "".join(_row(row, stem) for row, stem in rows)
    skipped = "".join(_skipped_row(titles, reason) for reason, titles in _reasons(metrics).items())
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in noise)
    below = f'<h3>What these pictures can tell</h3><ul class="soft">{sentences}</ul>' if sentences else ""
    return (
        '<section id="scores"><h2>Scores</h2>'
        '<p class="soft">± is half of a 95 % interval over prompts. The change is paired: same prompt, same '
        "seed; beneath it the interval. Anchored: 0 is the base, 1 is what true pictures score.</p>"
        f'<div class="box scroll" tabindex="0" role="region" aria-label="all scores">'
        f'<table class="scores one"><thead><tr>{head}</tr></thead>'
        f"<tbody>{measured}{skipped}</tbody></table></div>"
        f"{below}</section>"
    )


def metric_name(facts: MetricFacts, stem: MetricFacts | None = None) -> str:
    """Title, what it is for the search, its scale and its good direction; below its stem the title only."""
    role = "objective" if facts.is_objective else "constraint" if facts.is_constraint else ""
    badge = f' <span class="role">{role}</span>' if role else ""
    if stem is not None:
        return f"{escape(quarter_title(facts.title, stem.title))}{badge}"
    scale = f"{facts.scale}; " if facts.scale else ""
    return f"<b>{escape(facts.title)}</b>{badge}<small>{escape(scale)}{better_words(facts)}</small>"


def better_words(facts: MetricFacts) -> str:
    """Which way is good."""
    return f"{'lower' if facts.direction == LOWER else 'higher'} is better"


def _reasons(metrics: Sequence[MetricRow]) -> dict[str, list[str]]:
    """Why metrics were skipped -> their titles; a quarter that shares the fate of its stem is not named."""
    fates = {row.facts.name: row.skipped for row in metrics if row.final is None}
    reasons: dict[str, list[str]] = {}
    for row in metrics:
        stem = stem_name(row.facts.name)
        if row.final is None and (stem not in fates or fates[stem] != row.skipped):
            reasons.setdefault(row.skipped or "no reason was given", []).append(row.facts.title)
    return reasons


def _row(row: MetricRow, stem: MetricRow | None) -> str:
    places = _places(row)
    words, badge = verdict_words(row.change.verdict if row.change else None, is_measured=True)
    verdict = f'<span class="badge {badge}">{escape(words)}</span>' if row.change else ""
    note = f' <small class="note">{escape(row.note)}</small>' if row.note else ""
    final = row.final
    cells = (
        number_markup(row.base, places),
        f"<b>{number_markup(final, places)}</b>",
        change_markup(row.change, places) + verdict,
        number_markup(row.real, places),
        number_markup(row.anchored, 2),
        _count(final) if final is not None and stem is None else "",
    )
    columns = "".join(f"<td>{cell}</td>" for cell in cells)
    style, above = ("", None) if stem is None else (' class="part"', stem.facts)
    return f'<tr{style}><th scope="row">{metric_name(row.facts, above)}{note}</th>{columns}</tr>'


def _count(number: Number) -> str:
    """What a value is made of."""
    if not number.num_prompts:
        return str(number.n)
    return f"{number.n}<small>of {number.num_prompts} prompts</small>"


def _skipped_row(titles: Sequence[str], reason: str) -> str:
    """All metrics that were skipped for one reason."""
    return (
        f'<tr class="skipped"><th scope="row">{escape(", ".join(titles))}</th>'
        f'<td colspan="{len(_HEAD)}">not measured: {escape(reason)}</td></tr>'
    )


def _places(row: MetricRow) -> int:
    return places_for([number.value for number in (row.base, row.final, row.real) if number is not None])


def _tile(row: MetricRow) -> str:
    verdict = row.change.verdict if row.change else None
    words, badge = verdict_words(verdict, is_measured=row.final is not None)
    if row.change is None and (row.base is not None or row.facts.is_constraint):
        words = ""
    final = row.final
    if final is None:
        numbers, small = "–", row.skipped or ""
    else:
        places = max(0, _places(row) - 1)
        before = (
            f'<span class="before">{plain_number(row.base.value, places)} → </span>'
            if row.base is not None
            else ""
        )
        spread = "" if final.spread is None else f' <span class="spread">± {final.spread:.{places}f}</span>'
        numbers = f"{before}{plain_number(final.value, places)}{spread}"
        parts = [f"{final.n} pictures of {final.num_prompts} prompts"]
        parts += [f"true pictures score {plain_number(row.real.value, places)}"] if row.real else []
        small = "; ".join(parts)
    kind = " (constraint)" if row.facts.is_constraint else ""
    return _tile_markup(f"{row.facts.title}{kind}", numbers, (words, badge), small)


def _combined_tile(combined: CombinedNumber) -> str:
    number = combined.number
    if number is None:
        return _tile_markup("Combined", "–", ("not measured", "none"), combined.reason or "")
    spread = "" if number.spread is None else f' <span class="spread">± {number.spread:.2f}</span>'
    small = combined.reason or "harmonic mean of the anchored objectives"
    words = ("0 = base, 1 = true pictures", "none")
    return _tile_markup("Combined", f"{plain_number(number.value, 2)}{spread}", words, small)


def _tile_markup(title: str, numbers: str, badge: tuple[str, str], small: str) -> str:
    said = f'<span class="badge {badge[1]}">{escape(badge[0])}</span>' if badge[0] else ""
    return (
        f'<div class="tile"><h3>{escape(title)}</h3><div class="numbers">{numbers}</div>'
        f'{said}<p class="small">{escape(small)}</p></div>'
    )
