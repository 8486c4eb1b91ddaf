"""What the plots of a sweep's report share: the words of a trial, its class, and which are drawn of many."""

import re
from collections.abc import Sequence
from html import escape

from pages.numbers import plain_number
from pages.picture_choice import evenly
from pages.sweep_axes import cut
from pages.sweep_data import COMPLETE, DEFAULT, WINNER, SweepPage, SweepTrial

MAX_DRAWN = 400  # trials in one plot; the best of them always
_WHOLE = re.compile(r"(?<![\w&])(?:[\d.]+e-\d+[,;.)]*|[+−-]?[\d.]+ ± [\d.]+)")
MAX_TITLED = 150  # drawn trials with a text of their own in every plot; beyond, the bar below says it


def trial_words(trial: SweepTrial, page: SweepPage) -> str:
    """A trial in one line: what it came to, and its settings."""
    roles = f" ({', '.join(trial.roles)})" if trial.roles else ""
    scores = [
        f"{objective.title} {plain_number(trial.values[objective.name], objective.places)}"
        for objective in page.objectives
        if objective.name in trial.values
    ]
    came = ", ".join(scores) if scores else trial.outcome or trial.state
    settings = [
        f"{dimension.label} {cut(trial.settings[dimension.key].text, 40)}"
        for dimension in page.dimensions
        if dimension.key in trial.settings
    ]
    return f"Trial {trial.number}{roles}: {came}" + (f" · {', '.join(settings)}" if settings else "")


def role_class(trial: SweepTrial) -> str:
    """The classes of its mark."""
    names = [name for name in (WINNER, DEFAULT) if name in trial.roles]
    return " ".join(["is-front"] * trial.is_front + [f"is-{name}" for name in names])


def drawn_trials(trials: Sequence[SweepTrial], most: int = MAX_DRAWN) -> list[SweepTrial]:
    """At most so many: those with a role, the best, then evenly of the others."""
    if len(trials) <= most:
        return list(trials)
    ordered = sorted(trials, key=lambda trial: (not trial.roles, trial.rank is None, trial.rank or 0))
    best = ordered[: most // 4]
    chosen = {trial.number for trial in best}
    rest = [trial for trial in trials if trial.number not in chosen]
    chosen |= {trial.number for trial in evenly(rest, most - len(best))}
    return [trial for trial in trials if trial.number in chosen]


def left_out_words(shown: int, of: int) -> str:
    """What a plot says when it does not draw everything."""
    return f" Drawn are {shown:,} of {of:,} trials: the best, and evenly of the others." if shown < of else ""


def complete(trials: Sequence[SweepTrial]) -> list[SweepTrial]:
    """Those that came to a value."""
    return [trial for trial in trials if trial.state == COMPLETE and trial.values]


def title(words: str) -> str:
    """The tooltip of an SVG element."""
    return f"<title>{escape(words)}</title>"


def kept(text: str) -> str:
    """The text as markup, in which no line ends within 3e-3 or 0.17 ± 0.02."""
    return _WHOLE.sub(r'<span class="whole">\g<0></span>', escape(text))


def scroller(plot: str, words: str) -> str:
    """A plot in a box that scrolls where the window is narrow, by the keyboard too."""
    return f'<div class="scroll plots" tabindex="0" role="region" aria-label="{escape(words)}">{plot}</div>'


def chooser(name: str, words: str, options: Sequence[str]) -> str:
    """A choice between the parts that carry data-choice="<name>"; "" where there is nothing to choose."""
    if len(options) < 2:
        return ""
    items = "".join(f'<option value="{place}">{escape(text)}</option>' for place, text in enumerate(options))
    return (
        f'<form class="chooser" data-script hidden><label>{escape(words)} '
        f'<select data-chooses="{escape(name)}">{items}</select></label></form>'
    )


def choice(name: str, place: int, body: str) -> str:
    """One of the parts that a chooser chooses from; the first is shown, all of them without the script."""
    return f'<div data-choice="{escape(name)}" data-place="{place}">{body}</div>'
