"""Parameters by learning rate."""

import pytest
import torch
from torch.nn import Parameter

from engine.config import OptimizerConfig
from engine.optimizers.build import build_optimizer
from engine.optimizers.param_groups import param_groups


def test_one_rate_is_no_group_at_all() -> None:
    params = [Parameter(torch.zeros(1)) for _ in range(3)]
    assert param_groups(params, [1.0, 1.0, 1.0], lr=0.1) == params


def test_equal_factors_share_a_group_and_the_runs_own_rate_comes_first() -> None:
    a, b, c, d = (Parameter(torch.zeros(1)) for _ in range(4))
    assert param_groups([a, b, c, d], [0.5, 1.0, 0.5, 2.0], lr=0.1) == [
        {"params": [b], "lr": 0.1},
        {"params": [a, c], "lr": 0.05},
        {"params": [d], "lr": 0.2},
    ]


def test_a_rate_that_is_nobodys_own_is_a_group_too() -> None:
    only = Parameter(torch.zeros(1))
    assert param_groups([only], [0.5], lr=0.1) == [{"params": [only], "lr": 0.05}]


def test_as_many_factors_as_parameters() -> None:
    with pytest.raises(ValueError, match="zip"):
        param_groups([Parameter(torch.zeros(1))], [1.0, 1.0], lr=0.1)


def test_the_optimizer_steps_each_group_at_its_rate() -> None:
    a, b = (Parameter(torch.tensor([1.0])) for _ in range(2))
    config = OptimizerConfig(class_path="torch.optim.SGD", lr=0.1)
    optimizer = build_optimizer(config, [a, b], factors=[1.0, 0.5])
    for parameter in (a, b):
        parameter.grad = torch.tensor([1.0])
    optimizer.step()
    assert (float(a.detach()), float(b.detach())) == pytest.approx((0.9, 0.95))
