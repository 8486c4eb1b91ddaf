"""The contact sheet: rows are trials, the best first; columns are prompts."""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image, ImageOps

from pages.numbers import places_for, plain_number
from pages.parts import href
from pages.picture import EmbeddedPicture, embed_picture
from pages.sweep_data import SheetPicture, SheetRow, SweepSheet
from pages.sweep_marks import kept

MAX_ROWS, MAX_PROMPTS = 40, 10
SIDE, QUALITY = 160, 74  # pixels and JPEG quality of a thumbnail
_PROMPT_LETTERS = 90
_FEW = 5  # prompts: then their pictures are wider


def sheet_part(sheet: SweepSheet) -> str:
    """The section; what is beyond its size is named, not shown."""
    rows = [row for row in sheet.rows[:MAX_ROWS] if row.pictures]
    if not rows or not sheet.prompts:
        return (
            '<section id="pictures"><h2>Pictures</h2><p class="empty">There are no pictures of trials that '
            "came to their end and kept to the constraints.</p></section>"
        )
    prompts = sheet.prompts[:MAX_PROMPTS]
    scores = [cell.score for row in rows for cell in row.pictures.values()]
    places = places_for(scores)
    few = " few" if len(prompts) <= _FEW else ""
    head = "".join(f'<th scope="col">{escape(_short(prompt)) or "(no prompt)"}</th>' for prompt in prompts)
    body = "".join(_row(row, prompts, places) for row in rows)
    below = f" Beneath a picture: {sheet.score} of this prompt." if sheet.score and any(scores) else ""
    return (
        '<section id="pictures"><h2>Pictures</h2><p class="soft">A row is a trial, the best first; a column '
        f"is a prompt, with the same seed and noise in all rows.{escape(below)}</p>"
        '<div class="box scroll tall" tabindex="0" role="region" aria-label="contact sheet">'
        f'<table class="sheet{few}"><thead><tr><th scope="col">Trial</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{_left_out(sheet, len(prompts))}</section>"
    )


def _row(row: SheetRow, prompts: Sequence[str], places: int) -> str:
    name = escape(row.title)
    if row.link:
        name = f'<a href="{href(row.link)}">{name}</a>'
    note = f"<small>{kept(row.note)}</small>" if row.note else ""
    data = "" if row.number is None else f' data-trial="{row.number}"'
    style = ' class="measure"' if row.number is None else ""
    cells = "".join(f"<td>{_cell(row, row.pictures.get(prompt), prompt, places)}</td>" for prompt in prompts)
    return f'<tr{style}{data}><th scope="row">{name}{note}</th>{cells}</tr>'


def _cell(row: SheetRow, picture: SheetPicture | None, prompt: str, places: int) -> str:
    if picture is None:
        return '<div class="missing">none</div>'
    small = thumbnail(picture.path)
    if small is None:
        return '<div class="missing">missing</div>'
    pixels = ' class="small"' if small.is_small else ""
    image = (
        f'<img{pixels} src="{small.uri}" alt="{escape(f"{row.title}, {_short(prompt)}")}" '
        f'width="{small.width}" height="{small.height}">'
    )
    if picture.link:
        image = f'<a class="open-file" href="{href(picture.link)}">{image}</a>'
    score = "" if picture.score is None else f"<span>{plain_number(picture.score, places)}</span>"
    return image + score


def thumbnail(path: Path) -> EmbeddedPicture | None:
    """The picture at most SIDE pixels wide and high; a smaller one keeps its pixels. None: unreadable."""
    try:
        with Image.open(path) as picture:
            if max(picture.size) <= SIDE:
                return embed_picture(path)
            picture.draft("RGB", (2 * SIDE, 2 * SIDE))
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    upright.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    upright.save(buffer, "JPEG", quality=QUALITY)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    uri = f"data:image/jpeg;base64,{data}"
    return EmbeddedPicture(uri=uri, width=upright.width, height=upright.height, is_scaled=True)


def _left_out(sheet: SweepSheet, shown_prompts: int) -> str:
    names = [*(row.title for row in sheet.rows[MAX_ROWS:]), *sheet.left_out]
    parts = []
    if names:
        parts.append(
            f"<details><summary>{len(names):,} more trials are not shown</summary>"
            f'<p class="soft">{escape(", ".join(names))}</p></details>'
        )
    if more := len(sheet.prompts) - shown_prompts:
        hidden = "".join(f"<li>{escape(prompt)}</li>" for prompt in sheet.prompts[shown_prompts:])
        parts.append(
            f"<details><summary>{more} more prompts are not shown</summary><ul>{hidden}</ul></details>"
        )
    return "".join(parts)


def _short(prompt: str) -> str:
    return prompt if len(prompt) <= _PROMPT_LETTERS else prompt[: _PROMPT_LETTERS - 1] + "…"
