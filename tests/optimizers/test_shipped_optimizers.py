"""The optimizers of conf/optimizer/."""

import pytest
import torch
from torch import nn

from engine.config import OptimizerConfig
from engine.optimizers.build import build_optimizer
from tests.compose.toys import CONF
from tests.contracts.optimizer import OptimizerContract


class TestAdamW(OptimizerContract):
    recipe = "adamw"


class TestAdafactor(OptimizerContract):
    recipe = "adafactor"


@pytest.mark.gpu  # its package is no part of the tests' own: diffusers would load it at each start
class TestAdamW8bit(OptimizerContract):
    recipe = "adamw8bit"

    def test_vectors_of_4096_numbers_keep_8_bits_and_go_on_from_them(self, config: OptimizerConfig) -> None:
        whole, first = (nn.Parameter(torch.zeros(5000)) for _ in range(2))
        optimizer = build_optimizer(config, [whole])
        _walk(optimizer, whole, 12)
        assert {optimizer.state[whole][name].dtype for name in ("state1", "state2")} == {torch.uint8}
        before = build_optimizer(config, [first])
        _walk(before, first, 7)
        second = nn.Parameter(first.detach().clone())
        resumed = build_optimizer(config, [second])
        resumed.load_state_dict(before.state_dict())
        _walk(resumed, second, 5)
        assert torch.equal(second, whole)


class TestProdigy(OptimizerContract):
    recipe = "prodigy"


def test_every_shipped_optimizer_is_held_to_the_contract() -> None:
    shipped = {path.stem for path in (CONF / "optimizer").glob("*.yaml")}
    assert {contract.recipe for contract in OptimizerContract.__subclasses__()} == shipped


def _walk(optimizer: torch.optim.Optimizer, weights: nn.Parameter, count: int) -> None:
    target = torch.linspace(-1, 1, weights.numel())
    for _ in range(count):
        weights.grad = 2 * (weights.detach() - target)
        optimizer.step()
