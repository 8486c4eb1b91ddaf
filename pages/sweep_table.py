"""The table of all trials, and that of the settings that were trained again with fresh seeds."""

from collections.abc import Sequence
from html import escape

from pages.numbers import NONE, change_markup, number_markup, plain_number
from pages.parts import href
from pages.run_folder import duration
from pages.sweep_axes import cut
from pages.sweep_data import COMPLETE, FAILED, PRUNED, SweepConfirmed, SweepDimension, SweepPage, SweepTrial
from pages.sweep_marks import kept, trial_words

_BADGES = {COMPLETE: "good", PRUNED: "wait", FAILED: "bad"}
_VALUE_LETTERS = 48  # of a setting in a cell
_CAUSE_LETTERS = 400


def table_part(page: SweepPage) -> str:
    """All trials; the best first, then by number."""
    if not page.trials:
        return '<section id="trials"><h2>All trials</h2><p class="empty">There are none yet.</p></section>'
    ordered = sorted(page.trials, key=lambda trial: (trial.rank is None, trial.rank or 0, trial.number))
    rows = "".join(_row(trial, page) for trial in ordered)
    return (
        '<section id="trials"><h2>All trials</h2><p class="soft">± is half of a 95 % interval over prompts. '
        "A click on a column's name sorts by it, one on a row marks the trial in every plot.</p>"
        '<form class="controls filter" data-script hidden><label>Filter <input type="search" id="filter" '
        'autocomplete="off" placeholder="pruned, rank 16, nan …"></label><output id="count"></output></form>'
        '<div class="box scroll tall" tabindex="0" role="region" aria-label="all trials">'
        f'<table class="sortable trials" id="table"><thead><tr>{_heads(page)}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _heads(page: SweepPage) -> str:
    heads = [_head("Trial", "ascending"), _head("Outcome", "ascending", style="text")]
    heads += [
        _head(
            objective.title,
            "ascending" if objective.is_lower else "descending",
            "lower is better" if objective.is_lower else "higher is better",
        )
        for objective in page.objectives
    ]
    heads += [_head(dimension.label, "ascending") for dimension in page.dimensions]
    return "".join([*heads, _head("Steps", "descending"), _head("Time", "descending")])


def _head(words: str, first: str, below: str = "", *, style: str = "") -> str:
    """A column that can be sorted; first = the way of the first click."""
    small = f"<small>{escape(below)}</small>" if below else ""
    kind = f' class="{style}"' if style else ""
    return (
        f'<th scope="col"{kind} data-first="{first}">'
        f'<button type="button" class="sort">{escape(cut(words, 40))}</button>{small}</th>'
    )


def _row(trial: SweepTrial, page: SweepPage) -> str:
    name = f"{trial.number}"
    if trial.link:
        name = f'<a href="{href(trial.link)}">{name}</a>'
    roles = "".join(f' <span class="role">{escape(role)}</span>' for role in trial.roles)
    cells = [f'<th scope="row" data-value="{trial.number}">{name}{roles}</th>', _outcome(trial)]
    for objective in page.objectives:
        value = trial.values.get(objective.name)
        if value is None:
            cells.append(f'<td data-value="">{NONE}</td>')
            continue
        places = objective.places
        spread = trial.spreads.get(objective.name)
        more = "" if spread is None else f' <span class="soft">± {spread:.{places}f}</span>'
        cells.append(f'<td data-value="{value!r}">{plain_number(value, places)}{more}</td>')
    cells += [_setting(trial, dimension) for dimension in page.dimensions]
    steps = f"{trial.steps_done:,}" if trial.steps_done else NONE
    time = duration(trial.seconds) if trial.seconds else NONE
    cells.append(f'<td data-value="{trial.steps_done or ""}">{steps}</td>')
    cells.append(f'<td data-value="{trial.seconds or ""}">{time}</td>')
    words = escape(trial_words(trial, page))
    return f'<tr data-trial="{trial.number}" data-words="{words}">{"".join(cells)}</tr>'


def _setting(trial: SweepTrial, dimension: SweepDimension) -> str:
    value = trial.settings.get(dimension.key)
    if value is None:
        return f'<td class="option" data-value="">{NONE}</td>'
    short = cut(value.text, _VALUE_LETTERS)
    tip = f' title="{escape(value.text)}"' if short != value.text else ""
    order = value.text[:200] if value.number is None else repr(value.number)
    return f'<td class="option" data-value="{escape(order)}"{tip}>{escape(short)}</td>'


def _outcome(trial: SweepTrial) -> str:
    words = trial.outcome or trial.state
    style = "wait" if trial.state == COMPLETE and trial.rank is None else _BADGES.get(trial.state, "none")
    said = [cut(trial.cause, _CAUSE_LETTERS), *trial.notes] if trial.cause else list(trial.notes)
    below = "".join(f'<small class="cause">{escape(sentence)}</small>' for sentence in said)
    return (
        f'<td class="text" data-value="{escape(words)}"><span class="badge {style}">{escape(words)}</span>'
        f"{below}</td>"
    )


def confirm_part(page: SweepPage) -> str:
    """The settings that were trained again: mean, spread, each seed, how much the search had flattered."""
    if not page.confirmed:
        if not page.confirm_note:
            return ""
        return (
            '<section id="confirmation"><h2>Trained again with fresh seeds</h2>'
            f'<p class="empty">{escape(page.confirm_note)}</p></section>'
        )
    heads = "".join(
        f'<th scope="col">{escape(objective.title)}<small>mean over seeds</small></th>'
        '<th scope="col">Against the default</th><th scope="col">Search had shown</th>'
        for objective in page.objectives
    )
    rows = "".join(_confirmed(one, page) for one in page.confirmed)
    note = f" {escape(page.confirm_note)}" if page.confirm_note else ""
    return (
        '<section id="confirmation"><h2>Trained again with fresh seeds</h2><p class="soft">Other training '
        "seeds, and prompts that took no part in the search. ± is half of a 95 % interval over seeds. The "
        f"last column: how much better the search had shown a setting than it is.{note}</p>"
        '<div class="box scroll" tabindex="0" role="region" aria-label="confirmed settings">'
        '<table class="confirmed"><thead><tr><th scope="col">Settings of</th><th scope="col">Seeds</th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _confirmed(one: SweepConfirmed, page: SweepPage) -> str:
    roles = "".join(f' <span class="role">{escape(role)}</span>' for role in one.roles)
    links = " ".join(f'<a href="{href(path)}">{escape(words)}</a>' for words, path in one.links)
    lost = [f"{one.num_missing} to come"] if one.num_missing else []
    lost += [f"{one.num_failed} failed"] if one.num_failed else []
    below = f"<small>{escape(', '.join(lost))}</small>" if lost else ""
    cells = []
    for objective in page.objectives:
        places = objective.places
        seeds = ", ".join(plain_number(value, places) for value in one.values.get(objective.name, ()))
        each = f"<small>{seeds}</small>" if seeds else ""
        cells.append(f"<td><b>{number_markup(one.numbers.get(objective.name), places)}</b>{each}</td>")
        cells.append(f"<td>{change_markup(one.changes.get(objective.name), places)}</td>")
        optimism = one.optimism.get(objective.name)
        shown = NONE if optimism is None else f"{plain_number(optimism, places, sign=True)}"
        cells.append(f"<td>{shown}</td>")
    return (
        f'<tr data-trial="{one.of}"><th scope="row">trial {one.of}{roles}'
        f"<small>{kept(one.settings)}</small><small>{links}</small></th><td>{len(one.seeds)}{below}</td>{''.join(cells)}</tr>"
    )


def facts_part(facts: Sequence[tuple[str, str]]) -> str:
    """How the study was made."""
    if not facts:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in facts
    )
    return (
        '<section id="facts"><h2>How it was made</h2><div class="box"><table class="facts">'
        f"{rows}</table></div></section>"
    )
