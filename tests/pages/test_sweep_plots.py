"""The plots of a sweep's report: what lies where, what is named, what is left out."""

import math
import re
from dataclasses import replace

import pytest

from pages.gallery_data import Number
from pages.sweep_axes import Axis, levels_of, number_text
from pages.sweep_data import PRUNED, SweepMeasure, SweepTrial
from pages.sweep_front import front_of
from pages.sweep_history import best_so_far
from pages.sweep_ladder import ladder
from pages.sweep_marks import drawn_trials, kept
from pages.sweep_page import sweep_html
from tests.pages.sweep_toys import COPIES, LIKENESS, RATE, bare, number, sweep

ONE = SweepTrial(number=0, values={"likeness": 0.6}, rank=1, settings={"network.rank": number(16)})


def test_the_best_so_far_rises_at_improvements_only() -> None:
    values = [(0, 0.5, 4), (1, 0.4, 5), (2, 0.7, 2), (3, 0.9, None), (4, 0.7, 3), (5, 0.8, 1)]
    trials = [SweepTrial(number=n, values={"likeness": v}, rank=rank) for n, v, rank in values]
    assert best_so_far(LIKENESS, trials) == [(0, 0.5), (2, 0.7), (5, 0.8)]
    lower = [SweepTrial(number=n, values={"memorisation": v}, rank=1) for n, v, _ in values]
    assert best_so_far(COPIES, lower) == [(0, 0.5), (1, 0.4)]


def test_history_marks_stopped_and_failed_trials_and_names_each_in_a_tooltip() -> None:
    html = _section(sweep_html(sweep(plain=True)), "history")
    assert len(re.findall(r'class="mark pruned" data-trial="(?:5|9|13)"', html)) == 3
    assert html.count('class="mark failed" data-trial="11"') == 1
    assert len(re.findall(r"<circle class=\"mark[^>]*><title>Trial \d+", html)) == 14
    assert "<title>Trial 7 (winner): likeness 0.785 · rank 16, lr 0.003, offset" in html


def test_a_line_of_the_parallel_plot_meets_each_axis_at_its_value() -> None:
    trials = [
        replace(ONE, settings={"optimizer.lr": number(1e-4)}, values={"likeness": 0.4}),
        replace(ONE, number=1, rank=2, settings={}, values={"likeness": 0.8}),
        replace(ONE, number=2, rank=None, state=PRUNED, settings={"optimizer.lr": number(1e-2)}, values={}),
    ]
    rate = replace(RATE, low=1e-6, high=1e-2)
    html = _section(sweep_html(bare(trials, dimensions=[rate])), "parallel")
    lines = {
        int(n): [float(pair.split(",")[1]) for pair in points.split(" ")]
        for n, points in re.findall(r'<polyline [^>]*data-trial="(\d)" points="(.*?)"', html)
    }
    top, bottom, unused = 58, 318, 348
    assert lines[0][0] == pytest.approx(
        (top + bottom) / 2
    )  # 1e-4 is the middle of 1e-6 to 1e-2 on a log axis
    assert set(lines) == {0, 2}  # a trial without any setting has no line
    assert lines[2] == [top, unused]  # its likeness is not known
    assert ">no score</text>" in html


def test_a_key_that_a_trial_does_not_use_has_a_place_of_its_own() -> None:
    html = sweep_html(sweep())
    assert ">not used</text>" in _section(html, "parallel") and ">not used</text>" in _section(html, "slices")
    plain = sweep_html(sweep(plain=True))
    assert ">not used</text>" not in plain


def test_the_front_holds_what_no_other_trial_beats_in_both() -> None:
    values = [(0.5, 0.1), (0.7, 0.3), (0.6, 0.4), (0.9, 0.5), (0.7, 0.3), (0.95, 0.05), (0.4, 0.2)]
    trials = [
        SweepTrial(number=n, values={"likeness": v, "memorisation": m}, rank=None if n == 5 else n + 1)
        for n, (v, m) in enumerate(values)
    ]
    front = front_of((LIKENESS, COPIES), trials)  # less memorisation is better; 5 breaks a constraint
    assert [trial.number for trial in front] == [0, 1, 4, 3]


def test_three_objectives_offer_each_pair_and_one_offers_none() -> None:
    html = _section(sweep_html(sweep(num_objectives=3)), "front")
    assert re.findall(r'<option value="\d">(.*?)</option>', html) == [
        "likeness against adherence",
        "likeness against memorisation",
        "adherence against memorisation",
    ]
    assert "base model" in html and "true pictures" in html
    assert 'id="front"' not in sweep_html(sweep())


def test_importances_are_bars_with_percent() -> None:
    html = _section(sweep_html(sweep()), "importances")
    assert re.findall(r'class="share">(.*?)</div>', html) == ["61 %", "30 %", "8 %", "1 %", "&lt; 1 %"]
    assert re.findall(r'bar-front" width="([\d.]+)"', html)[:2] == ["100.0", "49.2"]


def test_numbers_that_are_all_the_same_lie_on_one_place_of_their_line() -> None:
    measure = SweepMeasure(
        objective="likeness", winner=Number(value=0.5), default=Number(value=0.5), base=0.5
    )
    drawn = ladder(LIKENESS, measure)
    assert len(set(re.findall(r'<circle [^>]*cx="([\d.]+)"', drawn))) == 1
    assert ladder(LIKENESS, replace(measure, default=None, base=math.nan)) == ""


def test_better_is_to_the_right_where_less_is_better() -> None:
    measure = SweepMeasure(objective="memorisation", winner=Number(value=0.1), default=Number(value=0.3))
    places = dict(re.findall(r'<circle class="rung is-(\w+)" cx="([\d.]+)"', ladder(COPIES, measure)))
    assert float(places["winner"]) > float(places["default"])


def test_an_axis_puts_numbers_choices_and_what_it_cannot_hold_in_their_places() -> None:
    log = Axis(title="lr", low=-5.0, high=-1.0, is_log=True)
    assert [log.place_number(value) for value in (1e-5, 1e-3, 1e-1)] == pytest.approx([0.0, 0.5, 1.0])
    assert [log.place_number(value) for value in (0.0, -1.0, math.nan, 1.0)] == [None] * 4
    choices = Axis(title="rank", choices=("4", "8"))
    low, high = choices.place(number(4)), choices.place(number(8))
    assert low == pytest.approx(0.25, abs=0.05) and high == pytest.approx(0.75, abs=0.05)
    assert choices.place(number(16)) is None and choices.place(None) is None
    assert [tick.text for tick in log.ticks()] == ["1e-5", "1e-4", "0.001", "0.01", "0.1"]


def test_a_trial_far_below_the_others_does_not_take_all_colours() -> None:
    trials = [SweepTrial(number=n, values={"likeness": 0.6 + n / 100}) for n in range(20)]
    trials += [SweepTrial(number=20 + n, values={"likeness": v}) for n, v in enumerate((-90.0, math.nan))]
    levels = levels_of(LIKENESS, trials)
    assert levels[19] == 7 and levels[20] == 0 and 21 not in levels
    assert len({levels[n] for n in range(20)}) == 8


def test_the_best_and_those_with_a_role_are_always_drawn() -> None:
    trials = [SweepTrial(number=n, rank=1000 - n, roles=["default"] if n == 3 else []) for n in range(1000)]
    drawn = [trial.number for trial in drawn_trials(trials, 40)]
    assert len(drawn) == 40 and drawn == sorted(drawn)
    assert 3 in drawn and set(range(991, 1000)) <= set(drawn) and min(drawn) < 100


def test_numbers_are_short_and_never_broken_over_two_lines() -> None:
    assert [number_text(v) for v in (16, 0.003, 1e-5, 0.00025, 1e6)] == [
        "16",
        "0.003",
        "1e-5",
        "2.5e-4",
        "1e6",
    ]
    assert kept("by 0.17 ± 0.02 <b>") == 'by <span class="whole">0.17 ± 0.02</span> &lt;b&gt;'
    assert kept("lr 3e-3, rank 4") == 'lr <span class="whole">3e-3,</span> rank 4'


def _section(html: str, name: str) -> str:
    found = re.search(rf'<section id="{name}">.*?</section>', html, flags=re.S)
    assert found is not None, f"no section {name}"
    return found[0]
