"""What is on the device: never more than its phase needs; gradients of swapped blocks are the same."""

from copy import deepcopy

import pytest
import torch
from tiny_recipes import tiny_model
from torch import Tensor, nn

from engine.compose import memory_rules
from engine.compose.family_rules import family_rule
from engine.compose.memory import swapped_bytes
from engine.compose.memory_rules import memory_problems, swap_rule
from engine.config import (
    ConfigError,
    Family,
    LoRAConfig,
    MemoryConfig,
    Quantize,
    RunConfig,
    TrainingConfig,
)
from engine.models import memory
from engine.models.checkpoint import load_family
from engine.models.family import Conditioning, ModelFamily
from engine.models.placing import (
    WAITING_PLACE,
    BlockSwap,
    place_denoiser,
    place_for_encoding,
    place_for_steps,
    transformer_blocks,
)
from engine.networks.lora import LoRANetwork, attach_lora

CPU = torch.device("cpu")
DEVICE = torch.device("meta")  # the name of a device alone: nothing is sent there
TRANSFORMERS = (Family.sd3, Family.flux, Family.anima)


@pytest.fixture(scope="module", params=TRANSFORMERS, ids=lambda family: family.name)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelFamily:
    model = tiny_model(request.param, tmp_path_factory.mktemp(request.param.name))
    return load_family(model, device=CPU, dtype=torch.float32)


class Poison:
    """Stands for another device: the weights of a block that is away are not numbers."""

    def __init__(self) -> None:
        self.away: dict[nn.Parameter, Tensor] = {}
        self.present: list[nn.Module] = []
        self.most = 0

    def __call__(self, block: nn.Module, place: torch.device) -> None:
        if place == WAITING_PLACE:
            self.present = [one for one in self.present if one is not block]
            for parameter in block.parameters():
                self.away.setdefault(parameter, parameter.data)
                parameter.data = torch.full_like(parameter.data, torch.nan)
            return
        self.present.append(block)
        self.most = max(self.most, len(self.present))
        for parameter in block.parameters():
            parameter.data = self.away.pop(parameter, parameter.data)


def gradients(family: ModelFamily, network: LoRANetwork) -> list[Tensor]:
    network.zero_grad()
    latents = torch.linspace(-1, 1, family.latent_channels * 64).view(1, -1, 8, 8)
    told = Conditioning(text=family.encode_prompts(["a red star"]), sizes=torch.zeros(1, 6))
    family.predict(latents, torch.tensor([500.0]), told).square().mean().backward()
    return [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]


def test_swapped_blocks_give_the_same_gradients(family: ModelFamily) -> None:
    layers = [layer for layer in family.adaptable_layers() if layer.component == "transformer"]
    groups = list(dict.fromkeys(layer.group for layer in layers))
    network = attach_lora(
        LoRAConfig(rank=4, layers=groups), layers, family=family.config.family, seed=0, device=CPU
    )
    blocks = transformer_blocks(family.denoiser())
    poison = Poison()
    try:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.01)
        family.set_gradient_checkpointing(True)
        plain = gradients(family, network)
        swap = BlockSwap(blocks, device=DEVICE, place=poison)
        assert not poison.present
        for _ in range(2):
            found = gradients(family, network)
            assert all(torch.equal(one, two) for one, two in zip(found, plain, strict=True))
        assert poison.most == 1 < len(blocks)
        swap.end()
        place_denoiser(family.denoiser(), DEVICE, place=poison)
        assert not poison.away
        family.set_gradient_checkpointing(False)
        assert all(bool(one.isfinite().all()) for one in gradients(family, network))
    finally:
        family.set_gradient_checkpointing(False)
        network.detach()


def test_the_last_blocks_are_swapped_and_a_later_run_gets_them_back(family: ModelFamily) -> None:
    denoiser = family.denoiser()
    blocks = transformer_blocks(denoiser)
    place_denoiser(denoiser, CPU, swapped=1)
    hooked = [len(block._forward_pre_hooks) for block in blocks]
    assert hooked == [0] * (len(blocks) - 1) + [1]
    place_denoiser(denoiser, CPU)
    assert not any(block._forward_pre_hooks for block in blocks)
    with pytest.raises(ConfigError, match=rf"memory\.blocks_to_swap=99: .* has {len(blocks)} blocks"):
        place_denoiser(denoiser, CPU, swapped=99)


def places(module: nn.Module) -> set[str]:
    return {tensor.device.type for tensor in (*module.parameters(), *module.buffers())}


def test_all_but_the_swapped_blocks_go_to_the_device_and_come_back(family: ModelFamily) -> None:
    denoiser = deepcopy(family.denoiser())
    blocks = transformer_blocks(denoiser)
    inside = {parameter for block in blocks for parameter in block.parameters()}
    assert places(denoiser) == {"cpu"}
    for _ in range(2):  # a later run of the process, with as many
        place_denoiser(denoiser, DEVICE, swapped=1)
        assert [places(block) for block in blocks] == [{"meta"}] * (len(blocks) - 1) + [{"cpu"}]
        assert {p.device.type for p in denoiser.parameters() if p not in inside} == {"meta"}
    place_denoiser(denoiser, DEVICE)
    assert places(denoiser) == {"meta"} and not any(block._forward_pre_hooks for block in blocks)


@pytest.mark.parametrize("quantize", [Quantize.none, Quantize.nf4])
@pytest.mark.parametrize("unload", [True, False])
def test_encoders_and_denoiser_are_on_the_device_one_after_the_other(
    family: ModelFamily, monkeypatch: pytest.MonkeyPatch, quantize: Quantize, unload: bool
) -> None:
    placed: list[str] = []
    names = {id(family.denoiser()): "denoiser"}
    names |= {id(part): "text" for part in family.text_parts()}
    names |= {id(part): "vae" for part in family.image_parts()}

    def note(part: nn.Module, device: torch.device) -> nn.Module:
        placed.append(f"{names[id(part)]}: {device.type}")
        return part

    monkeypatch.setattr(nn.Module, "to", note)
    monkeypatch.setattr(memory, "is_on", lambda part, device: False)
    monkeypatch.setattr(family, "device", DEVICE)
    run = RunConfig(model=family.config, memory=MemoryConfig(quantize=quantize, unload_encoders=unload))
    place_for_encoding(family, run)
    waits = unload and quantize is Quantize.none
    assert placed[: int(waits)] == ["denoiser: cpu"] * int(waits)
    assert set(placed[int(waits) :]) == {"text: meta", "vae: meta"}
    placed.clear()
    place_for_steps(family, run)
    elsewhere = "cpu" if unload else "meta"
    assert set(placed[:-1]) == {f"text: {elsewhere}", f"vae: {elsewhere}"}
    assert placed[-1] == "denoiser: meta"  # when there is room


def test_the_estimate_leaves_out_all_swapped_blocks_but_one(family: ModelFamily) -> None:
    count = len(transformer_blocks(family.denoiser()))
    for swapped, share in ((0, 0), (1, 0), (2, 1 / count)):
        run = RunConfig(model=family.config, memory=MemoryConfig(blocks_to_swap=swapped))
        assert swapped_bytes(run, {"transformer": 3000}) == round(4 * 3000 * share)


def test_swapping_is_refused_where_it_cannot_work(monkeypatch: pytest.MonkeyPatch) -> None:
    lever = MemoryConfig(blocks_to_swap=3)
    (problem,) = swap_rule(RunConfig(memory=lever))
    assert problem.endswith("Set training.gradient_checkpointing=true.")
    recomputed = TrainingConfig(gradient_checkpointing=True)
    assert swap_rule(RunConfig(memory=lever, training=recomputed)) == []
    both = MemoryConfig(blocks_to_swap=3, quantize=Quantize.fp8)
    (problem,) = swap_rule(RunConfig(memory=both, training=recomputed))
    assert problem.endswith("Leave one of them out.")
    (problem,) = family_rule(RunConfig(memory=lever, training=recomputed))
    assert "gradient_checkpointing" in problem and problem.endswith("Set memory.blocks_to_swap=0.")
    for device, refused in (("cpu", True), ("cuda:0", False)):
        monkeypatch.setattr(memory_rules, "visible_device", lambda _, device=device: device)
        assert bool(memory_problems(RunConfig(memory=lever, training=recomputed))) == refused
