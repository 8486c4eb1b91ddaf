"""A step with the model on a device other than the processor: no operation is given tensors of both.

The meta device stands for a GPU: its tensors have shapes and no numbers, and each operation is looked at.
"""

from pathlib import Path

import pytest
import torch
from tiny_recipes import TINY_FAMILIES, tiny_model
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from engine.config import (
    Family,
    LayerGroup,
    LoRAConfig,
    LossConfig,
    MemoryConfig,
    NoiseConfig,
    RunConfig,
)
from engine.models.checkpoint import load_family
from engine.models.facts import FAMILIES
from engine.models.placing import place_for_encoding, place_for_steps
from engine.networks.lora import attach_lora
from engine.training.step import Batch, Draws, Objective, training_losses

DEVICE = torch.device("meta")
SIDE = 64  # pixels
PROMPTS = ["a red star"]
COPIES = ("_to_copy", "copy_", "set_data")


class OneDevice(TorchDispatchMode):
    """Raises where an operation other than a copy is given tensors of two devices, as a GPU does."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor) and one.dim() > 0]
        devices = {str(one.device) for one in given}
        if len(devices) > 1 and not any(name in str(func) for name in COPIES):
            raise RuntimeError(f"{func}: tensors on {sorted(devices)}")
        return func(*args, **(kwargs or {}))


def step(run: RunConfig, groups: list[LayerGroup]) -> tuple[Tensor, list[Tensor]]:
    """Encode a picture and its caption, take a step with both; the loss and the gradients."""
    text = load_family(run.model, device=torch.device("cpu"), dtype=torch.bfloat16).encode_prompts(PROMPTS)
    family = load_family(run.model, device=DEVICE, dtype=torch.bfloat16)
    network = attach_lora(
        LoRAConfig(layers=groups), family.adaptable_layers(), family=run.model.family, seed=0, device=DEVICE
    )
    try:
        with OneDevice():
            place_for_encoding(family, run)
            if run.model.family is not Family.anima:  # diffusers asks numbers of its text's tensors
                assert {tensor.device for tensor in family.encode_prompts(PROMPTS).values()} == {DEVICE}
            latents = family.encode_images(torch.zeros(1, 3, SIDE, SIDE))
            place_for_steps(family, run)
            shape = latents.mean.shape
            size = [float(SIDE)] * 2
            batch = Batch(  # as the caches and the feed hand it over: on the processor
                mean=torch.zeros(shape),
                std=torch.ones(shape),
                text={name: tensor.detach() for name, tensor in text.items()},
                sizes=torch.tensor([[*size, 0.0, 0.0, *size]]),
                weights=torch.ones(1),
                mask=torch.ones(1, 1, *shape[2:]),
            )
            draws = Draws(
                posterior=torch.zeros(shape),
                noise=torch.zeros(shape),
                offset=torch.zeros(shape[:2]),
                timesteps=torch.full((1,), 500.0 if FAMILIES[run.model.family].is_flow else 500),
            )
            objective = Objective(noise=NoiseConfig(), loss=LossConfig(), prediction=run.model.prediction)
            loss = training_losses(family, batch, draws, objective).mean()
            loss.backward()
        return loss, [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    finally:
        network.detach()


@pytest.mark.parametrize("family", TINY_FAMILIES, ids=lambda family: family.name)
def test_a_step_gives_no_operation_tensors_of_two_devices(family: Family, tmp_path: Path) -> None:
    run = RunConfig(
        model=tiny_model(family, tmp_path),
        memory=MemoryConfig(unload_encoders=False),  # nothing comes back from the meta device
    )
    groups = [group for group, _ in FAMILIES[family].layer_groups if not group.name.startswith("text")]
    loss, gradients = step(run, groups)
    assert loss.device == DEVICE
    assert gradients and {gradient.device for gradient in gradients} == {DEVICE}


def test_an_operation_on_two_devices_is_noticed() -> None:
    with OneDevice(), pytest.raises(RuntimeError, match="tensors on"):
        torch.nn.functional.linear(torch.zeros(2, 3), torch.zeros(4, 3, device=DEVICE))
