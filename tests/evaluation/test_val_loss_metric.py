"""The fixed validation loss as a metric: by hand, from a file as training writes it, from broken ones."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.config.errors import ConfigError
from evaluation.material import BASE, FINAL, REAL, Material
from evaluation.maths.statistics import paired_difference, summarise
from evaluation.metrics.metric import Metric
from evaluation.metrics.val_loss import VAL_LOSS, VAL_LOSSES
from evaluation.reading.losses_file import FILE_NAME, Losses, read_losses
from evaluation.records import Direction, Verdict
from evaluation.tools import Tools

# Two pictures at a timestep of each quarter of a schedule of 1000.
BASE_ROWS = [[1.0, 2.0, 3.0, 6.0], [2.0, 4.0, 6.0, 8.0]]
FINAL_ROWS = [[0.5, 1.0, 2.0, 6.5], [1.0, 3.0, 5.0, 9.0]]
CONTENT: dict[str, object] = {
    "schema": 1,
    "asked": {"validation_images": 2, "validation_timesteps": 4},
    "on": "training",
    "pictures": ["a.png", "b.png"],
    "num_timesteps": 1000,
    "timesteps": [125, 375, 625, 875],
    "base": BASE_ROWS,
    "final": FINAL_ROWS,
    "missing": {},
}
MEANS = {  # of the two pictures: base, final
    "val_loss": ([3.0, 5.0], [2.5, 4.5]),
    "val_loss_q1": ([1.0, 2.0], [0.5, 1.0]),
    "val_loss_q2": ([2.0, 4.0], [1.0, 3.0]),
    "val_loss_q3": ([3.0, 6.0], [2.0, 5.0]),
    "val_loss_q4": ([6.0, 8.0], [6.5, 9.0]),
}
TOOLS = Tools({})


def test_there_is_a_row_for_the_whole_and_one_for_each_quarter() -> None:
    assert [metric.name for metric in VAL_LOSSES] == list(MEANS)
    assert all(metric.direction is Direction.lower and metric.sets == (BASE, FINAL) for metric in VAL_LOSSES)
    titles = [metric.title for metric in VAL_LOSSES]
    assert "quarter 1 of 4: least noise" in titles[1] and "quarter 4 of 4: most noise" in titles[4]


@pytest.mark.parametrize("row", VAL_LOSSES, ids=lambda row: row.name)
def test_a_value_is_the_mean_of_a_pictures_losses_in_its_quarter(row: Metric, tmp_path: Path) -> None:
    material = material_of(tmp_path)
    for name, expected in zip((BASE, FINAL), MEANS[row.name], strict=True):
        values = row.measure(material, name, TOOLS).values
        assert [value.value for value in values] == expected
        assert [(value.prompt_index, value.seed) for value in values] == [(-1, None), (-2, None)]
    assert row.measure(material, REAL, TOOLS).values == ()


def test_base_and_final_are_paired_by_picture(tmp_path: Path) -> None:
    material = material_of(tmp_path)
    base, final = (VAL_LOSS.measure(material, name, TOOLS).values for name in (BASE, FINAL))
    summary = summarise(final)
    assert summary is not None and (summary.value, summary.n, summary.num_prompts) == (
        3.5,
        2,
        0,
    )  # pictures, of no prompt
    difference = paired_difference(final, base, direction=VAL_LOSS.direction)
    assert difference is not None and (difference.value, difference.spread) == (-0.5, 0.0)
    assert difference.verdict is Verdict.better  # lower is better, and both pictures fell by as much


def test_timesteps_belong_to_the_quarter_that_they_lie_in() -> None:
    timesteps = [0, 249, 250, 499, 500, 749, 750, 999]
    losses = losses_of(timesteps=timesteps)
    assert [losses.places(quarter) for quarter in (1, 2, 3, 4)] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert losses.places() == list(range(8))
    short = losses_of(timesteps=[0, 1, 2, 3, 4, 5], num_timesteps=6)  # quarters of one step and a half
    assert [short.places(quarter) for quarter in (1, 2, 3, 4)] == [[0, 1], [2], [3, 4], [5]]


def test_a_quarter_that_was_not_looked_at_has_no_values_and_says_what_to_do(tmp_path: Path) -> None:
    rows = {"base": [[1.0], [2.0]], "final": [[1.0], [2.0]]}
    material = material_of(tmp_path, timesteps=[500], **rows)
    empty = [len(metric.measure(material, FINAL, TOOLS).values) for metric in VAL_LOSSES]
    assert empty == [2, 0, 0, 2, 0]
    note = VAL_LOSSES[1].note(material)
    assert note is not None and "training.validation_timesteps=4" in note


def test_a_loss_that_is_no_number_leaves_its_set_and_quarter_without_values(tmp_path: Path) -> None:
    why = "1 of 8 losses are not finite numbers"
    material = material_of(
        tmp_path, final=[[0.5, None, 2.0, 6.5], [1.0, 3.0, 5.0, 9.0]], missing={"final": why}
    )
    assert [len(metric.measure(material, FINAL, TOOLS).values) for metric in VAL_LOSSES] == [0, 2, 0, 2, 2]
    assert [len(metric.measure(material, BASE, TOOLS).values) for metric in VAL_LOSSES] == [2] * 5
    note = VAL_LOSS.note(material)
    assert note is not None and note.endswith(f"; final: {why}")


def test_a_run_without_weights_has_the_losses_of_its_base_alone(tmp_path: Path) -> None:
    material = material_of(tmp_path, final=None, missing={"final": "no weights were saved"})
    assert VAL_LOSS.measure(material, FINAL, TOOLS).values == ()
    assert len(VAL_LOSS.measure(material, BASE, TOOLS).values) == 2
    assert "final: no weights were saved" in str(VAL_LOSS.note(material))


def test_material_without_losses_has_no_values_and_no_note() -> None:
    material = Material(pictures={})
    assert all(metric.measure(material, FINAL, TOOLS).values == () for metric in VAL_LOSSES)
    assert all(metric.note(material) is None for metric in VAL_LOSSES)


def test_the_note_says_what_was_looked_at(tmp_path: Path) -> None:
    trained = VAL_LOSS.note(material_of(tmp_path))
    assert trained is not None and trained.startswith("on 2 pictures that were trained on")
    assert trained.endswith("at timesteps 125, 375, 625, 875")
    held_out = VAL_LOSSES[2].note(material_of(tmp_path, on="held_out"))
    assert held_out == "at timestep 375"
    assert str(VAL_LOSS.note(material_of(tmp_path, on="held_out"))).startswith(
        "on 2 pictures that were held out"
    )


def test_a_folder_without_the_file_has_no_losses(tmp_path: Path) -> None:
    assert read_losses(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 2}, "is not of schema 1"),
        ({"on": "both"}, "on is not one of held_out, training"),
        ({"on": []}, "on is not one of"),
        ({"missing": None}, "missing does not say why"),
        ({"pictures": []}, "pictures holds no names"),
        ({"pictures": [1, 2]}, "pictures holds no names"),
        ({"pictures": "ab"}, "pictures is not a list"),
        ({"num_timesteps": 0}, "timesteps holds 125"),
        ({"num_timesteps": "1000"}, "num_timesteps holds '1000'"),
        ({"num_timesteps": 10**30}, "num_timesteps holds 1000"),
        ({"timesteps": []}, "timesteps holds none"),
        ({"timesteps": [125, 375, 625, 1000]}, "timesteps holds 1000, not a number from 0 to 999"),
        ({"timesteps": [125, 375, 625, True]}, "timesteps holds True"),
        ({"timesteps": [125]}, "base does not hold 1 losses for each of 2 pictures"),
        ({"base": [[1.0] * 4]}, "base does not hold 4 losses for each of 2 pictures"),
        ({"base": [[1.0] * 4, None]}, "base does not hold 4 losses"),
        ({"base": {}}, "base is not a list"),
        ({"final": [[1.0] * 4, [1.0, 2.0, 3.0, -1.0]]}, "final holds -1.0, which is no loss"),
        ({"final": [[1.0] * 4, [1.0, 2.0, 3.0, math.nan]]}, "final holds nan, which is no loss"),
        ({"final": [[1.0] * 4, [1.0, 2.0, 3.0, math.inf]]}, "final holds inf, which is no loss"),
        ({"final": [[1.0] * 4, [1.0, 2.0, 3.0, True]]}, "final holds True, which is no loss"),
        ({"final": [[1.0] * 4, ["1"] * 4]}, "final holds '1', which is no loss"),
    ],
    ids=str,
)
def test_a_broken_file_is_refused_in_a_sentence(
    tmp_path: Path, change: Mapping[str, object], words: str
) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps(CONTENT | dict(change)))
    with pytest.raises(ConfigError) as refused:
        read_losses(tmp_path)
    (problem,) = refused.value.problems
    assert words in problem and problem.endswith("measures the losses anew.")


@pytest.mark.parametrize("key", [key for key in CONTENT if key != "asked"])
def test_a_file_that_lacks_something_is_refused_in_a_sentence(tmp_path: Path, key: str) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps({name: CONTENT[name] for name in CONTENT if name != key}))
    with pytest.raises(ConfigError, match=r"validation\.json: .* Remove it"):
        read_losses(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"null", b"\xff\xfe", b"[" * 100_000, b"1" * 10_000])
def test_a_file_that_is_no_json_object_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(ConfigError, match=r"validation\.json: .* Remove it"):
        read_losses(tmp_path)


def test_a_folder_in_place_of_the_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(ConfigError, match=r"validation\.json: cannot be read"):
        read_losses(tmp_path)


def losses_of(**changes: object) -> Losses:
    """Losses that nobody looks at, at given timesteps."""
    content = {"on": "training", "pictures": ["a.png"], "num_timesteps": 1000, "base": None, "final": None}
    return Losses(**(content | changes))  # type: ignore[arg-type]


def material_of(folder: Path, **changes: object) -> Material:
    """No pictures, and the losses of a file that training might have written."""
    (folder / FILE_NAME).write_text(json.dumps(CONTENT | changes))
    return Material(pictures={}, losses=read_losses(folder))
