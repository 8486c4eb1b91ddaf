"""Which pictures of a large folder a page shows, so that its size is bounded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pages.gallery_data import FINAL, LOWER, GalleryPicture, GalleryPrompt, MetricFacts

MAX_PICTURES = 600  # of a page, base and true pictures counted too
MAX_REFERENCES = 4  # shown of one prompt
T = TypeVar("T")
Counts = tuple[int, int]
Place = tuple[int, int]  # (place of the prompt in the page's prompts, seed)


@dataclass(kw_only=True, slots=True, frozen=True)
class Choice:
    """What is shown."""

    places: frozenset[Place]  # of the scored pictures that are shown, each with its base
    sentence: str  # what is left out, for the reader; "" if nothing is


@dataclass(kw_only=True, slots=True, frozen=True)
class _Pair:
    """A scored picture, its base beside it."""

    place: Place
    cost: int  # pictures that it brings
    score: float | None  # larger is better
    is_broken: bool


def choose_pictures(
    prompts: Sequence[GalleryPrompt], objective: MetricFacts | None, most: int = MAX_PICTURES
) -> Choice:
    """All of them if they fit, else the broken, the best and the worst by an objective, and the rest evenly.

    most  pictures on the page: scored, base and true ones
    """
    pairs = _pairs(prompts, objective)
    whole = frozenset(pair.place for pair in pairs)
    true = [min(len(prompt.references), MAX_REFERENCES) for prompt in prompts]
    if sum(pair.cost for pair in pairs) + sum(true) <= most:
        return Choice(places=whole, sentence="")
    broken = [pair for pair in pairs if pair.is_broken]
    ranked = sorted(
        (pair for pair in pairs if not pair.is_broken and pair.score is not None),
        key=lambda pair: pair.score or 0.0,
        reverse=True,
    )
    share = max(1, most // 12)
    basket = _Basket(left=most, true=true)
    shown_broken = basket.add(evenly(broken, most // 4))
    best = basket.add(ranked[:share])
    worst = basket.add(ranked[share:][-share:])
    rest = [pair for pair in pairs if pair.place not in basket.places and not pair.is_broken]
    basket.add(evenly(rest, basket.room_for(rest)))
    return Choice(
        places=frozenset(basket.places),
        sentence=_sentence(
            (len(basket.places), len(whole)), (shown_broken, len(broken)), (best, worst), objective
        ),
    )


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most so many of them, at equal distances, the first and the last among them."""
    if most <= 0:
        return []
    if len(items) <= most:
        return list(items)
    if most == 1:
        return [items[0]]
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


@dataclass(slots=True)
class _Basket:
    """Pairs as long as they fit."""

    left: int
    true: Sequence[int]  # true pictures that a prompt brings with its first pair

    places: set[Place] = field(default_factory=set)
    prompts: set[int] = field(default_factory=set)  # that are in with a pair

    def add(self, pairs: Sequence[_Pair]) -> int:
        """Put in what fits; how many did."""
        before = len(self.places)
        for pair in pairs:
            cost = self._cost(pair)
            if pair.place not in self.places and cost <= self.left:
                self.left -= cost
                self.places.add(pair.place)
                self.prompts.add(pair.place[0])
        return len(self.places) - before

    def room_for(self, pairs: Sequence[_Pair]) -> int:
        """About how many of these would fit."""
        cost = sum(self._cost(pair) for pair in pairs)
        return int(self.left * len(pairs) / cost) if cost else 0

    def _cost(self, pair: _Pair) -> int:
        return pair.cost + (0 if pair.place[0] in self.prompts else self.true[pair.place[0]])


def _pairs(prompts: Sequence[GalleryPrompt], objective: MetricFacts | None) -> list[_Pair]:
    groups: dict[Place, list[GalleryPicture]] = {}
    for place, prompt in enumerate(prompts):
        for picture in prompt.pictures:
            groups.setdefault((place, picture.seed), []).append(picture)
    return [_pair(place, group, objective) for place, group in groups.items()]


def _pair(place: Place, group: Sequence[GalleryPicture], objective: MetricFacts | None) -> _Pair:
    sign = -1.0 if objective is not None and objective.direction == LOWER else 1.0
    scored = [picture for picture in group if picture.set_name == FINAL]
    values = [
        picture.scores[objective.name] for picture in scored if objective and objective.name in picture.scores
    ]
    return _Pair(
        place=place,
        cost=len(group),
        score=sign * values[0] if values else None,
        is_broken=any(picture.fault is not None for picture in scored),
    )


def _sentence(shown: Counts, broken: Counts, ends: Counts, objective: MetricFacts | None) -> str:
    parts = []
    if broken[1]:
        some = "all" if broken[0] == broken[1] else f"{broken[0]:,} of the"
        parts.append(f"{some} {broken[1]:,} broken")
    if objective is not None and any(ends):
        parts.append(f"the {ends[0]:,} best and the {ends[1]:,} worst by {objective.title}")
    parts.append("the rest evenly over the prompts" if parts else "evenly over the prompts")
    return f"The page shows {shown[0]:,} of {shown[1]:,} scored pictures: {', '.join(parts)}."
