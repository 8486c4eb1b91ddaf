"""The page of inspect=N: batches as a run would be fed them."""

import json
from html import escape
from pathlib import Path
from typing import cast

from pages.document import document, write_page
from pages.pictures_part import figure

_Json = dict[str, object]


def write_inspect_page(folder: Path) -> Path:
    """Write inspect.html beside a folder inspect/ that holds batches.json; its path."""
    page = folder.parent / "inspect.html"
    content = cast(_Json, json.loads((folder / "batches.json").read_text(encoding="utf-8")))
    batches = cast("list[_Json]", content["batches"])
    skipped = cast("list[str]", content["skipped"])
    notices = "".join(f'<p class="notice">Left out: {escape(name)}</p>' for name in skipped)
    cards = "".join(_batch(folder, number, batch) for number, batch in enumerate(batches, start=1))
    first = f"first {len(batches)} batches as they are" if len(batches) > 1 else "first batch as it is"
    body = (
        f"<header><h1>{escape(folder.parent.name)}</h1>"
        f'<p class="lead">The {first} fed to the steps: latents decoded again, '
        f"and the words that the text encoder is given.</p></header><main>{notices}{cards}</main>"
    )
    write_page(document(title=f"{folder.parent.name}: batches", body=body), page)
    return page


def _batch(folder: Path, number: int, batch: _Json) -> str:
    pictures = "".join(_picture(folder, row) for row in cast("list[_Json]", batch["pictures"]))
    return (
        f"<section><h2>Batch {number}</h2>"
        f'<p class="soft">step {batch["step"]}, bucket {batch["width"]} x {batch["height"]}</p>'
        f'<div class="frames">{pictures}</div></section>'
    )


def _picture(folder: Path, row: _Json) -> str:
    words = [str(row["caption"]) or "(empty caption)", Path(str(row["source"])).name]
    if row["is_reg"]:
        words.append(f"regularisation, weight {row['weight']}")
    caption = "; ".join(words)
    shown = figure(folder / str(row["file"]), alt=caption, caption=caption)
    if row["mask"] is None:
        return shown
    return shown + figure(
        folder / str(row["mask"]), alt="mask", caption="its mask: the loss counts where it is white"
    )
