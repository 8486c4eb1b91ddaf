"""What a metric is: a row of facts and one function."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from evaluation.material import SETS, Material
from evaluation.maths.statistics import Value
from evaluation.records import Direction, Scope
from evaluation.tools import Role, Tools


class Need(Enum):
    """What a metric cannot do without, beside the pictures and its encoder."""

    prompts = "prompts"
    references = "references"  # of the same prompts, or of none in particular
    base = "base"  # the same prompts and seeds without the adapter
    plain = "plain"  # prompts that have nothing to do with what was taught
    training = "training"  # the pictures that were trained on
    tones = "tones"  # prompts that ask for dark and for bright pictures
    losses = "losses"  # the fixed validation losses of a run
    aesthetic = "aesthetic"  # the head that rates embeddings


@dataclass(kw_only=True, slots=True, frozen=True)
class Measured:
    """What a metric found on one set of pictures.

    A metric of a whole set gives its value, and for each prompt the pseudo-value of the jackknife: what
    stands for that prompt's part in it, so that intervals and paired differences are made as for any other.
    """

    values: Sequence[Value] = ()
    whole: float | None = None
    count: int | None = None  # pictures behind `whole`


@dataclass(kw_only=True, slots=True, frozen=True)
class Metric:
    """A row of table.METRICS.

    measure  (material, name of a set, tools) -> a value per picture or per prompt, in the set's order; what
             the metric has nothing to say about gives no value
    """

    name: str
    title: str  # as a report names it
    direction: Direction
    scope: Scope
    scale: str  # what the numbers are, in words
    needs: tuple[Need, ...]
    role: Role | None  # which encoder it reads with
    measure: Callable[[Material, str, Tools], Measured]
    sets: tuple[str, ...] = SETS  # the sets that it is measured on
    min_pictures: int = 1  # of each set that is compared as a whole
    min_seeds: int = 1  # pictures of a prompt
    anchored: bool = False  # whether (score - base) / (real - base) means something
    note: Callable[[Material], str | None] = lambda material: None  # what a reader must know of the number
