"""What several pages have: title, notices, links to other pages, the head of a prompt."""

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from pages.shots import NO_PROMPT

FOOTER = "<footer>Made by Diffusion Sweeper. This file holds everything it shows.</footer>"


def header(title: str, lead: str, link: tuple[str, str] | None = None) -> str:
    """Title, a sentence, and a way to another page beside this one."""
    way = "" if link is None else f' <a href="{href(link[1])}">{escape(link[0])}</a>'
    below = f'<p class="lead">{escape(lead)}{way}</p>' if lead or way else ""
    return f'<header><div class="head"><h1>{escape(title)}</h1></div>{below}</header>'


def href(path: str) -> str:
    """A relative path as an address: never another scheme."""
    return escape(quote(path, safe="/.", errors="replace"))


def notices(sentences: Sequence[str]) -> str:
    """What a reader must know first."""
    return "".join(f'<p class="notice">{escape(sentence)}</p>' for sentence in sentences)


def prompt_heading(prompt: str, facts: Sequence[str | None]) -> str:
    """The prompt, and what kind it is."""
    tags = "".join(f'<span class="tag">{escape(fact)}</span>' for fact in facts if fact)
    words = escape(prompt) if prompt.strip() else f'<span class="soft">{NO_PROMPT}</span>'
    return f'<div class="prompt-head"><h3>{words}</h3>{tags}</div>'


def column_class(count: int) -> str:
    """How wide a card of so many pictures a row is."""
    return f"columns-{min(max(count, 1), 6)}"


def run_name(name: str, link: str | None) -> str:
    """The name, a link where there is a page behind it."""
    return escape(name) if link is None else f'<a href="{href(link)}">{escape(name)}</a>'
