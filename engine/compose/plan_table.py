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
_NAME_WIDTH = 24  # characters of a subset's name that a line of 80 has room for; its end is shown
_MOST_BUCKETS = 12


def print_subsets(plan: Plan, console: "Console") -> None:
    """The table; batches are told once for each data set, since its subsets share them."""
    from rich.table import Table
    from rich.text import Text

    table = Table(expand=True, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in COLUMNS:
        flexible = name in ("captions", "buckets")
        table.add_column(name, overflow="fold", no_wrap=not flexible, ratio=1 if name == "buckets" else None)
    for name, *cells in subset_rows(plan):
        lines = (_tail(line, console.width) for line in name.splitlines())
        table.add_row(Text("\n".join(lines)), *(Text(cell.replace(", ", "\n")) for cell in cells))
    console.print(table)
    console.print(
        f"an epoch: {_count(plan.batches_per_epoch, 'batch', 'batches')}, "
        f"{_count(plan.steps_per_epoch, 'step', 'steps')}\n"
    )


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
                _name(subset, [picture for picture, _ in own]),
                str(len(own)),
                _spread([picture.repeats for picture, _ in own if not picture.held_out]),
                _captions([picture for picture, _ in own]),
                _buckets([choice for picture, choice in own if not picture.held_out]),
                batches,
            )
        )
    return rows


def _tail(text: str, width: int) -> str:
    """The end of a path, where a line has no room for all of it."""
    room = _NAME_WIDTH + max(0, width - 80)
    return text if len(text) <= room else f"...{text[3 - room :]}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _name(subset: Subset, pictures: list[Picture]) -> str:
    """Its folder; on a second line what it is for."""
    held_out = sum(picture.held_out for picture in pictures)
    words = [f"{held_out} held out"] if held_out else []
    words += ["regularisation"] if subset.is_reg else []
    words += [f"dataset {subset.dataset + 1}"] if subset.dataset else []
    return str(subset.folder) + (f"\n({', '.join(words)})" if words else "")


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
