"""What an encoder is asked about a prompt: trigger words mean nothing to it."""

import re


def strip_trigger(prompt: str, trigger: str | None, class_word: str | None) -> str:
    """The prompt with its trigger words replaced by the class word, or taken out without one.

    trigger     one phrase, or several separated by commas
    class_word  not doubled where it stands beside the trigger: "sks creature" -> "creature"
    A prompt that is nothing but trigger words stays as it is: an empty text cannot be scored.
    """
    phrases = [phrase.strip() for phrase in (trigger or "").split(",") if phrase.strip()]
    text = prompt
    for phrase in sorted(phrases, key=len, reverse=True):
        text = _replace(text, phrase, (class_word or "").strip())
    return prompt if text == prompt else _tidy(text) or prompt


def _replace(text: str, phrase: str, word: str) -> str:
    pattern = r"(?<!\w)" + re.escape(phrase) + r"(?!\w)"
    if word:
        beside = re.escape(word)
        pattern = rf"(?<!\w)(?:{beside}\s+)?{pattern}(?:\s+{beside}(?!\w))?"
    return re.sub(pattern, lambda _: word, text, flags=re.IGNORECASE)


def _tidy(text: str) -> str:
    """Close the holes that a removed word leaves: double spaces, empty places between commas."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"(?: ?,)+(?= ?,)", "", text)
    return re.sub(r" ,", ",", text).strip(" ,")
