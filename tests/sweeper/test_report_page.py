"""report.html of studies: the record and its answer become what the page shows."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from engine.config.outcome import Outcome
from pages.sweep_data import DEFAULT, WINNER
from pages.sweep_page import sweep_html
from sweeper.answer.answer import answer_of
from sweeper.config import Direction
from sweeper.report.page import page_of, write_report
from sweeper.study.records import Dimension, StudyRecord, TrialRecord
from tests.sweeper.record_toys import DEFAULTS, lr_study, toy_score, toy_study, toy_trial

LOST = [toy_trial(n, outcome=Outcome.diverged, cause="the loss was NaN at step 50") for n in range(3)]


def test_the_page_says_the_answer_and_shows_confirmed_numbers() -> None:
    record = lr_study(num_objectives=1)
    answer = answer_of(record)
    page = page_of(record, answer)
    assert (page.sentence, page.verdict, page.tone) == (answer.sentence, "beats the default", "good")
    assert page.winner is not None and page.winner.number == 7
    changed = {one.key: (one.value, one.default) for one in page.winner.settings if one.is_changed}
    assert changed == {"optimizer.lr": ("3e-3", "1e-4")}
    measure = page.winner.measures[0]
    assert measure.winner is not None and measure.default is not None and measure.change is not None
    assert measure.winner.value == pytest.approx(0.76) and measure.winner.n == 3
    assert measure.default.value == pytest.approx(0.59) and measure.change.value == pytest.approx(0.17)
    assert measure.change.verdict == "better" and (measure.base, measure.real) == (0.55, 0.9)
    assert [(one.of, one.roles) for one in page.confirmed] == [(7, [WINNER]), (0, [DEFAULT])]
    ran = dict(page.ran)
    assert ran["Trials"] == "18: 14 completed, 3 pruned, 1 diverged"
    assert ran["Confirmation runs"] == "6 of 6" and ran["GPU time"] == "none"


def test_trials_carry_outcome_cause_rank_and_settings_as_numbers() -> None:
    record = lr_study()
    page = page_of(record, answer_of(record))
    by_number = {trial.number: trial for trial in page.trials}
    assert by_number[7].rank == 1 and by_number[7].roles == [WINNER]
    assert by_number[0].roles == [DEFAULT]
    assert (by_number[11].state, by_number[11].outcome) == ("failed", "diverged")
    assert by_number[11].cause == "the loss was NaN at step 50" and by_number[11].rank is None
    assert by_number[0].settings["optimizer.lr"].number == 1e-4
    assert page.pruning.stopped == [(5, 50), (9, 50), (13, 50)] and page.pruning.saved_steps == 300


def test_two_choices_that_look_alike_with_three_digits_stay_two() -> None:
    choices = (0.1001, 0.1002)
    dimension = Dimension(key="noise.offset", choices=choices, ordered=True)
    trials = [toy_trial(n, {"likeness": 0.6}, params={"noise.offset": v}) for n, v in enumerate(choices)]
    record = replace(
        toy_study(trials), dimensions=(dimension,), defaults={"noise.offset": 0.1001}, confirmations=()
    )
    page = page_of(record, answer_of(record))
    assert [one.text for one in page.dimensions[0].choices or ()] == ["0.1001", "0.1002"]
    assert [trial.settings["noise.offset"].text for trial in page.trials] == ["0.1001", "0.1002"]


def test_a_broken_constraint_is_the_trials_outcome() -> None:
    trials = [
        toy_trial(0, {"likeness": 0.6}, constraints={"peak_vram_gb": -1.0}),
        toy_trial(1, {"likeness": 0.9}, constraints={"peak_vram_gb": 2.0}),
    ]
    record = toy_study(trials, constraints={"peak_vram_gb": "<= 23"})
    broken = page_of(record, answer_of(record)).trials[1]
    assert (broken.outcome, broken.cause) == ("infeasible", "peak_vram_gb <= 23 does not hold")
    assert broken.rank is None


def test_the_first_trial_of_a_grid_is_not_called_the_default_where_it_is_not() -> None:
    trials = [
        toy_trial(n, {"likeness": value}, params={"network.rank": rank})
        for n, (rank, value) in enumerate([(4, 0.5), (8, 0.8)])
    ]
    page = page_of(toy_study(trials), answer_of(toy_study(trials)))  # the default's rank is 16
    assert [trial.roles for trial in page.trials] == [[], [WINNER]]
    assert page.winner is not None and page.winner.measures[0].default is None


def test_keys_that_only_the_default_uses_are_named_too() -> None:
    record = toy_study(
        [
            toy_trial(0, {"likeness": 0.5}, params=DEFAULTS),
            toy_trial(1, {"likeness": 0.8}, params={"network.rank": 16, "network.alpha_ratio": 1.0}),
        ]
    )
    winner = page_of(record, answer_of(record)).winner
    assert winner is not None and winner.number == 1
    assert [(one.key, one.value, one.default) for one in winner.settings if one.is_changed] == [
        ("optimizer.lr", "not used", "1e-4")
    ]


@pytest.mark.parametrize(
    "record",
    [
        toy_study([]),
        toy_study([toy_trial(0, {"likeness": 0.6})]),
        toy_study(LOST),
        toy_study([toy_trial(0, outcome=None), *LOST[1:]]),
        replace(toy_study([toy_trial(0, {"likeness": 0.6}, params={})]), dimensions=(), defaults={}),
        toy_study([toy_trial(n, {"likeness": 0.5 + n / 10}) for n in range(4)]),
        toy_study(
            [toy_trial(n, {"a": 0.5, "b": n / 10, "c": 1.0}) for n in range(4)],
            objectives={"a": Direction.maximize, "b": Direction.minimize, "c": Direction.maximize},
        ),
        lr_study(num_objectives=1),
        lr_study(num_objectives=2),
        replace(lr_study(), prune_on=None, pruner="none", stopped=None, num_trials=40),
    ],
)
def test_every_study_has_a_report_that_says_its_answer(record: StudyRecord) -> None:
    answer = answer_of(record)
    html = sweep_html(page_of(record, answer))
    assert answer.sentence in unescape(re.sub(r"<[^>]*>", "", html))
    assert html.count("<tr data-trial=") >= len(record.trials)


def test_the_report_lies_in_the_folder_with_pictures_and_links(tmp_path: Path) -> None:
    record = _study_on_disk(tmp_path / "toy")
    path = write_report(record, answer_of(record))
    html = path.read_text(encoding="utf-8")
    assert path == tmp_path / "toy" / "report.html"
    assert '<a href="trials/0001/index.html">1</a>' in html
    assert "python train.py experiment=toy-best</pre>" in html and 'href="toy-best.safetensors"' in html
    sheet = re.search(r'<section id="pictures">.*?</section>', html, flags=re.S)
    assert sheet is not None
    rows = re.findall(r'<th scope="row">(?:<a href="[^"]*">)?([^<]*)', sheet[0])
    assert rows == ["trial 1, winner", "trial 0, default", "base model", "true pictures", "trial 2"]
    assert (
        sheet[0].count("<img") == 5 and '<a class="open-file" href="trials/0001/samples/final.png">' in html
    )
    assert "<span>0.812</span>" in sheet[0]


def _study_on_disk(root: Path) -> StudyRecord:
    trials = []
    for number, value in enumerate((0.5, 0.8, 0.6)):
        trial = toy_trial(
            number, {"likeness": value}, params={**DEFAULTS, "network.rank": (16, 4, 8)[number]}
        )
        trials.append(_with_folder(trial, root, value))
    (root / "best.yaml").write_text("# @package _global_\n# python train.py experiment=toy-best\n")
    (root / "toy-best.safetensors").write_bytes(b"")
    return replace(toy_study(trials), folder=root)


def _with_folder(trial: TrialRecord, root: Path, value: float) -> TrialRecord:
    folder = root / "trials" / f"{trial.number:04d}"
    (folder / "samples").mkdir(parents=True)
    (folder / "index.html").write_text("the run")
    for name in ("base", "final", "true"):
        Image.new("RGB", (32, 32), (trial.number * 40, 80, 120)).save(folder / "samples" / f"{name}.png")
    rows = {
        name: [{"prompt_index": 0, "prompt": "sks on a sofa", "seed": 3, "file": f"{name}.png"}]
        for name in ("base", "final")
    }
    (folder / "samples" / "samples.json").write_text(json.dumps({"schema": 2, "sets": rows}))
    scores = {"schema": 2, "rows": [], "references": {"sks on a sofa": ["samples/true.png"]}}
    (folder / "scores.json").write_text(json.dumps(scores))
    own = {"likeness": {"sks on a sofa": value + 0.012}}
    return replace(trial, folder=folder, prompt_values=own, scores={"likeness": toy_score("likeness", value)})
