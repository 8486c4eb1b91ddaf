"""The scatter and its front, by hand."""

import math
import xml.etree.ElementTree as ElementTree

import pytest

from pages.gallery_data import LOWER, MetricFacts, Number
from pages.scatter import HEIGHT, WIDTH, ScatterPoint, pareto_front, scatter, scatter_part
from tests.pages.gallery_toys import EVIL

UP = MetricFacts(name="a", title="Adherence")
DOWN = MetricFacts(name="d", title="Distance", direction=LOWER)


def test_the_front_holds_what_no_other_point_beats() -> None:
    points = _points([(0, 3), (1, 2), (1, 1), (2, 0), (0, 0)])
    assert _names(pareto_front(points, (UP, UP))) == ["0", "1", "3"]
    assert _names(pareto_front(points, (DOWN, UP))) == ["0"]
    assert _names(pareto_front(points, (UP, DOWN))) == ["3"]
    assert _names(pareto_front(points, (DOWN, DOWN))) == ["4"]


def test_equal_points_are_both_on_the_front() -> None:
    assert _names(pareto_front(_points([(1, 1), (1, 1)]), (UP, UP))) == ["0", "1"]


def test_markers_stand_in_the_order_of_their_values_and_the_line_goes_through_the_front() -> None:
    values = [(0.1, 0.9), (0.5, 0.6), (0.3, 0.5), (0.9, 0.2)]
    root = _parsed(_points(values))
    places = {
        _run(point): _place(point) for point in root.iter() if "point" in point.get("class", "").split()
    }
    assert len(places) == len(values)
    for one, (x, y) in enumerate(values):
        for other, (u, v) in enumerate(values):
            assert (x < u) == (places[str(one)][0] < places[str(other)][0])
            assert (y < v) == (places[str(one)][1] > places[str(other)][1])
    line = next(element for element in root.iter() if element.get("class") == "front")
    corners = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
    assert corners == [places["0"], places["1"], places["3"]]


def test_an_error_bar_is_as_long_as_its_interval() -> None:
    points = [
        ScatterPoint(name="a", x=Number(value=0.0), y=Number(value=0.0)),
        ScatterPoint(name="b", x=Number(value=1.0, spread=0.25), y=Number(value=1.0)),
    ]
    root = _parsed(points)
    left, right = (_place(point)[0] for point in root.iter() if "point" in point.get("class", "").split())
    (bar,) = [line for group in root.iter() if "bars" in group.get("class", "").split() for line in group]
    length = float(bar.attrib["x2"]) - float(bar.attrib["x1"])
    assert length == pytest.approx(0.5 * (right - left), abs=0.3)


def test_a_bar_that_dwarfs_the_distances_is_cut_at_the_frame() -> None:
    points = [
        ScatterPoint(name="a", x=Number(value=0.0, spread=1000.0), y=Number(value=0.0)),
        ScatterPoint(name="b", x=Number(value=1.0), y=Number(value=1.0)),
    ]
    left, right = (
        _place(point)[0] for point in _parsed(points).iter() if "point" in point.get("class", "").split()
    )
    assert abs(right - left) > 0.2 * WIDTH


def test_names_hide_neither_each_other_nor_points() -> None:
    points = _points([(place / 40, place % 7) for place in range(40)], name="a run of some length {}")
    root = _parsed(points)
    boxes = []
    for text in (element for element in root.iter() if "name" in element.get("class", "").split()):
        x, y, width = float(text.attrib["x"]), float(text.attrib["y"]), 6.9 * len(text.text or "")
        left = x if text.attrib["text-anchor"] == "start" else x - width
        assert left > 0 and left + width < WIDTH and 0 < y < HEIGHT
        boxes.append((left, y - 12, left + width, y + 3))
    assert 5 <= len(boxes) < 40
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def test_text_in_a_scatter_stays_text_and_a_link_stays_relative() -> None:
    x = MetricFacts(name="a", title=EVIL)
    root = ElementTree.fromstring(scatter([_point(EVIL, 0, 0), _point("b", 1, 1)], (x, x)))
    assert not [element for element in root.iter() if element.tag.lower().endswith(("script", "img"))]


@pytest.mark.parametrize("values", [[], [(math.nan, 1.0)], [(1.0, math.inf)]])
def test_nothing_to_draw_gives_no_scatter(values: list[tuple[float, float]]) -> None:
    assert scatter_part(_points(values), (UP, UP)) == ""


@pytest.mark.parametrize("values", [[(1.0, 1.0)], [(0.0, 0.0)] * 2, [(-1e-9, 3e7), (1e-9, -3e7)]])
def test_single_equal_tiny_and_huge_points_lie_inside(values: list[tuple[float, float]]) -> None:
    for point in _parsed(_points(values)).iter():
        if "point" in point.get("class", "").split():
            x, y = _place(point)
            assert 66 <= x <= WIDTH - 22 and 18 <= y <= HEIGHT - 52


def _points(values: list[tuple[float, float]], name: str = "{}") -> list[ScatterPoint]:
    return [_point(name.format(place), x, y) for place, (x, y) in enumerate(values)]


def _point(name: str, x: float, y: float) -> ScatterPoint:
    return ScatterPoint(name=name, x=Number(value=x), y=Number(value=y))


def _names(points: list[ScatterPoint]) -> list[str]:
    return [point.name for point in points]


def _parsed(points: list[ScatterPoint]) -> ElementTree.Element:
    return ElementTree.fromstring(scatter(points, (UP, UP)))


def _run(point: ElementTree.Element) -> str:
    return point.attrib["data-run"]


def _place(point: ElementTree.Element) -> tuple[float, float]:
    circle = next(element for element in point if element.tag.endswith("circle"))
    return float(circle.attrib["cx"]), float(circle.attrib["cy"])
