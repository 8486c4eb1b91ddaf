"""What becomes of a caption each time its picture is seen: order, dropout, wildcards, separators."""

import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.config import SubsetConfig

_WILDCARD = re.compile(r"\{([^}]+)\}")
_DOUBLED = ("{{", "}}")  # literal braces; private characters stand in for them


@dataclass(kw_only=True, slots=True, frozen=True)
class Moment:
    """When a caption is read."""

    epoch: int  # from 1
    step: int  # optimizer steps that are done
    total_steps: int


START = Moment(epoch=1, step=0, total_steps=1)


def varies(subset: SubsetConfig) -> bool:
    """Whether a caption is another one from step to step, so that its embedding cannot be kept."""
    return (
        subset.shuffle_caption
        or subset.enable_wildcard
        or subset.caption_dropout_rate > 0
        or subset.caption_dropout_every_n_epochs > 0
        or subset.caption_tag_dropout_rate > 0
        or subset.token_warmup_step > 0
    )


def change_caption(caption: str, subset: SubsetConfig, *, draws: random.Random, moment: Moment) -> str:
    """The caption as the text encoder gets it at one moment.

    caption  as it stands in its file: with all its lines where wildcards are on
    draws    of this picture at this step; without an option that varies nothing is drawn
    Source: kohya sd-scripts 0.10.1, train_util.BaseDataset.process_caption; equal draws give equal captions.
    """
    parts = (subset.caption_prefix, caption, subset.caption_suffix)
    text = " ".join(part for part in parts if part is not None)
    if _is_dropped(subset, draws, moment):
        return ""
    text = _fill_wildcards(text, draws) if subset.enable_wildcard else text.split("\n")[0]
    if subset.shuffle_caption or subset.token_warmup_step > 0 or subset.caption_tag_dropout_rate > 0:
        text = _change_tags(text, subset, draws, moment)
    if subset.secondary_separator:
        text = text.replace(subset.secondary_separator, subset.caption_separator)
    return text


def idle_options(subset: SubsetConfig) -> dict[str, str]:
    """Options that are set and do nothing beside the others: name -> what they go with."""
    plain = SubsetConfig()
    in_tags = subset.shuffle_caption or subset.caption_tag_dropout_rate > 0 or subset.token_warmup_step > 0
    tags = "shuffle_caption, caption_tag_dropout_rate or token_warmup_step"
    rows = (
        ("keep_tokens", in_tags, tags),
        ("keep_tokens_separator", in_tags, tags),
        ("caption_separator", in_tags or bool(subset.secondary_separator), f"{tags}, or secondary_separator"),
        ("token_warmup_min", subset.token_warmup_step > 0, "token_warmup_step"),
        ("validation_seed", subset.validation_split > 0, "validation_split"),
    )
    return {
        name: goes_with
        for name, has_effect, goes_with in rows
        if not has_effect and getattr(subset, name) != getattr(plain, name)
    }


def caption_settler(subset: SubsetConfig) -> Callable[[str], str]:
    """What makes a written caption final: as the text encoder gets it, unless it varies from step to step."""
    if varies(subset):
        return lambda caption: caption
    if subset.caption_prefix is subset.caption_suffix is subset.secondary_separator is None:
        return lambda caption: caption.partition("\n")[0]  # which is all that settled_caption would do
    return lambda caption: settled_caption(caption, subset)


def settled_caption(caption: str, subset: SubsetConfig) -> str:
    """One caption for a picture whose captions may vary: whole, in its order, its wildcards drawn once."""
    plain = replace(
        subset,
        shuffle_caption=False,
        caption_dropout_rate=0.0,
        caption_dropout_every_n_epochs=0,
        caption_tag_dropout_rate=0.0,
        token_warmup_step=0.0,
    )
    return change_caption(caption, plain, draws=random.Random(caption), moment=START)


def _is_dropped(subset: SubsetConfig, draws: random.Random, moment: Moment) -> bool:
    rate, every = subset.caption_dropout_rate, subset.caption_dropout_every_n_epochs
    if rate > 0 and draws.random() < rate:
        return True
    return every > 0 and moment.epoch % every == 0


def _fill_wildcards(text: str, draws: random.Random) -> str:
    if "\n" in text:
        text = draws.choice(text.split("\n"))
    stand_ins = _unused(text)
    for braces, stand_in in zip(_DOUBLED, stand_ins, strict=True):
        text = text.replace(braces, stand_in)
    text = _WILDCARD.sub(lambda found: draws.choice(found[1].split("|")), text)
    for braces, stand_in in zip(_DOUBLED, stand_ins, strict=True):
        text = text.replace(stand_in, braces[0])
    return text


def _unused(text: str) -> tuple[str, str]:
    """Two private characters that the text does not hold."""
    free = (chr(code) for code in range(0xE000, 0xF900) if chr(code) not in text)
    return next(free), next(free)


def _change_tags(text: str, subset: SubsetConfig, draws: random.Random, moment: Moment) -> str:
    """Some tags stay in front, some at the end; those between are cut short, shuffled and dropped."""
    first, middle, last = _split_tags(text, subset)
    middle = middle[: _num_warm(len(middle), subset, moment)]
    if subset.shuffle_caption:
        draws.shuffle(middle)
    rate = subset.caption_tag_dropout_rate
    if rate > 0:
        middle = [tag for tag in middle if draws.random() >= rate]
    return ", ".join([*first, *middle, *last])


def _split_tags(text: str, subset: SubsetConfig) -> tuple[list[str], list[str], list[str]]:
    comma, keep = subset.caption_separator, subset.keep_tokens_separator
    if keep and keep in text:
        first, _, rest = text.partition(keep)
        middle, _, last = rest.partition(keep)
        parts = ([tag.strip() for tag in part.split(comma) if tag.strip()] for part in (first, middle, last))
        return next(parts), next(parts), next(parts)
    tags = [tag.strip() for tag in text.strip().split(comma)]
    return tags[: subset.keep_tokens], tags[subset.keep_tokens :], []


def _num_warm(count: int, subset: SubsetConfig, moment: Moment) -> int:
    """How many of the tags are shown yet: from token_warmup_min up to all, over token_warmup_step steps."""
    length = subset.token_warmup_step
    if length < 1:
        length = math.floor(length * moment.total_steps)
    if not length or moment.step >= length:
        return count
    shown = math.floor(moment.step * ((count - subset.token_warmup_min) / length)) + subset.token_warmup_min
    return min(count, max(shown, 0))
