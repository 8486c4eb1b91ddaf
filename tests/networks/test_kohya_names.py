"""Keys and shapes against what kohya creates for the published models of every family."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from published_models import (
    anima_transformer,
    clip_l,
    flux_transformer,
    open_clip_g,
    open_clip_h,
    qwen3,
    sd3_transformer,
    sd15_unet,
    sd21_unet,
    sdxl_unet,
    t5_xxl,
)
from torch import nn

from engine.config import Family, LayerGroup, LoRAConfig
from engine.models.facts import FAMILIES
from engine.models.family import ModelLayer
from engine.models.parts import adaptable_layers, every_layer, layers_of_parts
from engine.networks.files import LoRAFile
from engine.networks.kohya_names import has_swapped_halves, kohya_key
from engine.networks.layer_choice import Target
from engine.networks.lora import LoRANetwork, attach_lora
from engine.networks.lora_from_file import attach_lora_file

GOLDEN = Path(__file__).parents[1] / "golden" / "e_lora_keys"
META = torch.device("meta")
OF_UNETS = [LayerGroup.attention, LayerGroup.feed_forward, LayerGroup.projections]
OF_CONVS = [*OF_UNETS, LayerGroup.convolutions, LayerGroup.time_embedding]
OF_DITS = [LayerGroup.attention, LayerGroup.feed_forward, LayerGroup.modulation]
OF_ANIMA = [LayerGroup.attention, LayerGroup.feed_forward]
Builder = Callable[[], nn.Module]

# The reference's file -> family, its groups, the parts that its keys are of.
FILES: dict[str, tuple[Family, list[LayerGroup], dict[str, Builder]]] = {
    "sd15_dim16_alpha8": (Family.sd1, OF_UNETS, {"unet": sd15_unet, "text_encoder": clip_l}),
    "sdxl_dim16_alpha8": (
        Family.sdxl,
        OF_UNETS,
        {"unet": sdxl_unet, "text_encoder": clip_l, "text_encoder_2": open_clip_g},
    ),
    "sd3m_dim16_alpha8": (
        Family.sd3,
        OF_DITS,
        {
            "transformer": lambda: sd3_transformer(24),
            "text_encoder": lambda: clip_l(projected=True),
            "text_encoder_2": open_clip_g,
        },
    ),
    "flux_dim16_alpha8": (Family.flux, OF_DITS, {"transformer": flux_transformer, "text_encoder": clip_l}),
    "anima_dim16_alpha8": (Family.anima, OF_ANIMA, {"transformer": anima_transformer, "text_encoder": qwen3}),
}


def golden(name: str) -> dict:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def layers_of(family: Family, groups: Sequence[LayerGroup], parts: dict[str, Builder]) -> list[Target]:
    """The denoiser's layers of these groups, and all of the text encoders'."""
    layers = layers_of_parts(family, {component: build() for component, build in parts.items()})
    return [one for one in layers if one.group in groups or one.component != FAMILIES[family].denoiser]


def attach(family: Family, targets: Sequence[Target], *, rank: int = 16) -> LoRANetwork:
    groups = sorted({target.group for target in targets}, key=str)
    config = LoRAConfig(layers=groups, rank=rank, alpha_ratio=0.5)
    return attach_lora(config, targets, family=family, seed=0, device=META)


def shapes(network: LoRANetwork) -> dict[str, list]:
    """Kohya key -> [shape, dtype] of what the network would save."""
    found = {}
    for attached in network.layers:
        down = attached.layer.matrices.down
        outputs = sum(layer.matrices.up.shape[1] for _, layer in attached.modules)
        ending = [1] * (down.dim() - 2)
        found[f"{attached.key}.alpha"] = [[], "float32"]
        found[f"{attached.key}.lora_down.weight"] = [list(down.shape), "float32"]
        found[f"{attached.key}.lora_up.weight"] = [[outputs, down.shape[0], *ending], "float32"]
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_model_of_real_size_gives_the_keys_shapes_and_counts_of_the_reference(name: str) -> None:
    expected = golden(name)
    targets = layers_of(*FILES[name])
    denoiser = FAMILIES[FILES[name][0]].denoiser
    num_text = sum(target.component != denoiser for target in targets)
    assert (num_text, len(targets) - num_text) == (expected["n_te_modules"], expected["n_unet_modules"])
    network = attach(FILES[name][0], targets)
    assert shapes(network) == expected["state_dict_keys_shapes_dtypes"]
    assert network.num_parameters == expected["n_params"]


@pytest.mark.parametrize("name", [*FILES, "sd15_dim16_alpha8_conv8_4", "flux_dim16_alpha8_double_only"])
def test_every_key_of_kohyas_files_finds_its_layer(name: str) -> None:
    expected = golden(name)
    state = {
        key: torch.tensor(8.0) if key.endswith("alpha") else torch.empty(shape, device=META)
        for key, (shape, _) in expected["state_dict_keys_shapes_dtypes"].items()
    }
    like = {
        "sd15_dim16_alpha8_conv8_4": "sd15_dim16_alpha8",
        "flux_dim16_alpha8_double_only": "flux_dim16_alpha8",
    }
    family, _, parts = FILES[like.get(name, name)]
    layers: list[ModelLayer] = every_layer({component: build() for component, build in parts.items()})
    network = attach_lora_file(
        LoRAFile(state=state, metadata={}), layers, family=family, path=Path("f"), device=META
    )
    assert network.num_layers == expected["n_te_modules"] + expected["n_unet_modules"]


@pytest.mark.parametrize(
    ("family", "groups", "parts", "num_text", "num_denoiser"),
    [
        (Family.sd2, OF_UNETS, {"unet": sd21_unet, "text_encoder": open_clip_h}, 138, 192),
        (Family.sdxl, OF_CONVS, {"unet": sdxl_unet}, 0, 788),
        (Family.sd3, OF_DITS, {"transformer": lambda: sd3_transformer(24, 13)}, 0, 263),
        (Family.sd3, OF_DITS, {"transformer": lambda: sd3_transformer(38)}, 0, 377),
        (Family.flux, OF_DITS, {"text_encoder": clip_l, "text_encoder_2": t5_xxl}, 240, 0),
    ],
    ids=["sd21", "sdxl_conv", "sd35_medium", "sd35_large", "flux_t5"],
)
def test_other_models_have_the_references_number_of_layers_each_with_a_key_of_its_own(
    family: Family, groups: list[LayerGroup], parts: dict[str, Builder], num_text: int, num_denoiser: int
) -> None:
    targets = layers_of(family, groups, parts)
    text = [target for target in targets if target.component.startswith("text")]
    assert (len(text), len(targets) - len(text)) == (num_text, num_denoiser)
    assert len({kohya_key(family, one.component, one.name) for one in targets}) == len(targets)


def test_all_groups_of_sd15_give_the_keys_and_shapes_of_the_reference() -> None:
    expected = golden("sd15_dim16_alpha8_conv8_4")
    unet = adaptable_layers(Family.sd1, "unet", sd15_unet())
    dims = {name: module["dim"] for name, module in expected["modules"].items()}
    assert len(unet) == expected["n_unet_modules"] == 278
    found = {}
    for dim in (16, 8):  # the reference gives its 3x3 convolutions a rank of their own
        targets = [target for target in unet if dims[kohya_key(Family.sd1, "unet", target.name)] == dim]
        found.update(shapes(attach(Family.sd1, targets, rank=dim)))
    reference = expected["state_dict_keys_shapes_dtypes"]
    assert found == {key: value for key, value in reference.items() if key.startswith("lora_unet_")}


def test_a_component_has_sections_of_its_own() -> None:
    network = attach(Family.sd1, layers_of(*FILES["sd15_dim16_alpha8"]))
    names = [name for name, _, _ in network.bank.sections]
    assert names == ["unet.down", "unet.up", "text_encoder.down", "text_encoder.up"]


_DIFFUSERS = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0"
_SAI = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_out_0"


@pytest.mark.parametrize(
    ("family", "component", "path", "key"),
    [
        (Family.sd1, "unet", "mid_block.attentions.0.proj_in", "lora_unet_mid_block_attentions_0_proj_in"),
        (Family.sd2, "unet", _DIFFUSERS, f"lora_unet_{_DIFFUSERS}".replace(".", "_")),
        (Family.sdxl, "unet", _DIFFUSERS, _SAI),
        (Family.sdxl, "unet", "down_blocks.0.resnets.0.conv1", "lora_unet_input_blocks_1_0_in_layers_2"),
        (Family.sdxl, "unet", "down_blocks.1.resnets.1.conv2", "lora_unet_input_blocks_5_0_out_layers_3"),
        (Family.sdxl, "unet", "down_blocks.0.downsamplers.0.conv", "lora_unet_input_blocks_3_0_op"),
        (Family.sdxl, "unet", "mid_block.resnets.1.time_emb_proj", "lora_unet_middle_block_2_emb_layers_1"),
        (
            Family.sdxl,
            "unet",
            "up_blocks.2.resnets.2.conv_shortcut",
            "lora_unet_output_blocks_8_0_skip_connection",
        ),
        (Family.sdxl, "unet", "up_blocks.1.upsamplers.0.conv", "lora_unet_output_blocks_5_2_conv"),
        (Family.sdxl, "unet", "time_embedding.linear_2", "lora_unet_time_embed_2"),
        (Family.sdxl, "text_encoder_2", "text_projection", "lora_te2_text_projection"),
        (Family.flux, "transformer", "norm_out.linear", "lora_unet_final_layer_adaLN_modulation_1"),
        (Family.flux, "transformer", "proj_out", "lora_unet_final_layer_linear"),
        (
            Family.flux,
            "text_encoder_2",
            "encoder.block.3.layer.1.DenseReluDense.wi_0",
            "lora_te3_encoder_block_3_layer_1_DenseReluDense_wi_0",
        ),
        (
            Family.sd3,
            "text_encoder_3",
            "encoder.block.3.layer.0.SelfAttention.q",
            "lora_te3_encoder_block_3_layer_0_SelfAttention_q",
        ),
        (
            Family.sd3,
            "transformer",
            "transformer_blocks.3.attn2.to_k",
            "lora_unet_joint_blocks_3_x_block_attn2_qkv",
        ),
        (
            Family.anima,
            "transformer",
            "transformer_blocks.1.norm2.linear_1",
            "lora_unet_blocks_1_adaln_modulation_cross_attn_1",
        ),
        (
            Family.anima,
            "text_conditioner",
            "blocks.0.self_attn.q_proj",
            "lora_unet_llm_adapter_blocks_0_self_attn_q_proj",
        ),
        (Family.anima, "text_encoder", "layers.0.mlp.up_proj", "lora_te_layers_0_mlp_up_proj"),
        (
            Family.sd1,
            "text_encoder",
            "encoder.layers.0.mlp.fc1",
            "lora_te_text_model_encoder_layers_0_mlp_fc1",
        ),
        (
            Family.sd1,
            "text_encoder",
            "text_model.encoder.layers.0.mlp.fc1",
            "lora_te_text_model_encoder_layers_0_mlp_fc1",
        ),
    ],
)
def test_key_of_a_layer(family: Family, component: str, path: str, key: str) -> None:
    assert kohya_key(family, component, path) == key


def test_only_modulations_of_two_parts_are_kept_the_other_way_round() -> None:
    swapped = {
        name
        for name, module in sd3_transformer(24).named_modules()
        if isinstance(module, nn.Linear)
        and has_swapped_halves(Family.sd3, "transformer", name, module.weight.shape)
    }
    assert swapped == {"transformer_blocks.23.norm1_context.linear", "norm_out.linear"}
    assert not has_swapped_halves(Family.sd1, "unet", "norm_out.linear", (2, 1))
