"""Parameters by learning rate."""

import pytest
import torch
from torch.nn import Parameter

from engine.config import LRScheduleConfig, LRScheduleKind, OptimizerConfig
from engine.optimizers.build import build_optimizer
from engine.optimizers.lr_schedule import build_lr_schedule
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


def test_groups_go_on_from_a_checkpoint_in_the_same_bits() -> None:
    config = OptimizerConfig(lr=0.1)

    def start(values: list[torch.Tensor]):
        params = [Parameter(value.clone()) for value in values]
        optimizer = build_optimizer(config, params, factors=[0.5, 1.0, 2.0])
        return (
            params,
            optimizer,
            build_lr_schedule(LRScheduleConfig(kind=LRScheduleKind.cosine), optimizer, 8),
        )

    def go(params: list[Parameter], optimizer, schedule, steps: range) -> None:
        for step in steps:
            for index, parameter in enumerate(params):
                parameter.grad = torch.randn(4, generator=torch.Generator().manual_seed(10 * step + index))
            optimizer.step()
            schedule.step()

    whole = start([torch.ones(4)] * 3)
    go(*whole, range(8))
    half = start([torch.ones(4)] * 3)
    go(*half, range(4))
    again = start([parameter.detach() for parameter in half[0]])
    again[1].load_state_dict(half[1].state_dict())
    again[2].load_state_dict(half[2].state_dict())
    go(*again, range(4, 8))
    assert all(torch.equal(one, other) for one, other in zip(whole[0], again[0], strict=True))
    assert again[2].get_last_lr() == whole[2].get_last_lr()
