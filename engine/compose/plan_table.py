"""The pictures of a run by subset, as a table."""

from collections import Counter
from typing import TYPE_CHECKING

from engine.compose.plan import Plan
from engine.data.batches import batch_groups
from engine.data.buckets import BucketChoice
from engine.data.repeats import batches_per_epoch
from engine.data.scan import Picture, Subset

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = ("subset", "pictures", "repeats", "captions", "buckets", "batches")  # batches of an epoch
_WIDTH = 28  # characters that the name of a subset has at least, where it is as long
_MOST_BUCKETS = 12


def print_subsets(plan: Plan, console: "Console") -> None:
    """The table; batches are told once for each data set, since its subsets share them."""
    from rich.table import Table
    from rich.text import Text

    table = Table(expand=True, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    rows = subset_rows(plan)
    name_width = min(_WIDTH, max(len(row[0]) for row in rows))
    for place, name in enumerate(COLUMNS):
        table.add_column(
            name,
            overflow="fold",
            min_width=len(name) if place else name_width,
            ratio=1 if name == "buckets" else None,  # which takes what the others leave
            no_wrap=name in ("pictures", "repeats", "batches"),
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    console.print(f"{plan.batches_per_epoch} batches and {plan.steps_per_epoch} steps an epoch\n")


def subset_rows(plan: Plan) -> list[tuple[str, ...]]:
    """A row for each subset, in the order of COLUMNS."""
    rows: list[tuple[str, ...]] = []
    told: set[int] = set()
    for subset in plan.scan.subsets:
        own = [
            (picture, choice)
            for picture, choice in zip(plan.scan.pictures, plan.choices, strict=True)
            if picture.subset is subset
        ]
        batches = "" if subset.dataset in told else str(_num_batches(plan, subset.dataset))
        told.add(subset.dataset)
        rows.append(
            (
                _name(subset, plan),
                _pictures([picture for picture, _ in own], subset),
                _spread([picture.repeats for picture, _ in own if not picture.held_out]),
                _captions([picture for picture, _ in own]),
                _buckets([choice for _, choice in own]),
                batches,
            )
        )
    return rows


def _name(subset: Subset, plan: Plan) -> str:
    if len(plan.scan.subsets) == 1:
        return str(subset.folder)
    return f"{subset.dataset + 1}: {subset.folder}" if plan.scan.subsets[-1].dataset else str(subset.folder)


def _pictures(pictures: list[Picture], subset: Subset) -> str:
    words = [str(len(pictures))]
    held_out = sum(picture.held_out for picture in pictures)
    words += [f"({held_out} held out)"] if held_out else []
    words += ["(regularisation)"] if subset.is_reg else []
    return " ".join(words)


def _spread(repeats: list[int]) -> str:
    return " or ".join(map(str, sorted(set(repeats)))) or "-"


def _captions(pictures: list[Picture]) -> str:
    counts = Counter(
        "class_tokens" if one.caption_file is None else one.caption_file.suffix for one in pictures
    )
    return ", ".join(f"{count} {ending}" for ending, count in sorted(counts.items()))


def _buckets(choices: list[BucketChoice]) -> str:
    counts = sorted(Counter(choice.bucket for choice in choices).items())
    shown = [f"{width}x{height}: {count}" for (width, height), count in counts[:_MOST_BUCKETS]]
    more = len(counts) - _MOST_BUCKETS
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _num_batches(plan: Plan, dataset: int) -> int:
    own = [
        (picture, choice.bucket)
        for picture, choice in zip(plan.scan.pictures, plan.choices, strict=True)
        if picture.subset.dataset == dataset
    ]
    groups = batch_groups([picture for picture, _ in own], [bucket for _, bucket in own])
    return batches_per_epoch(groups, [picture.repeats for picture, _ in own])
