"""Optimizers that count on shapes are given each matrix, as views of the memory that all others see whole."""

from pathlib import Path

import torch
from rich.console import Console
from torch import nn

from engine.networks.lora import LoRANetwork
from engine.networks.lora_layers import LoRALayer
from engine.optimizers.build import build_optimizer
from engine.training.clock import Clock
from engine.training.parts import load_model
from engine.training.trained_parameters import each_matrix, trained_parameters
from tests.training.toy_runs import small_run

ALL = "network.layers=[attention,convolutions]"


def test_each_matrix_is_a_view_in_the_shape_of_a_lora_file(tmp_path: Path) -> None:
    run, plan = small_run(tmp_path, ALL)
    network = load_model(run, plan, clock=Clock(), console=Console(quiet=True)).network
    try:
        given = each_matrix(network)
        shapes = [tuple(value.shape) for key, value in network.state().items() if key.endswith(".weight")]
        assert [tuple(parameter.shape) for parameter in given.parameters] == shapes
        assert given.factors == [1.0] * len(shapes)
        assert sum(parameter.numel() for parameter in given.parameters) == network.bank.weights.numel()
        _check_memory(network, given.parameters)
    finally:
        network.detach()


def _check_memory(network: LoRANetwork, parameters: list[nn.Parameter]) -> None:
    network.zero_grad()
    for number, parameter in enumerate(parameters, 1):
        assert parameter.grad is not None
        parameter.grad.fill_(number)
    filled = network.bank.gradients.clone()
    layer = network.layers[0].layer
    assert isinstance(layer, LoRALayer) and layer.matrices.down.grad is not None
    assert bool((layer.matrices.down.grad == 1).all()) and bool((filled > 0).all())
    network.zero_grad()
    assert all(parameter.grad is not None and not bool(parameter.grad.any()) for parameter in parameters)
    with torch.no_grad():
        for parameter in parameters:
            parameter.fill_(7)
    assert bool((network.bank.weights == 7).all())


def test_adafactor_steps_as_it_does_on_the_matrices_of_a_file(tmp_path: Path) -> None:
    run, plan = small_run(tmp_path, ALL, "optimizer=adafactor")
    network = load_model(run, plan, clock=Clock(), console=Console(quiet=True)).network
    try:
        trained = trained_parameters(network, run.optimizer.class_path)
        plain = [nn.Parameter(one.detach().clone().contiguous()) for one in trained.parameters]
        ours = build_optimizer(run.optimizer, trained.parameters)
        theirs = build_optimizer(run.optimizer, plain)
        for step in range(3):
            network.bank.gradients.copy_(_noise(network, step))
            for one, other in zip(trained.parameters, plain, strict=True):
                assert one.grad is not None
                other.grad = one.grad.clone()
            ours.step()
            theirs.step()
        largest = max(
            float((a - b).detach().abs().max()) for a, b in zip(trained.parameters, plain, strict=True)
        )
        assert largest < 1e-8  # 0 measured
        rows = ours.state[trained.parameters[0]]["exp_avg_sq_row"]
        assert tuple(rows.shape) == tuple(trained.parameters[0].shape[:-1])
    finally:
        network.detach()


def test_8_bit_optimizers_are_given_memory_without_gaps(tmp_path: Path) -> None:
    run, plan = small_run(tmp_path, ALL)
    network = load_model(run, plan, clock=Clock(), console=Console(quiet=True)).network
    try:
        given = trained_parameters(network, "bitsandbytes.optim.AdamW8bit").parameters
        assert all(parameter.is_contiguous() for parameter in given)
        assert all(parameter.grad is not None and parameter.grad.is_contiguous() for parameter in given)
        assert sum(parameter.numel() for parameter in given) == network.bank.weights.numel()
        _check_memory(network, given)
    finally:
        network.detach()


def test_others_see_a_few_long_vectors(tmp_path: Path) -> None:
    run, plan = small_run(tmp_path)
    network = load_model(run, plan, clock=Clock(), console=Console(quiet=True)).network
    try:
        assert trained_parameters(network, "torch.optim.AdamW").parameters == network.parameters()
        assert len(network.parameters()) <= 4 < len(each_matrix(network).parameters)
    finally:
        network.detach()


def _noise(network: LoRANetwork, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(network.bank.gradients.shape, generator=generator)
