"""What a user is told of prompts that are longer than a model reads."""

import logging
from collections.abc import Iterable

_log = logging.getLogger(__name__)


def warn_cut(cut: Iterable[str], said: set[str], *, capacity: int, remedy: str | None) -> None:
    """Say once of each prompt that it is cut; `said` grows, since a prompt is encoded again and again.

    capacity  tokens that are read
    remedy    what to do, e.g. "raise model.t5_token_length"; None: nothing but to shorten it
    """
    advice = "Shorten it." if remedy is None else f"Shorten it, or {remedy}."
    for prompt in cut:
        if prompt not in said:
            _log.warning("cut after %d tokens: %s. %s", capacity, prompt, advice)
            said.add(prompt)
