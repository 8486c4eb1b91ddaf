"""Pictures that are never trained on, so that the validation loss can be taken with them."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from engine.data.scan import Picture, Scan, Subset
from engine.data.sentences import pictures


def hold_out(scan: Scan) -> None:
    """Mark the share of each subset that its validation_split asks for.

    Chosen by content: equal bytes under two names stay on one side, in all subsets, and a picture keeps its
    side when others come or go around it as far as the count allows. Regularisation pictures are not chosen.
    As many are held out as kohya sd-scripts 0.10.1 validates with (train_util.split_train_val), n x share
    rounded, fewer where equal pictures do not fit; which they are is our own draw, for there both halves can
    hold the same picture.
    """
    asking = [one for one in scan.subsets if one.config.validation_split > 0 and not one.is_reg]
    if not asking:
        return
    held: set[str] = set()
    for subset in asking:
        own = [picture for picture in scan.pictures if picture.subset is subset]
        count = min(round(len(own) * subset.config.validation_split), len(own) - 1)
        contents = [scan.content_of(picture) for picture in own]
        chosen = _chosen(contents, count, subset)
        if not chosen:
            scan.problems.append(_nothing_held_out(subset, contents))
        held |= chosen
    _mark(scan, held, asking)
    if not scan.problems and not any(one.repeats and not one.is_reg for one in scan.pictures):
        scan.problems.append(
            f"{scan.source}: with these validation_split nothing is left to train on: what one subset holds "
            "out, the others leave out. Lower them, or give all the same validation_seed."
        )


def _nothing_held_out(subset: Subset, contents: Sequence[str]) -> str:
    share = f"{subset.source}: {subset.options}validation_split={subset.config.validation_split:g}"
    if len(set(contents)) < 2:
        same = " that are all the same" if len(contents) > 1 else ""
        return f"{share}: {pictures(len(contents))}{same} cannot be split. Add others, or give 0."
    return f"{share} of {pictures(len(contents))} is none. Give a larger share, or 0."


def _chosen(contents: Sequence[str], count: int, subset: Subset) -> set[str]:
    """Contents that at most `count` of the pictures have, in the order of their draws."""
    numbers = Counter(contents)
    seed = subset.config.validation_seed
    order = sorted(numbers, key=lambda content: hashlib.sha256(f"{seed}|{content}".encode()).digest())
    chosen: set[str] = set()
    for content in order:
        if numbers[content] <= count:
            chosen.add(content)
            count -= numbers[content]
    return chosen


def _mark(scan: Scan, held: set[str], asking: Sequence[Subset]) -> None:
    """Held-out pictures keep their place without repeats; the same content elsewhere is left out."""
    sizes = {picture.path.stat().st_size for picture in scan.pictures if picture.subset in asking}
    kept: list[Picture] = []
    num_left_out = 0
    for picture in scan.pictures:
        may_be_equal = picture.subset in asking or picture.path.stat().st_size in sizes
        if not (may_be_equal and scan.content_of(picture) in held):
            kept.append(picture)
        elif picture.subset in asking:
            kept.append(replace(picture, repeats=0, held_out=True))
        else:
            num_left_out += 1
    if num_left_out:
        scan.notes.append(f"{pictures(num_left_out)} not trained on: held out by another subset")
    scan.pictures = kept
