"""The frame of a page: one file that loads nothing, runs nothing, and lets no text become markup."""

import base64
import hashlib
import os
from html import escape
from pathlib import Path

from pages.style import STYLE


def document(*, title: str, body: str) -> str:
    """A whole HTML document.

    title  plain text
    body   markup, its texts already escaped
    The content policy allows pictures inside the file and this style sheet, by its hash; nothing else.
    """
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
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
