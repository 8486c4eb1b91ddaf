"""A saved file in diffusers' own hands: every key used, and the same output as ours."""

import logging
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline
from network_toys import fill_up, lora, text_targets, tiny_unet, unet_inputs, unet_targets
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from engine.config import Family
from engine.networks.files import save_lora
from engine.networks.lora import attach_lora


def tiny_text_encoder() -> CLIPTextModel:
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=16,
        bos_token_id=0,
        eos_token_id=1,
    )
    return CLIPTextModel(config).eval().requires_grad_(False)


def toy_pipeline() -> StableDiffusionPipeline:
    vae = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, sample_size=8)
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=tiny_text_encoder(),
        tokenizer=None,
        unet=tiny_unet(),
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def say(unet: nn.Module, text_encoder: nn.Module) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        tokens = torch.arange(10).view(2, 5)
        return unet(*unet_inputs(2)).sample, text_encoder(tokens).last_hidden_state


def num_adapted(model: nn.Module) -> int:
    return sum(isinstance(module, BaseTunerLayer) for module in model.modules())


def test_diffusers_uses_every_key_and_gives_our_output(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    unet, text_encoder = tiny_unet(), tiny_text_encoder()
    on_unet, on_text = unet_targets(unet), text_targets(text_encoder)
    network = attach_lora(lora(4, alpha=3.0), [*on_unet, *on_text], family=Family.sd1, seed=1, device="cpu")
    before = say(unet, text_encoder)
    fill_up(network)
    ours = say(unet, text_encoder)
    save_lora(tmp_path / "lora.safetensors", network.state(), {}, dtype=torch.float32)

    pipeline = toy_pipeline()
    for name in ("diffusers", "peft", "transformers"):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        pipeline.load_lora_weights(tmp_path, weight_name="lora.safetensors")
    assert [record.getMessage() for record in caplog.records] == []
    assert num_adapted(pipeline.unet) == len(on_unet)
    assert num_adapted(pipeline.text_encoder) == len(on_text) == 12
    theirs = say(pipeline.unet, pipeline.text_encoder)
    for mine, other, base in zip(ours, theirs, before, strict=True):
        assert float((mine - base).abs().max()) > 0.05
        assert float((mine - other).abs().max()) < 1e-5
