"""The report of a sweep as text: what stands where, for studies of every kind."""

import math
import re
import xml.dom.minidom
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from pages.gallery_data import Number
from pages.sweep_data import PRUNED, SweepMeasure, SweepPage, SweepPruning, SweepSheet, SweepTrial
from pages.sweep_ladder import ladder
from pages.sweep_page import sweep_html, write_sweep_page
from tests.pages.sweep_toys import (
    COPIES,
    EVIL,
    LIKENESS,
    OBJECTIVES,
    PROMPTS,
    RANK,
    RATE,
    STOPPED,
    WINNING,
    bare,
    lost_trial,
    number,
    sweep,
    word,
)

ONE = SweepTrial(number=0, values={"likeness": 0.6}, rank=1, settings={"network.rank": number(16)})


def test_the_head_says_the_verdict_before_anything_else() -> None:
    html = sweep_html(sweep(plain=True))
    page = sweep(plain=True)
    assert _text(html).index(page.sentence) < _text(html).index("The settings to use")
    assert '<span class="badge good">beats the default</span>' in html
    assert "18: 14 completed, 3 pruned, 1 diverged" in html
    assert f'<p class="notice">{page.notices[0]}</p>' in html


def test_the_winner_marks_what_differs_from_the_default() -> None:
    html = sweep_html(sweep(plain=True))
    changed = re.findall(
        r'<tr class="changed"><th scope="row">(.*?)</th><td><b>(.*?)</b></td><td>(.*?)<', html
    )
    assert changed == [("optimizer.lr", "3e-3", "1e-4"), ("noise.offset", "0.05", "0")]
    assert '<th scope="row">network.rank</th><td>16</td><td><span class="soft">the same</span>' in html


def test_the_winner_stands_beside_default_base_model_and_true_pictures() -> None:
    part = _section(sweep_html(sweep(plain=True)), "winner")
    numbers = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", part))
    assert {name: _text(value) for name, value in numbers.items()} == {
        "Winner": "0.760 ± 0.020",
        "Default": "0.590 ± 0.015",
        "Base model": "0.550",
        "True pictures": "0.900",
    }
    assert "+0.170" in part and "+0.149 to +0.191" in part and ">better</span>" in part
    assert 'data-copies="command"' in part and "python train.py network.rank=16" in part
    assert '<a href="cat-lora-best.safetensors">' in part


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


def test_each_trial_has_a_row_with_link_badge_and_cause() -> None:
    html = _section(sweep_html(sweep()), "trials")
    rows = re.findall(r'<tr data-trial="(\d+)" data-words', html)
    assert sorted(map(int, rows)) == list(range(18)) and rows[0] == str(WINNING)
    assert '<a href="trials/0007/index.html">7</a> <span class="role">winner</span>' in html
    assert html.count('<span class="badge wait">pruned</span>') == 3
    assert html.count('<span class="badge bad">diverged</span>') == 1
    assert "the loss was NaN at step 50" in html and "batch halved after out of memory" in html


def test_columns_sort_by_the_number_and_not_by_its_text() -> None:
    html = _section(sweep_html(bare([ONE], dimensions=[RANK])), "trials")
    assert '<td data-value="0.6">0.600</td>' in html
    assert '<td class="option" data-value="16.0">16</td>' in html


def test_the_best_so_far_rises_at_improvements_only() -> None:
    from pages.sweep_history import best_so_far

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
    from pages.sweep_front import front_of

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


def test_pruning_says_what_was_stopped_when_what_it_saved_and_whether_the_signal_knew() -> None:
    html = _section(sweep_html(sweep()), "pruning")
    assert "3 trials were stopped early by val_loss: 300 steps (11 % of the search) and about 14 min" in html
    assert '<th scope="row">step 50</th><td>3</td><td class="wide">5, 9, 13</td>' in html
    assert re.findall(r">(good|fair|poor|the opposite)</span>", html) == ["fair", "poor", "good"]
    assert [n for n in STOPPED if f'class="mark stop" data-trial="{n}"' in html] == list(STOPPED)
    assert "pruning was off" in _section(sweep_html(bare()), "pruning")


def test_the_contact_sheet_has_a_row_a_trial_and_a_column_a_prompt(tmp_path: Path) -> None:
    html = _section(sweep_html(sweep(folder=tmp_path)), "pictures")
    rows = re.findall(r'<th scope="row">(?:<a href="[^"]*">)?([^<]*)', html)
    assert rows[:4] == ["trial 7", "base model", "true pictures", "trial 6"] and len(rows) == 14 + 2
    assert html.count("<img") == 16 * len(PROMPTS) and html.count("data:image/png;base64,") == 32
    assert '<a class="open-file" href="trials/7.png">' in html and "<span>0.700</span>" in html


def test_a_large_contact_sheet_is_cut_and_says_what_is_missing(tmp_path: Path) -> None:
    page = sweep(90, folder=tmp_path)
    sheet = replace(page.sheet, prompts=[*PROMPTS, *(f"prompt {n}" for n in range(12))])
    html = _section(sweep_html(replace(page, sheet=sheet)), "pictures")
    assert html.count("<tr ") == 40 and html.count('<th scope="col">') == 1 + 10
    assert "48 more trials are not shown" in html and "4 more prompts are not shown" in html
    assert "prompt 11" in html


def test_a_thumbnail_is_small_and_what_is_no_picture_is_said_to_be_missing(tmp_path: Path) -> None:
    from PIL import Image

    from pages.sweep_sheet import thumbnail

    Image.effect_noise((1200, 800), 80).save(tmp_path / "large.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    small = thumbnail(tmp_path / "large.png")
    assert small is not None and (small.width, small.height) == (160, 107) and len(small.uri) < 16_000
    assert thumbnail(tmp_path / "broken.png") is None and thumbnail(tmp_path / "none.png") is None


def test_confirmed_settings_show_each_seed_the_spread_and_the_optimism() -> None:
    html = _section(sweep_html(sweep()), "confirmation")
    assert "0.750, 0.760, 0.770" in html and '<b>0.760 <span class="soft">± 0.025</span></b>' in html
    assert "+0.149 to +0.191" in html and "<td>+0.015</td>" in html


def test_text_of_strangers_stays_text() -> None:
    html = sweep_html(sweep(num_objectives=3))
    assert "<img src=x" not in html and html.count("<script>") == 1
    assert unescape(html).count(EVIL) > 10


@pytest.mark.parametrize(
    "page",
    [
        bare(),
        bare([ONE]),
        bare([ONE], dimensions=[RANK, RATE]),
        bare([lost_trial(n) for n in range(5)], sentence="All 5 trials failed."),
        bare([replace(lost_trial(0), settings={"network.rank": number(4)})], dimensions=[RANK]),
        bare([SweepTrial(number=0, state="running")], pruning=SweepPruning(signal="val_loss")),
        bare([ONE], objectives=()),
        bare([replace(ONE, settings={"network.rank": word("値" * 500)})], dimensions=[RANK]),
        bare([replace(ONE, values={"likeness": math.inf}), replace(ONE, number=1)], dimensions=[RANK]),
        bare([replace(ONE, number=n) for n in range(3)], dimensions=[RANK], objectives=OBJECTIVES),
        bare([replace(ONE, reports=[(5, math.nan), (9, 0.0)])], pruning=SweepPruning(signal="val_loss")),
        sweep(1),
        sweep(num_objectives=3),
    ],
)
def test_every_kind_of_study_gives_a_page_whose_plots_are_well_formed(page: SweepPage) -> None:
    html = sweep_html(page)
    assert page.sentence in _text(html) and "nan" not in re.sub(r"<script>.*", "", html, flags=re.S).replace(
        "rank 16, nan", ""
    )
    for plot in re.findall(r"<svg.*?</svg>", html, flags=re.S):
        xml.dom.minidom.parseString(plot)
    ids = re.findall(r' id="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert all(f'id="{name}"' in html for name in re.findall(r'href="#([^"]*)"', html))


def test_a_grid_has_choices_only_and_says_that_nothing_was_confirmed() -> None:
    trials = [
        replace(
            ONE,
            number=n,
            rank=n + 1,
            settings={"network.rank": number(rank)},
            values={"likeness": 0.5 + n / 10},
        )
        for n, rank in enumerate((4, 8, 16))
    ]
    html = sweep_html(bare(trials, dimensions=[RANK], confirm_note="Nothing was trained again."))
    assert "Nothing was trained again." in _section(html, "confirmation")
    assert ">4</text>" in _section(html, "slices") and 'id="winner"' not in html


def test_a_thousand_trials_fit_in_three_megabytes_and_the_plots_are_thinned() -> None:
    html = sweep_html(sweep(1000, num_objectives=2))
    assert len(html.encode()) < 3_000_000
    assert _section(html, "trials").count("<tr data-trial") == 1000
    assert _section(html, "parallel").count("<polyline") == 400
    assert "Drawn are 400 of 1,000 trials" in _section(html, "parallel")
    assert f'data-trial="{WINNING}"' in _section(html, "parallel")


def test_the_same_data_give_the_same_bytes(tmp_path: Path) -> None:
    write_sweep_page(sweep(), tmp_path / "a.html")
    write_sweep_page(sweep(), tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_nothing_is_loaded_and_only_its_own_script_may_run() -> None:
    html = sweep_html(sweep())
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', html)
    assert policy is not None and "default-src 'none'" in policy[1] and "script-src 'sha256-" in policy[1]
    assert re.findall(r'(?:src|href)="(?:https?:|//|file:|javascript:)', html) == []
    assert " style=" not in html and " on" + "click" not in html


def test_a_sheet_without_pictures_says_so() -> None:
    html = _section(sweep_html(bare([ONE], sheet=SweepSheet(prompts=PROMPTS))), "pictures")
    assert "There are no pictures" in html


def _section(html: str, name: str) -> str:
    found = re.search(rf'<section id="{name}">.*?</section>', html, flags=re.S)
    assert found is not None, f"no section {name}"
    return found[0]


def _text(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html))
