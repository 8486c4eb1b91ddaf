"""The learning rate over a run, by hand and against kohya's numbers."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.config import LRScheduleConfig, LRScheduleKind
from engine.optimizers.lr_schedule import build_lr_schedule, num_warmup_steps

GOLDEN = Path(__file__).parents[1] / "golden" / "f_lr_schedulers.json"
CASES = json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"]


def rates(config: LRScheduleConfig, base: list[float], steps: int) -> list[list[float]]:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in base]
    optimizer = torch.optim.SGD(groups)
    schedule = build_lr_schedule(config, optimizer, steps)
    seen = []
    for _ in range(steps + 1):
        seen.append([float(group["lr"]) for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return seen


def test_constant_without_warmup_never_moves() -> None:
    config = LRScheduleConfig(kind=LRScheduleKind.constant)
    assert rates(config, [0.5], 4) == [[0.5]] * 5


def test_warmup_of_two_steps_rises_by_halves() -> None:
    config = LRScheduleConfig(kind=LRScheduleKind.constant, warmup=2)
    assert rates(config, [1.0], 4) == [[0.0], [0.5], [1.0], [1.0], [1.0]]


def test_cosine_is_half_in_the_middle_and_zero_after_the_last_step() -> None:
    seen = rates(LRScheduleConfig(kind=LRScheduleKind.cosine), [2.0], 4)
    assert seen[0] == [2.0]
    assert seen[2][0] == pytest.approx(1.0)
    assert seen[4][0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("warmup", "steps", "expected"), [(0.05, 300, 15), (0.1, 100, 10), (0.5, 3, 1), (7, 100, 7)]
)
def test_warmup_below_one_is_a_share_and_else_a_number_of_steps(
    warmup: float, steps: int, expected: int
) -> None:
    assert num_warmup_steps(LRScheduleConfig(warmup=warmup), steps) == expected


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{c['args']['lr_scheduler']}-{c['args']['lr_warmup_steps']}" for c in CASES]
)
def test_rates_equal_those_of_kohya(case: dict[str, Any]) -> None:
    kind = case["args"]["lr_scheduler"].removesuffix("_with_warmup")
    config = LRScheduleConfig(kind=LRScheduleKind[kind], warmup=case["args"]["lr_warmup_steps"])
    seen = rates(config, case["base_lrs"], case["max_train_steps"])
    assert [row[0] for row in seen] == pytest.approx(case["lr_group0"], rel=1e-12, abs=1e-15)
    assert [row[1] for row in seen] == pytest.approx(case["lr_group1"], rel=1e-12, abs=1e-15)
