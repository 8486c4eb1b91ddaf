"""Charts by hand."""

import math
import xml.etree.ElementTree as ElementTree

import pytest

from pages.charts import HEIGHT, WIDTH, Series, finite, line_chart, smooth, thin, ticks


def test_ticks_are_round_numbers_inside_the_range() -> None:
    assert ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    assert ticks(0.13, 0.48) == pytest.approx([0.2, 0.3, 0.4])
    assert ticks(0, 300, about=6) == [0, 50, 100, 150, 200, 250, 300]


def test_the_labels_of_an_axis_are_its_numbers_and_no_two_are_equal() -> None:
    rates = [(float(step), step * 1e-6) for step in range(21)]
    labels = _labels(_parsed([Series(name="lr", points=rates, style="raw")]))
    assert labels[:5] == ["0", "5e-6", "1e-5", "1.5e-5", "2e-5"]
    large = _labels(_parsed([Series(name="a", points=[(0, 0.0), (1, 6.2e6)], style="raw")]))
    assert large[:4] == ["0", "2e6", "4e6", "6e6"]


def test_steps_are_labelled_by_whole_numbers_even_in_a_short_run() -> None:
    assert _labels(_parsed([Series(name="a", points=[(1, 7.0), (3, 8.0)], style="raw")]))[-3:] == [
        "1",
        "2",
        "3",
    ]


def test_a_tick_stands_where_its_value_is() -> None:
    root = _parsed([Series(name="a", points=[(0, 0.0), (100, 10.0)], style="raw")])
    places = {
        tick.text: float(tick.attrib["x"]) for tick in _ticks(root) if tick.attrib["text-anchor"] == "middle"
    }
    assert places["0"] == 66.0 and places["100"] == WIDTH - 16.0
    assert places["20"] == pytest.approx(66 + 0.2 * (WIDTH - 16 - 66), abs=0.06)
    heights = {
        tick.text: float(tick.attrib["y"]) for tick in _ticks(root) if tick.attrib["text-anchor"] == "end"
    }
    top, bottom, highest = 14, HEIGHT - 46, 10.6  # 6 % of room above the line
    assert heights["10"] == pytest.approx(bottom - 10 / highest * (bottom - top) + 4, abs=0.06)


def test_smoothing_by_hand_does_not_begin_at_zero() -> None:
    assert smooth([(1, 4.0), (2, 2.0)], weight=0.5) == [
        (1, 4.0),
        (2, pytest.approx((0.25 * 4 + 0.5 * 2) / 0.75)),
    ]
    assert [value for _, value in smooth([(step, 3.0) for step in range(9)])] == pytest.approx([3.0] * 9)


def test_values_that_are_not_finite_are_left_out() -> None:
    assert finite([(1, 1.0), (2, math.nan), (3, math.inf), (4, 2.0)]) == [(1, 1.0), (4, 2.0)]


def test_a_long_line_is_thinned_and_keeps_its_ends() -> None:
    points = [(float(step), 0.0) for step in range(10_001)]
    kept = thin(points, most=100)
    assert len(kept) <= 102 and kept[0] == points[0] and kept[-1] == points[-1]
    assert thin(points[:50], most=100) == points[:50]


def test_a_line_from_corner_to_corner_has_its_ends_on_the_axes() -> None:
    root = _parsed([Series(name="loss", points=[(0, 0.0), (10, 1.0)], style="raw")])
    polyline = next(element for element in root.iter() if element.tag.endswith("polyline"))
    (left, bottom), (right, top) = [
        tuple(map(float, pair.split(","))) for pair in polyline.attrib["points"].split()
    ]
    assert (left, bottom) == (66.0, HEIGHT - 46.0)
    assert right == WIDTH - 16.0 and 14 < top < 40


def test_a_range_of_many_powers_gets_a_logarithmic_axis() -> None:
    root = _parsed([Series(name="loss", points=[(0, 1000.0), (1, 1.0), (2, 0.01)], style="raw")])
    polyline = next(element for element in root.iter() if element.tag.endswith("polyline"))
    heights = [float(pair.split(",")[1]) for pair in polyline.attrib["points"].split()]
    assert (heights[1] - heights[0]) / (heights[2] - heights[1]) == pytest.approx(3 / 2, rel=0.01)


def test_text_in_a_chart_stays_text() -> None:
    evil = "<script>alert('x')</script>"
    chart = line_chart(
        [Series(name=evil, points=[(0, 1), (1, 2)], style='"><b>', dots=True)],
        title=evil,
        x_label=evil,
        y_label=evil,
    )
    root = ElementTree.fromstring(chart)
    assert not [element for element in root.iter() if element.tag.lower().endswith(("script", "b"))]


@pytest.mark.parametrize("points", [[], [(0, math.nan)]])
def test_nothing_to_draw_gives_no_chart(points: list[tuple[float, float]]) -> None:
    assert line_chart([Series(name="a", points=points, style="raw")], title="", x_label="", y_label="") == ""


@pytest.mark.parametrize(
    "points",
    [
        [(5, 1.0)],
        [(0, 2.0), (1, 2.0)],
        [(0, 0.0), (9, 0.0)],
        [(0, -1.0), (1, 3.0)],
        [(0, 0.0), (1, 5e-324)],
        [(0, -1e299), (1, 1e299)],
        [(0, 1e308), (1, -1e308), (2, 1.0)],  # too far apart for a float: the last one alone
    ],
)
def test_single_flat_negative_tiny_and_huge_lines_are_drawn_inside_the_frame(
    points: list[tuple[float, float]],
) -> None:
    root = _parsed([Series(name="a", points=points, style="raw")])
    polyline = next(element for element in root.iter() if element.tag.endswith("polyline"))
    for pair in polyline.attrib["points"].split():
        x, y = map(float, pair.split(","))
        assert 66 <= x <= WIDTH - 16 and 14 <= y <= HEIGHT - 46


def _labels(root: ElementTree.Element) -> list[str]:
    return [tick.text or "" for tick in _ticks(root)]


def _ticks(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.get("class") == "tick"]


def _parsed(series: list[Series]) -> ElementTree.Element:
    return ElementTree.fromstring(line_chart(series, title="t", x_label="step", y_label="loss"))
