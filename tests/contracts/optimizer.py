"""What every shipped optimizer must hold to: its tests subclass OptimizerContract and name its YAML."""

import io
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from engine.config import OptimizerConfig
from engine.optimizers.build import build_optimizer, check_args
from tests.compose.toys import composed

TARGET = torch.linspace(-1.0, 1.0, 50)


class OptimizerContract:
    """Subclasses set `recipe`, a file of conf/optimizer/."""

    recipe: str

    @pytest.fixture
    def config(self) -> OptimizerConfig:
        """The optimizer as its YAML composes it; a learning rate that suits the toy where it needs one."""
        config = composed(f"optimizer={self.recipe}").optimizer
        return OptimizerConfig(
            class_path=config.class_path, lr=1.0 if config.lr == 1.0 else 0.05, args=config.args
        )

    def test_the_class_takes_its_arguments(self) -> None:
        assert check_args(composed(f"optimizer={self.recipe}").optimizer) == []

    def test_it_finds_the_bottom_of_a_bowl(self, config: OptimizerConfig) -> None:
        weights = nn.Parameter(torch.zeros(50))
        losses = list(_descend(config, weights, 300))
        assert losses[-1] < 0.05 * losses[0]

    def test_it_moves_the_memory_that_it_was_given_and_leaves_the_gradients_there(
        self, config: OptimizerConfig
    ) -> None:
        bank, gradients = torch.zeros(2, 50), torch.ones(2, 50)
        weights = nn.Parameter(bank[0])
        weights.grad = gradients[0]
        optimizer = build_optimizer(config, [weights])
        for _ in range(3):
            optimizer.step()
        assert weights.data_ptr() == bank.data_ptr() and bool(bank[0].abs().sum() > 0)
        assert torch.equal(bank[1], torch.zeros(50)) and torch.equal(gradients[1], torch.ones(50))

    def test_it_goes_on_from_its_saved_state_in_the_same_bits(self, config: OptimizerConfig) -> None:
        whole = nn.Parameter(torch.zeros(50))
        list(_descend(config, whole, 12))
        first = nn.Parameter(torch.zeros(50))
        optimizer = build_optimizer(config, [first])
        list(_steps(optimizer, first, 7))
        file = io.BytesIO()
        torch.save({"weights": first.detach(), "optimizer": optimizer.state_dict()}, file)
        file.seek(0)
        saved = torch.load(file, weights_only=True)
        second = nn.Parameter(saved["weights"])
        resumed = build_optimizer(config, [second])
        resumed.load_state_dict(saved["optimizer"])
        list(_steps(resumed, second, 5))
        assert torch.equal(second, whole)

    def test_a_learning_rate_of_zero_moves_nothing(self, config: OptimizerConfig) -> None:
        weights = nn.Parameter(torch.zeros(50))
        optimizer = build_optimizer(config, [weights])
        for group in optimizer.param_groups:
            group["lr"] = 0.0
        list(_steps(optimizer, weights, 3))
        assert torch.equal(weights, torch.zeros(50))


def _descend(config: OptimizerConfig, weights: nn.Parameter, count: int) -> Iterator[float]:
    return _steps(build_optimizer(config, [weights]), weights, count)


def _steps(optimizer: torch.optim.Optimizer, weights: nn.Parameter, count: int) -> Iterator[float]:
    for _ in range(count):
        optimizer.zero_grad()
        loss = (weights - TARGET).square().mean()
        loss.backward()
        optimizer.step()
        yield float(loss.detach())
