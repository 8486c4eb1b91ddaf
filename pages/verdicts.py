"""What a paired difference says, in words, and the class of the badge that says it."""

from collections.abc import Mapping

VERDICTS: Mapping[str, tuple[str, str]] = {
    "better": ("better than the base", "good"),
    "worse": ("worse than the base", "bad"),
    "within_noise": ("within the noise", "wait"),
    "unchanged": ("unchanged", "none"),
    "one_prompt": ("one prompt: no interval", "none"),
}


def verdict_words(verdict: str | None, *, is_measured: bool) -> tuple[str, str]:
    """Words and class of the badge; None: there was no base to compare with."""
    if not is_measured:
        return "not measured", "none"
    if verdict is None:
        return "no base to compare with", "none"
    return VERDICTS.get(verdict, (verdict, "none"))
