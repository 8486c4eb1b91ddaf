"""What runs give for what: two scores of each as a point with its error bars, and the front of the best."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from pages.charts import ticks
from pages.gallery_data import LOWER, MetricFacts, Number
from pages.numbers import places_for, plain_number
from pages.score_table import better_words

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 66, 22, 18, 32
_RADIUS = 6
_LETTER, _LINE = 6.9, 15  # pixels of a label's letter and line
_LONGEST = 26  # letters of a label; the whole name is in the point's own text
_Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(kw_only=True, slots=True, frozen=True)
class ScatterPoint:
    """One run."""

    name: str
    x: Number
    y: Number
    address: str | None = None  # of its page, ready for href


@dataclass(kw_only=True, slots=True, frozen=True)
class _Frame:
    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


def scatter_part(points: Sequence[ScatterPoint], axes: tuple[MetricFacts, MetricFacts]) -> str:
    """The scatter in its box, with a line that says what is pointed at; "" without a point."""
    drawn = [point for point in points if _is_finite(point)]
    if not drawn:
        return ""
    x, y = axes
    return (
        f"<section><h2>{escape(x.title)} against {escape(y.title)}</h2>"
        '<p class="soft">Each point is a run, with its 95 % intervals. The line joins the runs that no other '
        "beats in both.</p>"
        '<div class="box"><div class="scroll" tabindex="0" role="region" aria-label="scatter">'
        f'{scatter(drawn, axes)}</div><p class="axis-title">{_axis_words(x)}</p>'
        '<p class="readout soft" id="readout" aria-live="polite" data-script hidden>Point at a run to read '
        "it.</p></div></section>"
    )


def scatter(points: Sequence[ScatterPoint], axes: tuple[MetricFacts, MetricFacts]) -> str:
    """The <svg> element; its points are finite. What lies across is said beneath it, where no box cuts it."""
    frame = _Frame(x=_range([point.x for point in points]), y=_range([point.y for point in points]))
    front = pareto_front(points, axes)
    on_front = {id(point) for point in front}
    behind = [point for point in points if id(point) not in on_front]
    labels = _labels([*front, *behind], frame, len(front))
    title = f"{axes[0].title} against {axes[1].title}"
    corners = " ".join("{:.1f},{:.1f}".format(*frame.place(p.x.value, p.y.value)) for p in front)
    return "".join(
        [
            f'<svg class="chart scatter" viewBox="0 0 {WIDTH} {HEIGHT}" role="group" '
            f'aria-label="{escape(title)}">',
            *_axes(frame, axes[1]),
            *(_error_bars(point, frame, id(point) in on_front) for point in [*behind, *front]),
            f'<polyline class="front" points="{corners}"/>',
            *(_marker(point, frame, axes, id(point) in on_front) for point in [*behind, *front]),
            *labels,
            "</svg>",
        ]
    )


def pareto_front(points: Sequence[ScatterPoint], axes: tuple[MetricFacts, MetricFacts]) -> list[ScatterPoint]:
    """The points that no other is better than in one score and not worse in the other, from left to right."""
    signs = [-1.0 if facts.direction == LOWER else 1.0 for facts in axes]

    def beats(a: ScatterPoint, b: ScatterPoint) -> bool:
        gains = (signs[0] * (a.x.value - b.x.value), signs[1] * (a.y.value - b.y.value))
        return min(gains) >= 0 and max(gains) > 0

    kept = [point for point in points if not any(beats(other, point) for other in points)]
    return sorted(kept, key=lambda point: (point.x.value, -point.y.value))


def _is_finite(point: ScatterPoint) -> bool:
    return math.isfinite(point.x.value) and math.isfinite(point.y.value)


def _spread(number: Number) -> float:
    return number.spread if number.spread is not None and math.isfinite(number.spread) else 0.0


def _range(numbers: Sequence[Number]) -> tuple[float, float]:
    """From the lowest bar to the highest; a bar that dwarfs the distances between the points is cut."""
    values = [number.value for number in numbers]
    low, high = min(values), max(values)
    most = 1.5 * (high - low) if high > low else math.inf
    spreads = [min(_spread(number), most) for number in numbers]
    low = min(value - spread for value, spread in zip(values, spreads, strict=True))
    high = max(value + spread for value, spread in zip(values, spreads, strict=True))
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def _axes(frame: _Frame, up: MetricFacts) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for value in ticks(*frame.y):
        _, y = frame.place(frame.x[0], value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_tick(value)}</text>'
        )
    for value in ticks(*frame.x, about=6):
        x, _ = frame.place(value, frame.y[0])
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{bottom + 19}" text-anchor="middle">{_tick(value)}</text>'
        )
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    parts.append(
        f'<text class="label" transform="translate(16 {(bottom + TOP) / 2:.0f}) rotate(-90)" '
        f'text-anchor="middle">{_axis_words(up)}</text>'
    )
    return parts


def _axis_words(facts: MetricFacts) -> str:
    return escape(f"{facts.title} ({better_words(facts)})")


def _tick(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")


def _error_bars(point: ScatterPoint, frame: _Frame, is_front: bool) -> str:
    x, y = point.x.value, point.y.value
    ends = [
        ((x - _spread(point.x), y), (x + _spread(point.x), y)),
        ((x, y - _spread(point.y)), (x, y + _spread(point.y))),
    ]
    bars = []
    for start, end in ends:
        (x1, y1), (x2, y2) = (_inside(frame.place(*corner)) for corner in (start, end))
        if (x1, y1) != (x2, y2):
            bars.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
    return f'<g class="bars{" on-front" if is_front else ""}">{"".join(bars)}</g>' if bars else ""


def _inside(place: tuple[float, float]) -> tuple[float, float]:
    return min(max(place[0], LEFT), WIDTH - RIGHT), min(max(place[1], TOP), HEIGHT - BOTTOM)


def _marker(point: ScatterPoint, frame: _Frame, axes: tuple[MetricFacts, MetricFacts], is_front: bool) -> str:
    x, y = frame.place(point.x.value, point.y.value)
    words = escape(f"{point.name}: {_words(axes[0], point.x)}; {_words(axes[1], point.y)}")
    style = (
        f'class="point{" on-front" if is_front else ""}" data-words="{words}" data-run="{escape(point.name)}"'
    )
    dot = f'<title>{words}</title><circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS}"/>'
    if point.address is None:
        return f'<g {style} tabindex="0" role="img" aria-label="{words}">{dot}</g>'
    return f'<a {style} href="{point.address}" aria-label="{words}">{dot}</a>'


def _words(facts: MetricFacts, number: Number) -> str:
    places = places_for([number.value])
    spread = "" if number.spread is None else f" ± {number.spread:.{places}f}"
    return f"{facts.title} {plain_number(number.value, places)}{spread}"


def _labels(points: Sequence[ScatterPoint], frame: _Frame, num_front: int) -> list[str]:
    """A name beside each point where it hides no other name or point, those of the front first.

    It keeps off the error bars where it can. A point in a crowd stays without a name; it is read by pointing.
    """
    places = [frame.place(point.x.value, point.y.value) for point in points]
    bars = [box for point in points for box in _bar_boxes(point, frame)]
    taken: list[_Box] = [(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in places]
    labels = []
    for number, (point, place) in enumerate(zip(points, places, strict=True)):
        name = point.name if len(point.name) <= _LONGEST else point.name[: _LONGEST - 1] + "…"
        boxes = [box for box in _label_boxes(place, _LETTER * len(name)) if _is_free(box, taken)]
        if not boxes:
            continue
        box = next((box for box in boxes if _is_free(box, bars)), boxes[0])
        taken.append(box)
        quiet = "" if number < num_front else " quiet"
        is_right = box[0] > place[0]
        at, anchor = (box[0], "start") if is_right else (box[2], "end")
        labels.append(
            f'<text class="name{quiet}" x="{at:.1f}" y="{box[3] - 3:.1f}" text-anchor="{anchor}">'
            f"{escape(name)}</text>"
        )
    return labels


def _label_boxes(place: tuple[float, float], width: float) -> list[_Box]:
    """Where a name may stand: right or left of the point, above or below."""
    x, y = place
    corners = [(left, base) for base in (y - 10, y + 19) for left in (x + 9, x - 9 - width)]
    return [(left, base - _LINE + 3, left + width, base + 3) for left, base in corners]


def _bar_boxes(point: ScatterPoint, frame: _Frame) -> list[_Box]:
    x, y = frame.place(point.x.value, point.y.value)
    right, top = frame.place(point.x.value + _spread(point.x), point.y.value + _spread(point.y))
    return [(2 * x - right, y - 1, right, y + 1), (x - 1, top, x + 1, 2 * y - top)]


def _is_free(box: _Box, taken: Sequence[_Box]) -> bool:
    if box[0] < LEFT or box[2] > WIDTH - 2 or box[1] < 2 or box[3] > HEIGHT - BOTTOM:
        return False
    return all(
        box[2] <= other[0] or other[2] <= box[0] or box[3] <= other[1] or other[3] <= box[1]
        for other in taken
    )
