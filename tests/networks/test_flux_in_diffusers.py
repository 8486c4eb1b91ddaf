"""FLUX in kohya's names without us: diffusers alone takes the file of a model of the published width."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from diffusers.loaders.lora_pipeline import FluxLoraLoaderMixin
from flux_alone import make_text_encoder, make_transformer, predict
from network_toys import fill_up
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import T5Config, T5EncoderModel

from engine.config import Family, LoRAConfig
from engine.models.parts import layers_of_parts
from engine.networks.files import read_lora, save_lora
from engine.networks.lora import LoRANetwork, attach_lora
from tests.program_alone import run_alone

PROGRAM = Path(__file__).with_name("flux_alone.py")
# FLUX.1-dev's widths, which diffusers' reader of kohya's names has written into it; one block of each kind
TRANSFORMER = {"num_layers": 1, "num_single_layers": 1, "guidance_embeds": True}
TEXT_ENCODER = {
    "vocab_size": 64,
    "hidden_size": 768,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "eos_token_id": 63,
    "bos_token_id": 62,
    "pad_token_id": 63,
}
CPU = torch.device("cpu")


@dataclass(kw_only=True, slots=True, frozen=True)
class Ours:
    """What we predict, and the file that we leave."""

    bare: dict[str, Tensor]
    changed: dict[str, Tensor]
    modules: set[str]  # that carry a LoRA
    inputs: Path
    lora: Path


def attach(parts: dict[str, nn.Module]) -> LoRANetwork:
    layers = layers_of_parts(Family.flux, parts)
    config = LoRAConfig(rank=3, alpha=2.0, layers=list({layer.group for layer in layers}))
    network = attach_lora(config, layers, family=Family.flux, seed=1, device=CPU)
    fill_up(network, std=0.3)
    return network


def write_ours(folder: Path) -> Ours:
    transformer, text_encoder = make_transformer(TRANSFORMER), make_text_encoder(TEXT_ENCODER)
    draw = torch.Generator().manual_seed(3)
    places = torch.stack([torch.zeros(16), *(place.flatten() for place in torch.meshgrid(
        torch.arange(4.0), torch.arange(4.0), indexing="ij"))], dim=1)  # fmt: skip
    inputs = {
        "hidden_states": torch.randn(1, 16, 64, generator=draw),
        "encoder_hidden_states": torch.randn(1, 8, 4096, generator=draw),
        "timestep": torch.tensor([0.6]),
        "guidance": torch.tensor([3.5]),
        "img_ids": places,
        "txt_ids": torch.zeros(8, 3),
        "ids": torch.tensor([[62, 5, 9, 63]]),
    }
    bare = predict(transformer, text_encoder, inputs)
    network = attach({"transformer": transformer, "text_encoder": text_encoder})
    changed = predict(transformer, text_encoder, inputs)
    network.detach()
    save_lora(folder / "lora.safetensors", network.state(), {}, dtype=torch.float32)
    save_file(inputs, folder / "inputs.safetensors")
    modules = {f"{layer.component}.{path}" for layer in network.layers for path, _ in layer.modules}
    return Ours(
        bare=bare,
        changed=changed,
        modules=modules,
        inputs=folder / "inputs.safetensors",
        lora=folder / "lora.safetensors",
    )


def ask_diffusers_alone(ours: Ours, folder: Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    """What diffusers predicts, and what it tells of the file, in a process and a folder of its own."""
    request = {
        "transformer": json.dumps(TRANSFORMER),
        "text_encoder": json.dumps(TEXT_ENCODER),
        "lora": str(ours.lora),
        "inputs": str(ours.inputs),
        "out": str(folder),
    }
    report = run_alone(PROGRAM, request, folder)
    return load_file(folder / "predicted.safetensors"), report


@pytest.mark.slow
def test_diffusers_alone_predicts_what_we_do_from_a_file_in_kohyas_names(tmp_path: Path) -> None:
    ours = write_ours(tmp_path)
    keys = read_lora(ours.lora).state
    assert keys["lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight"].shape == (3 * 3072, 3)
    assert keys["lora_unet_single_blocks_0_linear1.lora_up.weight"].shape == (7 * 3072, 3)
    assert keys["lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"].shape == (3, 768)
    theirs, report = ask_diffusers_alone(ours, tmp_path)
    assert report["said"] == [] and report["ours"] is False
    assert set(report["adapted"]) == ours.modules  # type: ignore[call-overload]
    assert len(ours.modules) == 14 + 6 + 6  # in the double block, the single one, CLIP's one layer
    for name, changed in ours.changed.items():
        assert torch.equal(ours.bare[name], theirs[f"bare.{name}"])  # the same base
        change = float((changed - ours.bare[name]).abs().max())
        difference = float((changed - theirs[name]).abs().max())
        assert change > 0.05 and difference < 5e-5 * change


def test_the_layers_of_t5_are_passed_over_by_diffusers_and_nothing_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/models.md says: its reader keeps lora_unet_ and lora_te1_; its pipeline puts none on T5."""
    monkeypatch.setattr(logging.getLogger("diffusers"), "propagate", True)
    small = {**TEXT_ENCODER, "hidden_size": 16}
    t5 = T5Config(vocab_size=32, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    parts = {
        "text_encoder": make_text_encoder(small),
        "text_encoder_2": T5EncoderModel(t5).requires_grad_(False),
    }
    state = attach(parts).state()
    save_lora(tmp_path / "lora.safetensors", state, {}, dtype=torch.float32)
    of_t5 = [key for key in state if key.startswith("lora_te3_encoder_block_0_layer_")]
    assert len(of_t5) == 3 * 6 and len(state) == 3 * (6 + 6)
    with caplog.at_level(logging.WARNING):
        theirs = FluxLoraLoaderMixin.lora_state_dict(tmp_path, weight_name="lora.safetensors")
    assert caplog.records == []
    assert len(theirs) == 2 * 6 and all(key.startswith("text_encoder.text_model.") for key in theirs)
    assert FluxLoraLoaderMixin._lora_loadable_modules == ["transformer", "text_encoder"]
