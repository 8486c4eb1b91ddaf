"""What a metric is: a row of facts and one function."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from evaluation.embedder import Embedder
from evaluation.encoders import EncoderKind
from evaluation.material import SETS, Material
from evaluation.records import Direction, Scope
from evaluation.statistics import Value


class Need(Enum):
    """What a metric cannot do without, beside the pictures and its encoder."""

    references = "references"


@dataclass(kw_only=True, slots=True, frozen=True)
class Metric:
    """A row of table.METRICS.

    measure  (material, name of a set, embedder) -> a value per picture or per prompt, in the set's order;
             what the metric has nothing to say about gives no value. The embedder is None only where
             `encoder` is.
    """

    name: str
    title: str  # as a report names it
    direction: Direction
    scope: Scope
    scale: str  # what the numbers are, in words
    needs: tuple[Need, ...]
    encoder: EncoderKind | None
    measure: Callable[[Material, str, Embedder | None], Sequence[Value]]
    sets: tuple[str, ...] = SETS  # the sets that it is measured on
