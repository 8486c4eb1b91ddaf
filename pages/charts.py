"""Line charts as inline SVG with axes, ticks and labels; colours come from the page's style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]
WIDTH, HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 16, 14, 46
MAX_POINTS = 800  # of a drawn line; a longer one is thinned
_LARGEST = 1e300
LOG_FROM = 200.0  # a positive series that spans more than this factor gets a logarithmic axis


@dataclass(kw_only=True, slots=True, frozen=True)
class Series:
    """One line."""

    name: str
    points: Sequence[Point]
    style: str  # class of the line: raw, smooth, mark
    dots: bool = False  # mark each point


@dataclass(kw_only=True, slots=True, frozen=True)
class _Frame:
    """Data range -> pixels."""

    x: tuple[float, float]
    y: tuple[float, float]  # log10 where is_log
    is_log: bool

    def place(self, point: Point) -> tuple[float, float]:
        x = (point[0] - self.x[0]) / (self.x[1] - self.x[0])
        height = math.log10(point[1]) if self.is_log else point[1]
        y = (height - self.y[0]) / (self.y[1] - self.y[0])
        return _LEFT + x * (WIDTH - _LEFT - _RIGHT), HEIGHT - _BOTTOM - y * (HEIGHT - _TOP - _BOTTOM)


def line_chart(series: Sequence[Series], *, title: str, x_label: str, y_label: str) -> str:
    """The chart as an <svg> element, or "" if no series has a finite point. All text is escaped."""
    drawn = [
        Series(name=one.name, points=thin(finite(one.points)), style=one.style, dots=one.dots)
        for one in series
    ]
    drawn = [one for one in drawn if one.points]
    if not drawn:
        return ""
    frame = _frame([point for one in drawn for point in one.points])
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        *_y_axis(frame),
        *_x_axis(frame),
        _label(x_label, x=(WIDTH + _LEFT - _RIGHT) / 2, y=HEIGHT - 8),
        f'<text class="label" transform="translate(16 {(HEIGHT - _BOTTOM + _TOP) / 2:.0f}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_label)}</text>',
        *(_line(one, frame) for one in drawn),
        "</svg>",
    ]
    return "".join(parts)


def smooth(points: Sequence[Point], weight: float = 0.96) -> list[Point]:
    """The exponential moving average, corrected for its start, so that it does not begin at 0.

    weight  of the past, 0 <= weight < 1
    """
    average, norm, smoothed = 0.0, 0.0, []
    for step, value in finite(points):
        average = weight * average + (1 - weight) * value
        norm = weight * norm + (1 - weight)
        smoothed.append((step, average / norm))
    return smoothed


def finite(points: Sequence[Point]) -> list[Point]:
    """The points without NaN, infinity, and what is so large that a range of it would be infinite."""
    return [(x, y) for x, y in points if abs(x) < _LARGEST and abs(y) < _LARGEST]


def thin(points: Sequence[Point], most: int = MAX_POINTS) -> list[Point]:
    """At most about `most` points, evenly taken, with the first and the last."""
    if len(points) <= most:
        return list(points)
    stride = math.ceil(len(points) / most)
    kept = list(points[::stride])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers inside [low, high]: multiples of 1, 2 or 5 times a power of ten."""
    raw = (high - low) / about
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def _frame(points: Sequence[Point]) -> _Frame:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low, high = min(ys), max(ys)
    is_log = low > 0 and high / low > LOG_FROM
    if is_log:
        low, high = math.log10(low), math.log10(high)
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    bottom = 0.0 if not is_log and 0 <= low < (high - low) else low - margin
    left, right = min(xs), max(xs)
    return _Frame(x=(left, right if right > left else left + 1), y=(bottom, high + margin), is_log=is_log)


def _y_axis(frame: _Frame) -> list[str]:
    if frame.is_log:
        first, last = math.ceil(frame.y[0]), math.floor(frame.y[1])
        stride = max(1, math.ceil((last - first + 1) / 6))
        values = [10.0**power for power in range(first, last + 1, stride)]
    else:
        values = ticks(*frame.y)
    parts = []
    for value in values:
        _, y = frame.place((frame.x[0], value))
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>'
        )
    return parts


def _x_axis(frame: _Frame) -> list[str]:
    bottom = HEIGHT - _BOTTOM
    parts = [f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{bottom}" y2="{bottom}"/>']
    for value in _whole(ticks(*frame.x, about=6)):
        x, _ = frame.place((value, 1.0))
        parts.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 5}"/>')
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{bottom + 19}" text-anchor="middle">{_number(value)}</text>'
        )
    return parts


def _whole(values: Sequence[float]) -> list[float]:
    """Without the fractions: there is no step 1.5."""
    return [value for value in values if abs(value - round(value)) < 1e-9]


def _line(series: Series, frame: _Frame) -> str:
    places = [frame.place(point) for point in series.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    style = escape(series.style)
    line = f'<polyline class="line {style}" points="{path}"/>'
    if not series.dots:
        return line
    dots = [
        f'<circle class="dot {style}" cx="{x:.1f}" cy="{y:.1f}" r="3.5">'
        f"<title>{escape(series.name)} at {_number(step)}: {value:.4g}</title></circle>"
        for (x, y), (step, value) in zip(places, series.points, strict=True)
    ]
    return line + "".join(dots)


def _label(text: str, *, x: float, y: float) -> str:
    return f'<text class="label" x="{x:.0f}" y="{y:.0f}" text-anchor="middle">{escape(text)}</text>'


def _number(value: float) -> str:
    digits, _, power = f"{value:.6g}".partition("e")
    return f"{digits}e{int(power)}" if power else digits
