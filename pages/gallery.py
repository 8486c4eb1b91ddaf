"""The gallery of one scored folder: its scores, and its pictures by prompt and seed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

from pages.document import document, write_page
from pages.gallery_data import BASE, FINAL, GalleryPage, GalleryPicture, GalleryPrompt
from pages.gallery_style import GALLERY_STYLE
from pages.parts import FOOTER, column_class, header, notices, prompt_heading
from pages.picture_choice import MAX_PICTURES, MAX_REFERENCES, Choice, Place, choose_pictures, evenly
from pages.score_table import better_words, metrics_part, tiles_part
from pages.script import SCRIPT
from pages.shots import LARGER_CHARS, ShotMaker, ShownMetric, Words, shown_metrics, zoom_dialog

GAP = '<div class="shot gap"></div>'
MAX_COLUMNS = 12  # seeds side by side; more are wrapped
_SETS = {FINAL: "result", BASE: "base"}


@dataclass(kw_only=True, slots=True, frozen=True)
class _Layout:
    """What the cards of a page have in common."""

    places: frozenset[Place]  # that are shown
    seeds: Sequence[int] | None  # as columns; None: each prompt has its own, wrapped
    with_base: bool
    with_true: bool  # a last column for true pictures
    has_prompts: bool  # known ones
    with_kinds: bool  # the prompts are of more than one kind
    most: int  # scored pictures in a card

    @property
    def is_single(self) -> bool:
        """One seed: its base stands beside it, not beneath."""
        return self.seeds is not None and len(self.seeds) == 1

    @property
    def columns(self) -> int:
        """Pictures in a row of a card."""
        if self.seeds is None:
            return self.most
        return len(self.seeds) * (1 + (self.is_single and self.with_base)) + self.with_true


def write_gallery(page: GalleryPage, path: Path) -> None:
    """Write the page as one HTML file; the same data give the same bytes."""
    write_page(gallery_html(page), path)


def gallery_html(page: GalleryPage, *, most: int = MAX_PICTURES, larger_chars: int = LARGER_CHARS) -> str:
    """The page as text, with at most so many pictures, and so much of their larger versions."""
    prompts = merge_unnamed(page.prompts)
    pictures = [picture for prompt in prompts for picture in prompt.pictures]
    facts = sorted((row.facts for row in page.metrics), key=lambda facts: not facts.is_objective)
    metrics = shown_metrics(facts, pictures)
    body = [
        header(page.title, page.lead, page.link),
        "<main>",
        notices(page.notices),
        tiles_part(page.metrics, page.combined),
        '<p><a href="#scores">All scores</a></p>' if page.metrics else "",
        _pictures_part(replace(page, prompts=prompts), ShotMaker(metrics, larger_chars), most),
        metrics_part(page.metrics, page.noise),
        _environment(page),
        "</main>",
        zoom_dialog(metrics) if pictures else "",
        FOOTER,
    ]
    return document(title=page.title, body="\n".join(filter(None, body)), style=GALLERY_STYLE, script=SCRIPT)


def merge_unnamed(prompts: Sequence[GalleryPrompt]) -> list[GalleryPrompt]:
    """Pictures whose prompt is not known in one row, numbered in place of seeds, not each in its own."""
    unnamed = [prompt for prompt in prompts if not prompt.text.strip()]
    if len(unnamed) < 2:
        return list(prompts)
    numbers: dict[tuple[int, int], int] = {}
    pictures = [
        replace(picture, seed=numbers.setdefault((place, picture.seed), len(numbers)))
        for place, prompt in enumerate(unnamed)
        for picture in prompt.pictures
    ]
    references = [path for prompt in unnamed for path in prompt.references]
    merged = GalleryPrompt(index=unnamed[0].index, text="", references=references, pictures=pictures)
    return [*(prompt for prompt in prompts if prompt.text.strip()), merged]


def _pictures_part(page: GalleryPage, maker: ShotMaker, most: int) -> str:
    metrics = maker.metrics
    if not any(prompt.pictures for prompt in page.prompts):
        return '<section><h2>Pictures</h2><p class="empty">There are no pictures.</p></section>'
    objective = metrics[0].facts if metrics and metrics[0].facts.is_objective else None
    choice = choose_pictures(page.prompts, objective, most)
    layout = _layout(page.prompts, choice)
    cards = [_card(place, prompt, layout, maker) for place, prompt in enumerate(page.prompts)]
    width = column_class(layout.columns) + (" with-base" if layout.with_base else "")
    said = f" {escape(choice.sentence)}" if choice.sentence else ""
    true = "".join(maker.true_picture(path, "") for path in evenly(page.references, MAX_REFERENCES * 3))
    strip = f'<h3>True pictures</h3><div class="line wrap true-pictures">{true}</div>' if true else ""
    return (
        '<section id="gallery"><h2>Pictures</h2>'
        f'<p class="soft">{_reading(layout)}{said}</p>{_controls(page, metrics)}'
        f'<div class="cards prompts {width}">{"".join(cards)}</div>'
        f'<div class="flat" id="flat" hidden></div>{strip}</section>'
    )


def _reading(layout: _Layout) -> str:
    """How to read a card."""
    if not layout.has_prompts:
        return "The prompts of these pictures are not known."
    words = "A card a prompt"
    words += ", a column a seed." if layout.seeds and len(layout.seeds) > 1 else "."
    if layout.with_base:
        words += " Framed what is scored; then what the base model draws from the same seed."
    return words


def _controls(page: GalleryPage, metrics: Sequence[ShownMetric]) -> str:
    """Score, order and filter; the script shows them, since without it they would do nothing."""
    scores = "".join(
        f'<option value="{escape(metric.facts.name)}" data-direction="{metric.facts.direction}" '
        f'data-places="{metric.places}">{escape(metric.facts.title)} ({better_words(metric.facts)})</option>'
        for metric in metrics
    )
    by_score = '<option value="best">best first</option><option value="worst">worst first</option>'
    orders = f'<option value="prompt">by prompt</option>{by_score if metrics else ""}'
    score = f'<label>Score <select id="metric">{scores}</select></label>' if metrics else ""
    return (
        f'<form class="controls" data-script hidden>{score}'
        f'<label>Order <select id="order">{orders}</select></label>'
        f'<label>Show <select id="show">{_filters(page.prompts)}</select></label>'
        '<output id="count"></output></form>'
    )


def _filters(prompts: Sequence[GalleryPrompt]) -> str:
    broken = sum(
        picture.fault is not None and picture.set_name == FINAL
        for prompt in prompts
        for picture in prompt.pictures
    )
    options = [("all", "all pictures"), ("broken", f"broken only ({broken})")]
    kinds = sorted({prompt.kind for prompt in prompts if prompt.kind})
    types = sorted({prompt.type for prompt in prompts if prompt.type})
    options += [(f"kind:{kind}", f"kind: {kind}") for kind in kinds if len(kinds) > 1]
    options += [(f"type:{name}", f"type: {name}") for name in types if len(types) > 1]
    return "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in options)


def _card(place: int, prompt: GalleryPrompt, layout: _Layout, maker: ShotMaker) -> str:
    shown = [picture for picture in prompt.pictures if (place, picture.seed) in layout.places]
    if not shown:
        return ""
    rows = []
    references = list(prompt.references[:MAX_REFERENCES])
    for name in (FINAL, BASE) if layout.with_base else (FINAL,):
        own = {picture.seed: picture for picture in shown if picture.set_name == name}
        rows.append([_cell(own.get(seed), prompt, layout, maker) for seed in layout.seeds or sorted(own)])
    if layout.is_single:
        rows = [[cell for row in rows for cell in row]]
    if layout.seeds and layout.with_true:
        for row in rows:
            row.append(maker.true_picture(references.pop(0), prompt.text) if references else GAP)
    style = "line" if layout.seeds else "line wrap"
    lines = [f'<div class="{style}">{"".join(row)}</div>' for row in rows if row]
    more = [maker.true_picture(path, prompt.text) for path in references]
    lines += [f'<div class="line wrap">{"".join(more)}</div>'] if more else []
    tags = (prompt.type, prompt.kind if layout.with_kinds else None, prompt.tone)
    return (
        f'<article class="card prompt">{prompt_heading(prompt.text, tags)}'
        f'<div class="lines">{"".join(lines)}</div></article>'
    )


def _cell(picture: GalleryPicture | None, prompt: GalleryPrompt, layout: _Layout, maker: ShotMaker) -> str:
    if picture is None:
        return GAP
    name = _SETS.get(picture.set_name, picture.set_name)
    caption = f"seed {picture.seed}" if prompt.text.strip() else picture.file
    if picture.set_name == BASE:
        caption = "base" if layout.seeds else f"base, {caption}"
    words = Words(prompt=prompt.text, caption=caption, name=name, kind=prompt.kind, type=prompt.type)
    return maker.shot(picture, words)


def _layout(prompts: Sequence[GalleryPrompt], choice: Choice) -> _Layout:
    counts = Counter(place for place, _ in choice.places)
    sets = {picture.set_name for prompt in prompts for picture in prompt.pictures}
    return _Layout(
        places=choice.places,
        seeds=None if choice.sentence else _columns(prompts),
        with_base=BASE in sets,
        with_true=any(prompt.references for prompt in prompts),
        with_kinds=len({prompt.kind for prompt in prompts}) > 1,
        has_prompts=any(prompt.text.strip() for prompt in prompts),
        most=max(counts.values(), default=1),
    )


def _columns(prompts: Sequence[GalleryPrompt]) -> list[int] | None:
    """The seeds as columns; None where the prompts have different ones, or too many."""
    each = [{picture.seed for picture in prompt.pictures} for prompt in prompts if prompt.pictures]
    seeds = sorted(set().union(*each))
    most = max(len(own) for own in each)
    return seeds if len(seeds) <= min(MAX_COLUMNS, most + most // 2) else None


def _environment(page: GalleryPage) -> str:
    if not page.environment:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in page.environment
    )
    return (
        f'<section><h2>Scored with</h2><div class="box"><table class="facts">{rows}</table></div></section>'
    )
