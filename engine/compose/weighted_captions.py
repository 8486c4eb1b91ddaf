"""Weights written into captions and prompts: a bad one is shown with its file, before anything is loaded."""

import re
from collections.abc import Iterator, Sequence

from engine.compose.prompts import captions_of
from engine.config import RunConfig, SubsetConfig
from engine.data.caption_changes import settled_caption, varies
from engine.data.scan import Scan
from engine.models.prompt_weights import parse_weights
from engine.sampling.prompt_file import Prompt

_NUM_SHOWN = 5
_LARGEST_USUAL = 10.0
_ESCAPED = re.compile(r"\\.")


def weight_problems(run: RunConfig, scan: Scan, *, prompts: Sequence[Prompt], where: str) -> list[str]:
    """A sentence for each caption or prompt whose weights cannot be read; none without weighted captions.

    prompts  that are drawn
    where    how a sentence names their list
    """
    if not run.model.weighted_captions:
        return []
    found = [
        f"{place}: {problem}" if problem.startswith(f"{text}: ") else f"{place}: {text}: {problem}"
        for place, text, problem in (*_bad_captions(scan), *_bad_prompts(run, scan, prompts, where))
    ]
    more = len(found) - _NUM_SHOWN
    return found[:_NUM_SHOWN] + ([f"and {more} more captions with such weights."] if more > 0 else [])


def weight_notes(run: RunConfig, scan: Scan) -> list[str]:
    """What is legal and probably not meant: brackets without a partner, weights beyond all use."""
    if not run.model.weighted_captions:
        return []
    lines = [line for picture in scan.pictures for line in picture.caption.splitlines()]
    odd = sum(not _is_balanced(line) for line in lines)
    large = sum(any(abs(piece.weight) > _LARGEST_USUAL for piece in parse_weights(line)) for line in lines)
    rows = (
        (odd, r"a bracket without its partner: it reaches to the end, or is text; \( and \) are always text"),
        (large, f"a weight beyond {_LARGEST_USUAL:g}"),
    )
    return [f"captions with {what}: {count}" for count, what in rows if count]


def _bad_captions(scan: Scan) -> Iterator[tuple[str, str, str]]:
    """(where, text, what is wrong with it)"""
    for picture in scan.pictures:
        config = picture.subset.config
        where = str(picture.caption_file or picture.path)
        texts = picture.caption.splitlines() or [""]
        if varies(config):
            texts.append(settled_caption(picture.caption, config))
        for text in texts:
            problem = _problem(text) or _torn_bracket(text, config)
            if problem:
                yield where, text, problem
                break


def _bad_prompts(
    run: RunConfig, scan: Scan, prompts: Sequence[Prompt], where: str
) -> Iterator[tuple[str, str, str]]:
    """The same of what is drawn; a prompt that is a caption was looked at as one."""
    if run.sampling.num_prompts == 0:
        return
    if problem := _problem(run.sampling.negative_prompt):
        yield "sampling.negative_prompt", run.sampling.negative_prompt, problem
    captions = set(captions_of(scan))
    for prompt in prompts:
        if prompt.text not in captions and (problem := _problem(prompt.text)):
            yield where, prompt.text, problem
        negative = prompt.own.negative_prompt
        if negative is not None and (problem := _problem(negative)):
            yield where, negative, problem


def _problem(text: str) -> str | None:
    try:
        parse_weights(text)
    except ValueError as error:
        return str(error)
    return None


def _torn_bracket(text: str, config: SubsetConfig) -> str | None:
    """Tags that change places would tear a bracket that holds a separator."""
    moves = config.shuffle_caption or config.caption_tag_dropout_rate > 0 or config.token_warmup_step > 0
    if not moves:
        return None
    for tag in text.split(config.caption_separator):
        if not _is_balanced(tag):
            return (
                f"a bracket that holds {config.caption_separator!r} is torn where tags change their places. "
                "Put the weight on each tag, or switch shuffling, tag dropout and warm-up off."
            )
    return None


def _is_balanced(text: str) -> bool:
    plain = _ESCAPED.sub("", text)
    return plain.count("(") == plain.count(")") and plain.count("[") == plain.count("]")
