"""The benchmark of families runs, at a size that measures nothing."""

import math
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))  # last: it has an evaluation.py, too
from families import Measured, Settings, measure, report
from families_random import RECIPES

TINY = Settings(device="cpu", size="tiny", steps=2)


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_family_learns_two_steps_from_random_weights(recipe: str) -> None:
    plain, recomputed = measure(recipe, "plain", TINY), measure(recipe, "checkpointing", TINY)
    assert math.isfinite(plain.loss) and plain.loss > 0
    assert recomputed.loss == pytest.approx(plain.loss, rel=0.02)
    assert plain.trained > 0 and plain.seconds > 0


def test_the_report_is_a_table_with_a_row_a_way() -> None:
    row = Measured(
        recipe="sdxl",
        way="compiled_checkpointing",
        parameters=2_567_463_684,
        trained=23_000_000,
        seconds=0.4321,
        gib=6.04,
        weights_gib=4.78,
        loss=1.0,
    )
    assert report([row]).splitlines()[2] == (
        "| sdxl | compiled, checkpointing | 2.57 B | 23.0 M | 0.432 | 6.0 | 4.8 |"
    )
