"""A denoiser whose Linear layers are kept in 4 or 8 bits: near the plain one, frozen, a LoRA learns on it.

What quantises is in packages that the other tests do without (extras 8bit and torchao): run with -m gpu.
torchao's ways run on a processor, too, where there is no GPU; bitsandbytes' on a GPU alone.
"""

from pathlib import Path

import pytest
import torch
from tiny_recipes import TINY_FAMILIES, tiny_model

from engine.compose import memory_rules
from engine.compose.memory import linear_size, part_sizes, quantized_bytes
from engine.compose.memory_rules import ON_GPU, PACKAGES, memory_problems
from engine.config import (
    Family,
    LoRAConfig,
    MemoryConfig,
    ModelConfig,
    Quantize,
    RunConfig,
    TrainingConfig,
)
from engine.models.checkpoint import load_family
from engine.models.facts import FAMILIES
from engine.models.family import Conditioning, ModelFamily
from engine.models.placing import place_denoiser
from engine.networks.lora import attach_lora

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ON_PROCESSOR = [how for how in PACKAGES if how not in ON_GPU]
WAYS = list(PACKAGES) if DEVICE.type == "cuda" else ON_PROCESSOR


@pytest.fixture(scope="module", params=list(TINY_FAMILIES), ids=lambda family: family.name)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelConfig:
    return tiny_model(request.param, tmp_path_factory.mktemp(request.param.name))


def loaded(model: ModelConfig, how: Quantize) -> ModelFamily:
    family = load_family(model, device=DEVICE, dtype=torch.float32, quantize=how)
    place_denoiser(family.denoiser(), DEVICE)
    return family


def predicted(family: ModelFamily) -> torch.Tensor:
    side = 64 // family.latent_factor
    latents = torch.linspace(-2, 2, family.latent_channels * side * side)
    told = Conditioning(
        text=family.encode_prompts(["a red star"]),
        sizes=torch.tensor([[64.0, 64.0, 0.0, 0.0, 64.0, 64.0]], device=DEVICE),
    )
    timesteps = torch.tensor([500], device=DEVICE)
    return family.predict(latents.view(1, -1, side, side).to(DEVICE), timesteps, told)


@pytest.mark.gpu
def test_answers_stay_near_and_the_numbers_take_less(model: ModelConfig) -> None:
    with torch.no_grad():
        plain = predicted(loaded(model, Quantize.none))
    away = {}
    for how in WAYS:
        family = loaded(model, how)
        with torch.no_grad():
            away[how] = float((predicted(family) - plain).abs().mean() / plain.abs().mean())
        assert family.fingerprints.base.endswith(f"+{how.name}")
    assert all(0 < far < 0.2 for far in away.values()), away


@pytest.mark.gpu
@pytest.mark.parametrize("how", WAYS, ids=lambda how: how.name)
def test_a_lora_learns_on_a_quantised_base(model: ModelConfig, how: Quantize) -> None:
    family = loaded(model, how)
    denoiser = FAMILIES[model.family].denoiser
    layers = [layer for layer in family.adaptable_layers() if layer.component == denoiser]
    groups = list(dict.fromkeys(layer.group for layer in layers))
    network = attach_lora(
        LoRAConfig(rank=4, layers=groups), layers, family=model.family, seed=0, device=DEVICE
    )
    root = layers[0].root
    before = [parameter.detach().clone() for parameter in root.parameters()]
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    with torch.no_grad():
        target = predicted(family).roll(1, dims=-1)
    losses = []
    try:
        for _ in range(12):
            network.zero_grad()
            loss = (predicted(family) - target).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        saved = network.state()
    finally:
        network.detach()
    assert losses[-1] < 0.95 * losses[0]
    assert not any(parameter.requires_grad for parameter in root.parameters())
    for old, new in zip(before, root.parameters(), strict=True):
        assert torch.equal(_numbers(old), _numbers(new))
    assert len(saved) == 3 * len(layers) and all(bool(one.isfinite().all()) for one in saved.values())


def test_a_package_that_is_not_there_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_rules.importlib.util, "find_spec", lambda name: None)
    for how, package in PACKAGES.items():
        (problem,) = memory_problems(RunConfig(memory=MemoryConfig(quantize=how)))
        assert problem.startswith(f"memory.quantize={how.name}: the package {package} is not installed.")
        assert 'Run pip install -e ".[' in problem
    assert memory_problems(RunConfig()) == []


def test_what_needs_a_gpu_is_refused_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_rules.importlib.util, "find_spec", lambda name: object())
    for how in PACKAGES:
        for device, found in (("cpu", "cpu"), ("auto", "cpu"), ("auto", "cuda:0")):
            monkeypatch.setattr(memory_rules, "visible_device", lambda _, found=found: found)
            run = RunConfig(memory=MemoryConfig(quantize=how), training=TrainingConfig(device=device))
            refused = memory_problems(run)
            assert bool(refused) == (how in ON_GPU and found == "cpu"), (how, device)
            assert all("Use memory.quantize=fp8 or int8_ao" in problem for problem in refused)


def test_the_estimate_counts_matrices_in_fewer_bytes(tmp_path: Path) -> None:
    model = tiny_model(Family.sd1, tmp_path)
    linear = linear_size(model)
    assert 0 < linear < part_sizes(model)["unet"]  # convolutions are no matrices
    for how, width in ((Quantize.nf4, 0.5 + 1 / 64), (Quantize.fp8, 1)):
        run = RunConfig(model=model, memory=MemoryConfig(quantize=how))
        assert quantized_bytes(run) == round(linear * (4 - width))
    assert quantized_bytes(RunConfig(model=model)) == 0


def _numbers(tensor: torch.Tensor) -> torch.Tensor:
    """What a tensor of torchao's stands for, and any other itself."""
    return tensor.dequantize() if type(tensor).__module__.startswith("torchao") else tensor.data
