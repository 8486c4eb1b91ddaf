"""The pictures of a run page: base and result side by side, and how a picture changed over the steps."""

from html import escape
from pathlib import Path

from pages.picture import embed_picture
from pages.run_data import Pair, PromptPictures, RunPage, Strip


def pictures_part(page: RunPage) -> str:
    """A card for each prompt; a row in it for each seed: base, result, a true picture."""
    if not page.prompts:
        why = "" if page.is_unreadable("samples.json") else ": the run drew none, or was stopped before"
        return f'<section><h2>Before and after</h2><p class="empty">There are no pictures{why}.</p></section>'
    drawing = f" Drawn with {page.drawing}." if page.drawing else ""
    true = " Beside them a true picture of the prompt." if _has_true(page) else ""
    cards = "".join(_card(prompt) for prompt in page.prompts)
    return (
        "<section><h2>Before and after</h2>"
        f'<p class="soft">Each prompt and seed, drawn by the base model and by the LoRA.{true}'
        f"{escape(drawing)}</p>"
        f'<div class="cards">{cards}</div></section>'
    )


def strips_part(page: RunPage) -> str:
    """One row of pictures over time for each prompt that was drawn during the run."""
    if not page.strips:
        return ""
    strips = "".join(_strip(strip) for strip in page.strips)
    return (
        "<section><h2>How it learnt</h2>"
        f'<p class="soft">The same prompt and seed at each stage of the run.</p>{strips}</section>'
    )


def figure(path: Path | None, *, alt: str, caption: str = "", style: str = "") -> str:
    """One picture, or a place that says that it is missing."""
    picture = None if path is None else embed_picture(path)
    if picture is None:
        inside = '<div class="missing">missing</div>'
    else:
        small = ' class="small"' if picture.is_small else ""
        size = f'width="{picture.width}" height="{picture.height}"'
        inside = f'<img{small} src="{picture.uri}" alt="{escape(alt)}" {size}>'
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure class="picture {style}">{inside}{below}</figure>'


def _card(prompt: PromptPictures) -> str:
    has_true = any(pair.true for pair in prompt.pairs)
    head = '<div class="column">Base</div><div class="column result">LoRA</div>'
    head += '<div class="column">True picture</div>' if has_true else ""
    rows = "".join(_row(prompt.prompt, pair, has_true=has_true) for pair in prompt.pairs)
    return (
        f'<article class="card"><h3>{_words(prompt.prompt)}</h3>'
        f'<div class="grid-{3 if has_true else 2}">{head}{rows}</div></article>'
    )


def _row(prompt: str, pair: Pair, *, has_true: bool) -> str:
    seed = f"seed {pair.seed}"
    parts = [
        figure(pair.base, alt=f"base, {prompt}, {seed}", caption=seed),
        figure(pair.final, alt=f"LoRA, {prompt}, {seed}", caption=seed, style="result"),
    ]
    if has_true:
        parts.append(figure(pair.true, alt=f"true picture, {prompt}"))
    return "".join(parts)


def _strip(strip: Strip) -> str:
    frames = "".join(
        figure(
            path, alt=f"{label}, {strip.prompt}", caption=label, style="result" if label == "final" else ""
        )
        for label, path in strip.frames
    )
    return (
        f'<div class="strip"><h3>{_words(strip.prompt)} <span class="soft">seed {strip.seed}</span></h3>'
        f'<div class="frames">{frames}</div></div>'
    )


def _words(prompt: str) -> str:
    return escape(prompt) if prompt.strip() else '<span class="soft">(empty prompt)</span>'


def _has_true(page: RunPage) -> bool:
    return any(pair.true for prompt in page.prompts for pair in prompt.pairs)
