"""The report of a sweep as text: what stands where, for studies of every kind."""

import math
import re
import xml.dom.minidom
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from pages.sweep_data import SweepPage, SweepPruning, SweepSheet, SweepTrial
from pages.sweep_page import sweep_html, write_sweep_page
from tests.pages.sweep_toys import (
    EVIL,
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
    assert _text(html).index(page.sentence) < _text(html).index("The best that was found")
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


def test_where_nothing_came_to_its_end_the_causes_come_first() -> None:
    html = sweep_html(
        bare([lost_trial(n) for n in range(3)], dimensions=[RANK], sentence="All 3 trials failed.")
    )
    assert re.findall(r'<section id="(.*?)">', html) == ["trials", "pictures", "history", "pruning"]
    assert html.count("the loss was NaN at step 50") == 3


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
