"""Keys and shapes against what kohya creates for Stable Diffusion 1.5."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from network_toys import Layer, text_targets, unet_targets
from transformers import CLIPTextConfig, CLIPTextModel

from engine.config import Family, LayerGroup, LoRAConfig
from engine.networks.kohya_names import kohya_key
from engine.networks.lora import LoRANetwork, attach_lora

GOLDEN = Path(__file__).parents[1] / "golden" / "e_lora_keys"
LINEAR_GROUPS = [LayerGroup.attention, LayerGroup.feed_forward, LayerGroup.projections]


def golden(name: str) -> dict:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def sd15_unet() -> UNet2DConditionModel:
    """Stable Diffusion 1.5's UNet, without memory for its weights."""
    with torch.device("meta"):
        return UNet2DConditionModel(sample_size=64, cross_attention_dim=768).requires_grad_(False)


def clip_l() -> CLIPTextModel:
    config = CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
    )
    with torch.device("meta"):
        return CLIPTextModel(config).requires_grad_(False)


def shapes(network: LoRANetwork) -> dict[str, list]:
    """Kohya key -> [shape, dtype] of what the network would save."""
    found = {}
    for attached in network.layers:
        down, up = attached.layer.matrices.down, attached.layer.matrices.up
        ending = [1] * (down.dim() - 2)
        found[f"{attached.key}.alpha"] = [[], "float32"]
        found[f"{attached.key}.lora_down.weight"] = [list(down.shape), "float32"]
        found[f"{attached.key}.lora_up.weight"] = [[up.shape[1], up.shape[0], *ending], "float32"]
    return found


def attach(targets: list[Layer], *, rank: int) -> LoRANetwork:
    config = LoRAConfig(layers=sorted({t.group for t in targets}, key=str), rank=rank, alpha_ratio=0.5)
    return attach_lora(config, targets, family=Family.sd1, seed=0, device="meta")


@pytest.mark.parametrize(
    ("component", "path", "key"),
    [
        ("unet", "mid_block.attentions.0.proj_in", "lora_unet_mid_block_attentions_0_proj_in"),
        (
            "unet",
            "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0",
            "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0",
        ),
        ("text_encoder", "encoder.layers.0.mlp.fc1", "lora_te_text_model_encoder_layers_0_mlp_fc1"),
        (
            "text_encoder",
            "text_model.encoder.layers.0.mlp.fc1",
            "lora_te_text_model_encoder_layers_0_mlp_fc1",
        ),
    ],
)
def test_key_of_a_layer(component: str, path: str, key: str) -> None:
    assert kohya_key(Family.sd1, component, path) == key


def test_linear_groups_of_sd15_and_its_text_tower_give_the_keys_and_shapes_of_the_reference() -> None:
    expected = golden("sd15_dim16_alpha8")
    unet = [target for target in unet_targets(sd15_unet()) if target.group in LINEAR_GROUPS]
    text = text_targets(clip_l())
    assert (len(text), len(unet)) == (expected["n_te_modules"], expected["n_unet_modules"]) == (72, 192)
    network = attach([*unet, *text], rank=16)
    assert shapes(network) == expected["state_dict_keys_shapes_dtypes"]
    assert network.num_parameters == expected["n_params"]
    assert [name for name, _, _ in network.bank.sections] == [
        "unet.down",
        "unet.up",
        "text_encoder.down",
        "text_encoder.up",
    ]


def test_all_groups_of_sd15_give_the_keys_and_shapes_of_the_reference() -> None:
    expected = golden("sd15_dim16_alpha8_conv8_4")
    unet = unet_targets(sd15_unet())
    dims = {name: module["dim"] for name, module in expected["modules"].items()}
    assert len(unet) == expected["n_unet_modules"] == 278
    found = {}
    for dim in (16, 8):  # the reference gives its 3x3 convolutions a rank of their own
        targets = [target for target in unet if dims[kohya_key(Family.sd1, "unet", target.name)] == dim]
        found.update(shapes(attach(targets, rank=dim)))
    reference = expected["state_dict_keys_shapes_dtypes"]
    assert found == {key: value for key, value in reference.items() if key.startswith("lora_unet_")}


def test_no_two_layers_of_sd15_share_a_key() -> None:
    keys = [kohya_key(Family.sd1, "unet", target.name) for target in unet_targets(sd15_unet())]
    assert len(set(keys)) == len(keys)
