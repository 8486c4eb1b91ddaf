"""Files of every family in diffusers' own hands: every key used, and our picture."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import FluxTransformer2DModel, UNet2DConditionModel
from diffusers.loaders.lora_pipeline import FluxLoraLoaderMixin
from network_toys import fill_up
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import save_file
from torch import Tensor, nn

from engine.config import Family, LoRAConfig, ModelConfig, Prediction
from engine.models.checkpoint import load_family
from engine.models.facts import FAMILIES
from engine.models.family import ModelFamily
from engine.models.parts import adaptable_layers
from engine.networks.diffusers_names import UNREAD_BY_DIFFUSERS, diffusers_state
from engine.networks.files import save_lora
from engine.networks.layer_choice import Target
from engine.networks.lora import LoRANetwork, attach_lora
from tests.models.tiny_anima import write_tiny_anima
from tests.models.tiny_flux import write_tiny_flux
from tests.models.tiny_sd1 import write_tiny_model
from tests.models.tiny_sd2 import write_tiny_sd2
from tests.models.tiny_sd3 import write_tiny_sd3
from tests.models.tiny_sdxl import POOLED, SIZE_CHANNELS, WIDTHS, write_tiny_sdxl

CPU = torch.device("cpu")
WRITERS: dict[Family, Callable[[Path], None]] = {
    Family.sd1: write_tiny_model,
    Family.sd2: write_tiny_sd2,
    Family.sdxl: write_tiny_sdxl,
    Family.sd3: write_tiny_sd3,
    Family.flux: write_tiny_flux,
    Family.anima: write_tiny_anima,
}
TEXT_ENCODERS = {
    Family.sd1: ("text_encoder",),
    Family.sd2: ("text_encoder",),
    Family.sdxl: ("text_encoder", "text_encoder_2"),
    Family.sd3: ("text_encoder", "text_encoder_2"),
    Family.flux: ("text_encoder",),
    Family.anima: (),
}  # that diffusers puts a LoRA on


@pytest.fixture(scope="module", params=WRITERS, ids=lambda family: family.name)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelFamily:
    name: Family = request.param
    folder = tmp_path_factory.mktemp("models") / name.name
    WRITERS[name](folder)
    if name is Family.sdxl:
        published_levels().save_pretrained(folder / "unet")
    prediction = Prediction.flow if FAMILIES[name].is_flow else Prediction.epsilon
    config = ModelConfig(name=name.name, family=name, checkpoint=str(folder), prediction=prediction)
    return load_family(config, device=CPU, dtype=torch.float32)


def published_levels() -> UNet2DConditionModel:
    """SDXL's three levels of two resnets, which the numbers in its files count; narrow."""
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=2,
        transformer_layers_per_block=(1, 1, 2),
        cross_attention_dim=sum(WIDTHS),
        attention_head_dim=(2, 4, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=SIZE_CHANNELS,
        projection_class_embeddings_input_dim=6 * SIZE_CHANNELS + POOLED,
        norm_num_groups=8,
    )


def targets_in_diffusers(family: ModelFamily) -> list[Target]:
    """All layers but those of text encoders that diffusers puts no LoRA on."""
    components = (FAMILIES[family.config.family].denoiser, *TEXT_ENCODERS[family.config.family])
    return [one for one in family.adaptable_layers() if one.component in components]


def attach(family: ModelFamily, targets: list[Target]) -> LoRANetwork:
    groups = list({target.group for target in targets})
    config = LoRAConfig(rank=3, alpha=2.0, layers=groups)
    network = attach_lora(config, targets, family=family.config.family, seed=1, device=CPU)
    fill_up(network, std=0.3)
    return network


@torch.no_grad()
def picture(family: ModelFamily) -> Tensor:
    """Latents after three steps; text goes through the text encoders as they are now."""
    side = 64 // family.latent_factor
    noise = torch.randn(1, family.latent_channels, side, side, generator=torch.Generator().manual_seed(7))
    return family.sampling_pipeline(FAMILIES[family.config.family].samplers[0])(
        prompt=["a red star"],
        negative_prompt=None,
        latents=noise,
        num_inference_steps=3,
        guidance_scale=1.0,
        width=64,
        height=64,
        output_type="latent",
    ).images


def drawn_by_diffusers(
    family: ModelFamily, folder: Path, messages: pytest.LogCaptureFixture
) -> tuple[Tensor, int]:
    """The picture with the folder's file as diffusers' pipeline loads it, and how many modules it is on."""
    pipeline = family.sampling_pipeline(FAMILIES[family.config.family].samplers[0]).pipeline  # type: ignore[attr-defined]
    with messages.at_level(logging.WARNING):
        messages.clear()
        pipeline.load_lora_weights(folder, weight_name="lora.safetensors")
    assert [record.getMessage() for record in messages.records] == []
    try:
        models = [part for part in pipeline.components.values() if isinstance(part, nn.Module)]
        number = sum(isinstance(module, BaseTunerLayer) for model in models for module in model.modules())
        return picture(family), number
    finally:
        pipeline.unload_lora_weights()


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    for name in ("diffusers", "peft", "transformers"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    return caplog


def test_files_in_kohyas_names_give_our_picture_or_are_known_to_be_passed_over(
    family: ModelFamily, tmp_path: Path, messages: pytest.LogCaptureFixture
) -> None:
    if family.config.family in UNREAD_BY_DIFFUSERS:
        check_that_it_is_passed_over(family, tmp_path, messages)
        return
    targets = [
        one
        for one in targets_in_diffusers(family)
        # the width of a single block's rows is written into diffusers: its test is below
        if not one.name.startswith("single_transformer_blocks")
    ]
    check(family, targets, tmp_path, messages, in_kohyas_names=True)


def test_files_in_diffusers_names_are_read_whole_and_give_our_picture(
    family: ModelFamily, tmp_path: Path, messages: pytest.LogCaptureFixture
) -> None:
    check(family, targets_in_diffusers(family), tmp_path, messages, in_kohyas_names=False)


def check_that_it_is_passed_over(
    family: ModelFamily, folder: Path, messages: pytest.LogCaptureFixture
) -> None:
    """diffusers takes the file, says nothing and draws the bare model: why diffusers_state is there."""
    network = attach(family, list(family.adaptable_layers()))
    network.detach()
    save_lora(folder / "lora.safetensors", network.state(), {}, dtype=torch.float32)
    theirs, number = drawn_by_diffusers(family, folder, messages)
    assert number == 0 and torch.equal(theirs, picture(family))


def test_the_wide_layers_of_flux_are_taken_apart_as_we_joined_them(tmp_path: Path) -> None:
    with torch.device("meta"):
        transformer = FluxTransformer2DModel(num_layers=1, num_single_layers=2).requires_grad_(False)
    layers = adaptable_layers(Family.flux, "transformer", transformer)
    config = LoRAConfig(rank=3, alpha=2.0, layers=list({layer.group for layer in layers}))
    network = attach_lora(config, layers, family=Family.flux, seed=1, device=CPU)
    fill_up(network)
    save_lora(tmp_path / "lora.safetensors", network.state(), {}, dtype=torch.float32)
    theirs = FluxLoraLoaderMixin.lora_state_dict(tmp_path, weight_name="lora.safetensors")
    ours = diffusers_state(network)
    assert set(theirs) == set(ours) and len(ours) == 2 * (14 + 2 * 6)
    for key, tensor in ours.items():  # alpha / rank is in their A, and in our B
        wanted = theirs[key] / (2 / 3) if ".lora_A." in key else theirs[key] * (2 / 3)
        torch.testing.assert_close(tensor, wanted, rtol=1e-6, atol=0.0)


def check(
    family: ModelFamily,
    targets: list[Target],
    folder: Path,
    messages: pytest.LogCaptureFixture,
    *,
    in_kohyas_names: bool,
) -> None:
    bare = picture(family)
    network = attach(family, targets)
    try:
        ours = picture(family)
    finally:
        network.detach()
    path = folder / "lora.safetensors"
    if in_kohyas_names:
        save_lora(path, network.state(), {}, dtype=torch.float32)
    else:
        save_file(diffusers_state(network), path)
    theirs, number = drawn_by_diffusers(family, folder, messages)
    assert number == sum(len(one.modules) for one in network.layers)
    change = float((ours - bare).abs().max())
    assert change > 0.05 and float((ours - theirs).abs().max()) < 1e-4 * change
    assert torch.equal(picture(family), bare)
