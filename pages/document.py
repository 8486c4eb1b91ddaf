"""The frame of a page: one file that loads nothing, and lets no text become markup or program."""

import base64
import hashlib
import os
from html import escape
from pathlib import Path

from pages.style import STYLE


def document(*, title: str, body: str, style: str = "", script: str = "") -> str:
    """A whole HTML document.

    title   plain text
    body    markup, its texts already escaped
    style   what this kind of page adds to the style sheet of all pages
    script  its one program; "" forbids all of them
    The content policy allows pictures inside the file, this style sheet and this script, by their hashes;
    nothing else.
    """
    sheet = STYLE + style
    allowed = [
        "default-src 'none'",
        "img-src data:",
        f"style-src '{_hash(sheet)}'",
        *([f"script-src '{_hash(script)}'"] if script else []),
        "base-uri 'none'",
        "form-action 'none'",
    ]
    program = f"\n<script>{script}</script>" if script else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{"; ".join(allowed)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{sheet}</style>\n</head>\n"
        f"<body>\n{body}{program}\n</body>\n</html>\n"
    )


def write_page(html: str, path: Path) -> None:
    """Write beside `path`, then rename: a browser never sees half a page, and a full disk leaves the old one.

    What UTF-8 cannot say (a file name of other bytes) becomes a question mark.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(html.encode("utf-8", "replace"))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _hash(text: str) -> str:
    """As a content policy names what it allows."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
