"""The head of a sweep's report and its answer: the verdict, the winner's numbers, settings and command."""

from collections.abc import Sequence
from html import escape

from pages.numbers import NONE, interval_text, number_markup, places_for, plain_number
from pages.parts import href, notices
from pages.sweep_data import SweepMeasure, SweepObjective, SweepPage, SweepSetting, SweepWinner
from pages.sweep_ladder import ladder
from pages.sweep_marks import kept

_VERDICTS = {
    "better": ("better", "good"),
    "worse": ("worse", "bad"),
    "within_noise": ("within the noise", "wait"),
    "unchanged": ("unchanged", "none"),
}


def head_part(page: SweepPage, sections: Sequence[tuple[str, str]]) -> str:
    """Study, verdict, what ran, ways to the sections (id, words)."""
    badge = f'<span class="badge {escape(page.tone)}">{escape(page.verdict)}</span>' if page.verdict else ""
    details = "".join(f"<p>{kept(sentence)}</p>" for sentence in page.details)
    ran = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(words)}</dd></div>" for name, words in page.ran if words
    )
    list_of_ran = f'<dl class="ran">{ran}</dl>' if ran else ""
    links = "".join(f'<a href="#{name}">{escape(words)}</a>' for name, words in sections)
    return (
        f'<header><div class="head study"><h1>{escape(page.title)}</h1>{badge}</div>'
        f'<p class="verdict">{kept(page.sentence)}</p><div class="details">{details}</div>'
        f"{list_of_ran}{notices(page.notices)}"
        f'<nav aria-label="sections">{links}</nav></header>'
    )


def winner_part(page: SweepPage) -> str:
    """What to use, what it comes to, and how to make it; "" without a winner."""
    winner = page.winner
    if winner is None:
        return ""
    link = f' <a href="{href(winner.link)}">its page</a>' if winner.link else ""
    return (
        f'<section id="winner"><h2>The best that was found</h2><p class="soft">Trial {winner.number}.'
        f" {escape(winner.sentence)}{link}</p>"
        f'<div class="answer"><div class="measures">{_settings(winner.settings)}{_use(winner)}</div>'
        f"{_measures(page, winner)}</div></section>"
    )


def _settings(settings: Sequence[SweepSetting]) -> str:
    if not settings:
        return (
            '<div class="box"><h3>Settings</h3><p class="soft">Nothing was searched: the default.</p></div>'
        )
    rows = "".join(_setting(setting) for setting in settings)
    return (
        '<div class="box"><h3>Settings</h3><div class="scroll" tabindex="0" role="region" '
        'aria-label="settings of the winner"><table class="settings"><thead><tr><th scope="col">Key</th>'
        f'<th scope="col">Winner</th><th scope="col">Default</th></tr></thead><tbody>{rows}</tbody></table>'
        "</div></div>"
    )


def _setting(setting: SweepSetting) -> str:
    default = NONE if setting.default is None else escape(setting.default)
    if not setting.is_changed:
        same = '<span class="soft">the same</span>'
        return (
            f'<tr><th scope="row">{escape(setting.key)}</th><td>{escape(setting.value)}</td>'
            f"<td>{same}</td></tr>"
        )
    return (
        f'<tr class="changed"><th scope="row">{escape(setting.key)}</th>'
        f"<td><b>{escape(setting.value)}</b></td><td>{default}</td></tr>"
    )


def _measures(page: SweepPage, winner: SweepWinner) -> str:
    by_name = {objective.name: objective for objective in page.objectives}
    boxes = "".join(
        _measure(by_name[measure.objective], measure)
        for measure in winner.measures
        if measure.objective in by_name
    )
    words = escape(f"{winner.numbers_of} On the lines better is to the right.".strip())
    below = f'<p class="soft small">{words}</p>' if boxes else ""
    return f'<div class="measures">{boxes}{below}</div>'


def _measure(objective: SweepObjective, measure: SweepMeasure) -> str:
    numbers = [number for number in (measure.winner, measure.default) if number is not None]
    places = places_for([*(number.value for number in numbers), measure.base, measure.real])
    cells = [
        ("Winner", number_markup(measure.winner, places), "is-winner"),
        ("Default", number_markup(measure.default, places), "is-default"),
        ("Base model", _plain(measure.base, places), "is-base"),
        ("True pictures", _plain(measure.real, places), "is-real"),
    ]
    row = "".join(
        f'<div class="{style}"><dt>{name}</dt><dd>{text}</dd></div>'
        for name, text, style in cells
        if text != NONE or style == "is-winner"
    )
    way = "lower is better" if objective.is_lower else "higher is better"
    return (
        f'<div class="box"><h3>{escape(objective.title)} <small class="way">{way}</small></h3>'
        f'{_change(measure, places)}{ladder(objective, measure)}<dl class="numbers-of">{row}</dl>'
        "</div>"
    )


def _change(measure: SweepMeasure, places: int) -> str:
    change = measure.change
    if change is None:
        return ""
    words, style = _VERDICTS.get(change.verdict, ("no interval", "none"))
    interval = interval_text(change, places)
    said = f' <span class="soft">95 %: {interval}</span>' if interval else ""
    return (
        f'<p class="change"><b>{plain_number(change.value, places, sign=True)}</b> against the default '
        f'<span class="badge {style}">{words}</span>{said}</p>'
    )


def _plain(value: float | None, places: int) -> str:
    return NONE if value is None else plain_number(value, places)


def _use(winner: SweepWinner) -> str:
    parts = []
    if winner.command:
        parts.append(_copyable("The same file again, in one line", winner.command, "command"))
    if winner.experiment:
        parts.append(_copyable("As a config file, to build on", winner.experiment, "experiment"))
    files = "".join(
        f'<li>{escape(name)}: <a href="{href(path)}">{escape(path)}</a></li>' for name, path in winner.files
    )
    parts += [f'<ul class="files">{files}</ul>'] if files else []
    return f'<div class="use">{"".join(parts)}</div>' if parts else ""


def _copyable(words: str, text: str, name: str) -> str:
    """A command: one click selects all of it, a button copies it."""
    return (
        f'<div class="copyable"><div class="copy-head"><h3 id="{name}-name">{escape(words)}</h3>'
        f'<button type="button" class="copy" data-copies="{name}" data-script hidden>Copy</button></div>'
        f'<pre id="{name}" tabindex="0" aria-labelledby="{name}-name">{escape(text)}</pre></div>'
    )
