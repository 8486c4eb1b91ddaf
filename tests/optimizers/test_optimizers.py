"""Optimizers by class path: the table is true, arguments are checked, what is built steps."""
# ruff: noqa: E501

import inspect

import prodigyopt
import pytest
import torch
from transformers.optimization import Adafactor

from engine.config import ConfigError, OptimizerConfig
from engine.optimizers.build import build_optimizer, check_args
from engine.optimizers.table import OPTIMIZERS, adapts_lr

CLASSES = {
    "torch.optim.AdamW": torch.optim.AdamW,
    "prodigyopt.Prodigy": prodigyopt.Prodigy,
    "transformers.optimization.Adafactor": Adafactor,
}


def test_every_row_with_arguments_is_compared_with_its_class() -> None:
    assert {path for path, facts in OPTIMIZERS.items() if facts.args is not None} == set(CLASSES)


@pytest.mark.parametrize("path", CLASSES)
def test_table_lists_the_arguments_of_the_real_class(path: str) -> None:
    assert OPTIMIZERS[path].args == set(inspect.signature(CLASSES[path]).parameters) - {"params", "lr"}


def test_lists_in_args_reach_the_class_as_tuples() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    built = build_optimizer(OptimizerConfig(lr=0.1, args={"betas": [0.5, 0.9]}), [parameter])
    assert built.defaults["betas"] == (0.5, 0.9)
    assert built.defaults["lr"] == 0.1


@pytest.mark.parametrize("path", [*CLASSES, "torch.optim.SGD"])
def test_a_step_against_the_gradient_lowers_the_parameter(path: str) -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    args = {"relative_step": False} if path.endswith("Adafactor") else {}
    optimizer = build_optimizer(OptimizerConfig(class_path=path, lr=0.1, args=args), [parameter])
    for _ in range(3):
        parameter.grad = torch.ones(2)
        optimizer.step()
    assert bool((parameter < 1).all())


def test_value_that_the_class_refuses_is_a_sentence() -> None:
    problems = check_args(OptimizerConfig(args={"betas": [2, 3]}))
    assert len(problems) == 1
    assert problems[0].startswith("optimizer.args: torch.optim.AdamW(")
    with pytest.raises(ConfigError, match="betas"):
        build_optimizer(OptimizerConfig(args={"betas": [2, 3]}), [torch.nn.Parameter(torch.zeros(1))])


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            OptimizerConfig(args={"weight_decy": 0}),
            "optimizer.args.weight_decy: AdamW takes no such argument (did you mean weight_decay?)",
        ),
        (
            OptimizerConfig(args={"lr": 1}),
            "optimizer.args.lr: the learning rate has a place of its own. Set optimizer.lr.",
        ),
        (OptimizerConfig(args={"params": 1}), "optimizer.args.params: filled in by the run. Leave it out."),
        (
            OptimizerConfig(class_path="torch.optim.AdamWW"),
            "optimizer.class_path=torch.optim.AdamWW: torch.optim has no AdamWW (did you mean AdamW?). Correct it.",
        ),
        (
            OptimizerConfig(class_path="nowhere.Adam"),
            "optimizer.class_path=nowhere.Adam: no module nowhere. Install nowhere, or correct it.",
        ),
        (
            OptimizerConfig(class_path="torch.nn.Linear"),
            "optimizer.class_path=torch.nn.Linear: not a torch.optim.Optimizer. Give one, such as AdamW.",
        ),
        (
            OptimizerConfig(class_path="torch.optim.SGD", args={"momentun": 0.9}),
            "optimizer.args.momentun: SGD takes no such argument (did you mean momentum?)",
        ),
    ],
)
def test_wrong_class_or_argument_is_named_with_a_way_out(config: OptimizerConfig, sentence: str) -> None:
    assert check_args(config) == [sentence]


def test_right_arguments_pass() -> None:
    assert check_args(OptimizerConfig(args={"weight_decay": 0.1})) == []
    assert check_args(OptimizerConfig(class_path="torch.optim.SGD", args={"momentum": 0.9})) == []


def test_only_those_that_find_their_own_step_size_are_marked() -> None:
    assert adapts_lr("prodigyopt.Prodigy")
    assert not adapts_lr("torch.optim.AdamW")
    assert not adapts_lr("some.Unknown")
