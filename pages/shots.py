"""The pictures of a gallery: each a button that opens it large; what is known of it is in its attributes."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from pages.gallery_data import FINAL, GalleryPicture, MetricFacts
from pages.numbers import places_for, plain_number
from pages.picture import embed_thumbnail

LARGER_CHARS = 12 * 1024 * 1024  # of a page, for the larger versions that a click shows
NO_PROMPT = "(no prompt)"


@dataclass(kw_only=True, slots=True, frozen=True)
class ShownMetric:
    """A metric that gives single pictures a number."""

    facts: MetricFacts
    places: int  # decimals

    def text(self, scores: Mapping[str, float]) -> str:
        """The picture's number, "" without one."""
        value = scores.get(self.facts.name)
        return "" if value is None or not math.isfinite(value) else plain_number(value, self.places)


@dataclass(kw_only=True, slots=True, frozen=True)
class Words:
    """What stands at a picture."""

    prompt: str
    caption: str  # beneath it: seed 3
    name: str  # of what it is: base, result, the name of a run
    kind: str | None = None
    type: str | None = None


@dataclass(kw_only=True, slots=True, frozen=True)
class _Look:
    """The figure around a picture."""

    style: str  # its classes
    data: Mapping[str, str]  # its data attributes, plain text
    caption: str  # markup


class ShotMaker:
    """Makes the figures of one page; the larger versions as long as there is room for them."""

    def __init__(self, metrics: Sequence[ShownMetric], larger_chars: int = LARGER_CHARS) -> None:
        self.metrics = metrics
        self._left = larger_chars

    def shot(self, picture: GalleryPicture, words: Words) -> str:
        """A drawn picture with its scores; a broken one says why."""
        scores = {name: value for name, value in picture.scores.items() if math.isfinite(value)}
        shown = self.metrics[0].text(scores) if self.metrics else ""
        style = ("result " if picture.set_name == FINAL else "base ") + ("broken" if picture.fault else "")
        facts = {
            "seed": str(picture.seed) if words.prompt.strip() else "",  # elsewhere it is a mere number
            "file": picture.file,
            "kind": words.kind or "",
            "type": words.type or "",
            "scores": json.dumps(scores),
        }
        label = f'<span class="fault">{escape(picture.fault)}</span> ' if picture.fault else ""
        caption = f'{label}<b class="value">{shown}</b> <span class="where">{escape(words.caption)}</span>'
        place = f"seed {picture.seed}" if words.prompt.strip() else picture.file
        alt = f"{words.name}, {words.prompt or NO_PROMPT}, {place}"
        return self._figure(picture.path, alt, words, _Look(style=style.strip(), data=facts, caption=caption))

    def true_picture(self, path: Path, prompt: str) -> str:
        """A reference."""
        words = Words(prompt=prompt, caption="true", name="true picture")
        look = _Look(style="true", data={"file": path.name}, caption="true")
        return self._figure(path, f"true picture, {prompt or NO_PROMPT}", words, look)

    def _figure(self, path: Path, alt: str, words: Words, look: "_Look") -> str:
        thumbnail = embed_thumbnail(path, with_larger=self._left > 0)
        data = {"name": words.name, **look.data}
        if thumbnail is None:
            inside = '<div class="missing">missing</div>'
        else:
            larger = f' data-larger="{thumbnail.larger}"' if thumbnail.larger else ""
            self._left -= len(larger)
            data["size"] = f"{thumbnail.width} × {thumbnail.height}"
            shown = thumbnail.picture
            small = ' class="small"' if shown.is_small else ""
            inside = (
                f'<button type="button" class="open"{larger}>'
                f'<img{small} src="{shown.uri}" alt="{escape(alt)}" '
                f'width="{shown.width}" height="{shown.height}"></button>'
            )
        attributes = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items() if value)
        return (
            f'<figure class="shot {look.style}"{attributes}>{inside}<figcaption>{look.caption}'
            f'<span class="words">{escape(words.prompt) or NO_PROMPT}</span></figcaption></figure>'
        )


def shown_metrics(facts: Sequence[MetricFacts], pictures: Sequence[GalleryPicture]) -> list[ShownMetric]:
    """The metrics by which pictures can be put into an order: those that tell two of them apart."""
    shown = []
    for metric in facts:
        values = [
            picture.scores[metric.name]
            for picture in pictures
            if picture.set_name == FINAL and math.isfinite(picture.scores.get(metric.name, math.nan))
        ]
        if len(set(values)) > 1 or (values and metric.is_objective):
            shown.append(ShownMetric(facts=metric, places=places_for(values)))
    return shown


def zoom_dialog(metrics: Sequence[ShownMetric]) -> str:
    """Where a picture is shown large; the page's script fills it."""
    rows = "".join(
        f'<tr data-metric="{escape(metric.facts.name)}" data-places="{metric.places}">'
        f'<th scope="row">{escape(metric.facts.title)}</th><td></td></tr>'
        for metric in metrics
    )
    return (
        '<dialog id="zoom" aria-labelledby="zoom-prompt"><div class="zoom">'
        '<div class="zoom-picture"><img id="zoom-picture" alt=""></div>'
        '<div class="zoom-words"><p id="zoom-name" class="soft"></p><h2 id="zoom-prompt"></h2>'
        '<p id="zoom-fault" class="fault" hidden></p><p id="zoom-file" class="soft"></p>'
        f'<table class="facts">{rows}</table>'
        '<p class="zoom-keys"><button type="button" id="zoom-back" aria-label="previous picture">←</button>'
        '<button type="button" id="zoom-on" aria-label="next picture">→</button>'
        '<span id="zoom-place" class="soft" aria-live="polite"></span>'
        '<button type="button" id="zoom-close">Close</button></p></div></div></dialog>'
    )
