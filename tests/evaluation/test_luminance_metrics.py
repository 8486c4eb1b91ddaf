"""How light pictures are, by hand on pictures of two shades."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.sampling.prompt_file import Prompt
from evaluation.material import Material, ScoredPicture
from evaluation.maths.statistics import values_by_picture
from evaluation.metrics.luminance import (
    measure_luminance,
    measure_luminance_drift,
    measure_luminance_range,
    wasserstein,
)
from evaluation.metrics.metric import Measured
from evaluation.metrics.table import METRICS
from evaluation.score import score_material
from evaluation.tools import Tools

TOOLS = Tools({})
PROMPTS = [
    Prompt(text="night", tone="dark"),
    Prompt(text="cellar", tone="dark"),
    Prompt(text="noon", tone="bright"),
    Prompt(text="snow", tone="bright"),
    Prompt(text="a boat", kind="plain"),
]


def save_shades(path: Path, low: int, high: int, *, size: int = 4) -> Path:
    """One half of the picture is of one shade of grey, one of another."""
    pixels = np.full((size, size, 3), low, dtype=np.uint8)
    pixels[size // 2 :] = high
    Image.fromarray(pixels).save(path)
    return path


def material_of(folder: Path, **sets: dict[int, Sequence[tuple[int, int]]]) -> Material:
    """Pictures as set=prompt index -> the two shades of each."""
    pictures = {
        name: [
            ScoredPicture(
                set_name=name,
                prompt_index=index,
                prompt=PROMPTS[index].text,
                seed=seed,
                path=save_shades(folder / f"{name}_{index}_{seed}.png", *shades),
                file=f"{name}_{index}_{seed}.png",
            )
            for index, of_prompt in prompts.items()
            for seed, shades in enumerate(of_prompt)
        ]
        for name, prompts in sets.items()
    }
    return Material(pictures=pictures, prompts={prompt.text: prompt for prompt in PROMPTS})


def numbers(measured: Measured) -> dict[tuple[int, int | None], float]:
    return {key: round(value, 9) for key, value in values_by_picture(measured.values).items()}


def test_the_wasserstein_distance_by_hand() -> None:
    shares = np.zeros((4, 256))
    shares[0, 10] = 1
    shares[1, 50] = 1
    shares[2, [10, 50]] = 0.5
    shares[3, [20, 30, 40, 60]] = 0.25
    assert wasserstein(shares[0], shares[1]) == 40  # all of it goes 40 levels
    assert wasserstein(shares[0], shares[2]) == 20  # half of it goes 40 levels
    assert wasserstein(shares[2], shares[3]) == pytest.approx((10 + 20 + 10 + 10) / 4)
    assert wasserstein(shares[3], shares[2]) == wasserstein(shares[2], shares[3])
    assert wasserstein(shares[3], shares[3]) == 0


def test_luminance_is_the_distance_to_the_true_pictures_of_the_same_prompt(tmp_path: Path) -> None:
    material = material_of(
        tmp_path,
        final={0: [(20, 60), (30, 70)], 2: [(200, 220)]},
        real={0: [(20, 60)], 2: [(180, 220), (200, 240)], 4: [(0, 100)]},
    )
    assert numbers(measure_luminance(material, "final", TOOLS)) == {
        (0, 0): 0.0,
        (0, 1): 10.0,
        # Halves at 200 and 220 against quarters at 180, 200, 220, 240: two quarters go 20 levels.
        (2, 0): 10.0,
    }
    assert numbers(measure_luminance(material, "real", TOOLS)) == {(2, 0): 20.0, (2, 1): 20.0}


def test_without_a_manifest_luminance_is_the_distance_to_all_references(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [(20, 60)], 4: [(0, 255)]})
    references = [
        save_shades(tmp_path / "a.png", 20, 60),
        save_shades(tmp_path / "b.png", 40, 80, size=16),  # a larger picture weighs no more
    ]
    told = replace(material, references=references)
    assert numbers(measure_luminance(told, "final", TOOLS)) == {(0, 0): 10.0}  # the plain prompt has none
    same = replace(told, references=[*references, material.pictures["final"][0].path])
    assert numbers(measure_luminance(same, "final", TOOLS)) == {(0, 0): 10.0}  # itself is left out
    broken = replace(told, faults={references[1]: "black"})
    assert numbers(measure_luminance(broken, "final", TOOLS)) == {(0, 0): 0.0}


def test_the_range_is_bright_prompts_minus_dark_ones_and_its_jackknife_by_hand(tmp_path: Path) -> None:
    material = material_of(
        tmp_path,
        final={
            0: [(20, 40), (40, 60)],  # 30 and 50: the prompt's mean is 40
            1: [(50, 70)],  # 60
            2: [(190, 210)],  # 200
            3: [(210, 230)],  # 220
            4: [(0, 255)],  # of no tone
        },
    )
    found = measure_luminance_range(material, "final", TOOLS)
    assert found.whole == pytest.approx(210 - 50)
    assert found.count == 5
    # Without prompts 0 .. 3: 150, 170, 170, 150. 4 x 160 - 3 x each.
    expected = {(0, None): 190.0, (1, None): 130.0, (2, None): 130.0, (3, None): 190.0}
    assert numbers(found) == pytest.approx(expected)
    row = score_material(material, TOOLS).scores.row("luminance_range")
    assert row.final is not None and row.final.spread is not None
    assert (row.final.value, row.final.n, row.final.num_prompts) == (pytest.approx(160), 5, 4)
    # The deviation of the four is 30 x sqrt(4 / 3), over sqrt(4); t at 3 degrees of freedom.
    assert row.final.spread == pytest.approx(3.1824463 * 30 * (4 / 3) ** 0.5 / 2)


def test_a_range_with_a_single_prompt_of_a_tone_has_a_value_but_no_interval(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [(20, 40)], 2: [(190, 210)], 3: [(210, 230)]})
    found = measure_luminance_range(material, "final", TOOLS)
    assert (found.whole, found.count, list(found.values)) == (pytest.approx(180), 3, [])
    row = score_material(material, TOOLS).scores.row("luminance_range")
    assert row.final is not None and (row.final.n, row.final.num_prompts, row.final.spread) == (3, 0, None)


def test_a_range_needs_sound_pictures_of_both_tones(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [(20, 40)], 2: [(190, 210)]})
    broken = replace(material, faults={material.pictures["final"][1].path: "white"})
    assert measure_luminance_range(broken, "final", TOOLS) == Measured()


def test_the_drift_is_how_far_plain_prompts_went_from_the_bases_luminance(tmp_path: Path) -> None:
    material = material_of(
        tmp_path,
        base={0: [(0, 0)], 4: [(100, 140), (80, 120), (90, 110)]},  # means of 120, 100, 100
        final={0: [(99, 99)], 4: [(110, 150), (60, 100)]},  # 130, 80
    )
    assert numbers(measure_luminance_drift(material, "final", TOOLS)) == {(4, 0): 10.0, (4, 1): 20.0}
    broken = replace(material, faults={material.pictures["base"][1].path: "black"})
    assert numbers(measure_luminance_drift(broken, "final", TOOLS)) == {(4, 1): 20.0}
    assert METRICS["luminance_drift"].sets == ("final",)


def test_types_of_prompts_change_nothing_in_a_metric_of_a_whole_set(tmp_path: Path) -> None:
    shades = {0: [(20, 40)], 1: [(50, 70)], 2: [(190, 210)], 3: [(210, 230)]}
    base = {prompt: [(low + 5 * prompt, high)] for prompt, ((low, high),) in shades.items()}
    material = material_of(tmp_path, final=shades, base=base)
    kinds = dict(zip(material.prompts, ("a", "a", "a", "b", "b"), strict=True))
    typed = replace(
        material, prompts={text: replace(p, type=kinds[text]) for text, p in material.prompts.items()}
    )
    row, other = (score_material(one, TOOLS).scores.row("luminance_range") for one in (material, typed))
    assert row.difference is not None and row.difference.spread is not None
    assert row == other
