"""The names of LoRA tensors in a file, as kohya's sd-scripts writes them and most programs read them."""

import re
from collections.abc import Sequence

from engine.config import Family

ALPHA = "alpha"  # 0-dim
DOWN = "lora_down.weight"  # (rank, in) or (rank, in, kh, kw)
UP = "lora_up.weight"  # (out, rank) or (out, rank, 1, 1)

_UNET = {"unet": "lora_unet"}
_TRANSFORMER = {"transformer": "lora_unet"}  # kohya's word for every denoiser

# Family -> component -> first part of the key.
PREFIXES: dict[Family, dict[str, str]] = {
    Family.sd1: _UNET | {"text_encoder": "lora_te"},
    Family.sd2: _UNET | {"text_encoder": "lora_te"},
    Family.sdxl: _UNET | {"text_encoder": "lora_te1", "text_encoder_2": "lora_te2"},
    Family.sd3: _TRANSFORMER
    | {"text_encoder": "lora_te1", "text_encoder_2": "lora_te2", "text_encoder_3": "lora_te3"},
    Family.flux: _TRANSFORMER | {"text_encoder": "lora_te1", "text_encoder_2": "lora_te3"},  # T5 is the third
    Family.anima: _TRANSFORMER | {"text_conditioner": "lora_unet_llm_adapter", "text_encoder": "lora_te"},
}

_OF_T5 = "lora_te3"
_CLIP_TOWER = "text_model"  # kohya's text encoder still has this level; transformers 5.6 took it away
_OUTSIDE_TOWER = "text_projection"

# Modules of diffusers' denoisers -> the original's, which kohya's keys are made of.
_FLUX = (
    (r"transformer_blocks\.(\d+)\.attn\.to_[qkv]", r"double_blocks.\1.img_attn.qkv"),
    (r"transformer_blocks\.(\d+)\.attn\.add_[qkv]_proj", r"double_blocks.\1.txt_attn.qkv"),
    (r"transformer_blocks\.(\d+)\.attn\.to_out\.0", r"double_blocks.\1.img_attn.proj"),
    (r"transformer_blocks\.(\d+)\.attn\.to_add_out", r"double_blocks.\1.txt_attn.proj"),
    (r"transformer_blocks\.(\d+)\.ff\.net\.(0|2)(\.proj)?", r"double_blocks.\1.img_mlp.\2"),
    (r"transformer_blocks\.(\d+)\.ff_context\.net\.(0|2)(\.proj)?", r"double_blocks.\1.txt_mlp.\2"),
    (r"transformer_blocks\.(\d+)\.norm1\.linear", r"double_blocks.\1.img_mod.lin"),
    (r"transformer_blocks\.(\d+)\.norm1_context\.linear", r"double_blocks.\1.txt_mod.lin"),
    (r"single_transformer_blocks\.(\d+)\.(attn\.to_[qkv]|proj_mlp)", r"single_blocks.\1.linear1"),
    (r"single_transformer_blocks\.(\d+)\.proj_out", r"single_blocks.\1.linear2"),
    (r"single_transformer_blocks\.(\d+)\.norm\.linear", r"single_blocks.\1.modulation.lin"),
    (r"x_embedder", "img_in"),
    (r"context_embedder", "txt_in"),
    (r"time_text_embed\.timestep_embedder\.linear_1", "time_in.in_layer"),
    (r"time_text_embed\.timestep_embedder\.linear_2", "time_in.out_layer"),
    (r"time_text_embed\.guidance_embedder\.linear_1", "guidance_in.in_layer"),
    (r"time_text_embed\.guidance_embedder\.linear_2", "guidance_in.out_layer"),
    (r"time_text_embed\.text_embedder\.linear_1", "vector_in.in_layer"),
    (r"time_text_embed\.text_embedder\.linear_2", "vector_in.out_layer"),
    (r"norm_out\.linear", "final_layer.adaLN_modulation.1"),
    (r"proj_out", "final_layer.linear"),
)
_SD3 = (
    (r"transformer_blocks\.(\d+)\.(attn2?)\.to_[qkv]", r"joint_blocks.\1.x_block.\2.qkv"),
    (r"transformer_blocks\.(\d+)\.(attn2?)\.to_out\.0", r"joint_blocks.\1.x_block.\2.proj"),
    (r"transformer_blocks\.(\d+)\.attn\.add_[qkv]_proj", r"joint_blocks.\1.context_block.attn.qkv"),
    (r"transformer_blocks\.(\d+)\.attn\.to_add_out", r"joint_blocks.\1.context_block.attn.proj"),
    (r"transformer_blocks\.(\d+)\.ff\.net\.0\.proj", r"joint_blocks.\1.x_block.mlp.fc1"),
    (r"transformer_blocks\.(\d+)\.ff\.net\.2", r"joint_blocks.\1.x_block.mlp.fc2"),
    (r"transformer_blocks\.(\d+)\.ff_context\.net\.0\.proj", r"joint_blocks.\1.context_block.mlp.fc1"),
    (r"transformer_blocks\.(\d+)\.ff_context\.net\.2", r"joint_blocks.\1.context_block.mlp.fc2"),
    (r"transformer_blocks\.(\d+)\.norm1\.linear", r"joint_blocks.\1.x_block.adaLN_modulation.1"),
    (
        r"transformer_blocks\.(\d+)\.norm1_context\.linear",
        r"joint_blocks.\1.context_block.adaLN_modulation.1",
    ),
    (r"pos_embed\.proj", "x_embedder.proj"),
    (r"time_text_embed\.timestep_embedder\.linear_1", "t_embedder.mlp.0"),
    (r"time_text_embed\.timestep_embedder\.linear_2", "t_embedder.mlp.2"),
    (r"time_text_embed\.text_embedder\.linear_1", "y_embedder.mlp.0"),
    (r"time_text_embed\.text_embedder\.linear_2", "y_embedder.mlp.2"),
    (r"norm_out\.linear", "final_layer.adaLN_modulation.1"),
    (r"proj_out", "final_layer.linear"),
)
_ANIMA = (
    (r"transformer_blocks\.(\d+)\.attn1\.to_([qkv])", r"blocks.\1.self_attn.\2_proj"),
    (r"transformer_blocks\.(\d+)\.attn2\.to_([qkv])", r"blocks.\1.cross_attn.\2_proj"),
    (r"transformer_blocks\.(\d+)\.attn1\.to_out\.0", r"blocks.\1.self_attn.output_proj"),
    (r"transformer_blocks\.(\d+)\.attn2\.to_out\.0", r"blocks.\1.cross_attn.output_proj"),
    (r"transformer_blocks\.(\d+)\.ff\.net\.0\.proj", r"blocks.\1.mlp.layer1"),
    (r"transformer_blocks\.(\d+)\.ff\.net\.2", r"blocks.\1.mlp.layer2"),
    (r"transformer_blocks\.(\d+)\.norm1\.linear_(\d)", r"blocks.\1.adaln_modulation_self_attn.\2"),
    (r"transformer_blocks\.(\d+)\.norm2\.linear_(\d)", r"blocks.\1.adaln_modulation_cross_attn.\2"),
    (r"transformer_blocks\.(\d+)\.norm3\.linear_(\d)", r"blocks.\1.adaln_modulation_mlp.\2"),
    (r"time_embed\.t_embedder\.linear_(\d)", r"t_embedder.1.linear_\1"),
    (r"patch_embed\.proj", "x_embedder.proj.1"),
    (r"norm_out\.linear_(\d)", r"final_layer.adaln_modulation.\1"),
    (r"proj_out", "final_layer.linear"),
)
_ORIGINAL: dict[Family, tuple[tuple[str, str], ...]] = {
    Family.flux: _FLUX,
    Family.sd3: _SD3,
    Family.anima: _ANIMA,
}

# SDXL keeps the original's numbers: three modules a level, a resnet first, then its attention.
_LEVEL = 3  # of input_blocks and output_blocks: two resnets and the downsampler, or three resnets
_SDXL_RESNET = {
    "conv1": "in_layers.2",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
    "time_emb_proj": "emb_layers.1",
}
_SDXL_OUTSIDE = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_LAST_UP_BLOCK_WITH_ATTENTION = 1  # of SDXL; beyond it a level has no attention before its upsampler

# Modulations of two parts, which diffusers keeps as (scale, shift) and the original as (shift, scale).
_SWAPPED: dict[Family, str] = {
    Family.sd3: r"transformer_blocks\.\d+\.norm1_context\.linear|norm_out\.linear",
    Family.flux: r"norm_out\.linear",
}


def kohya_key(family: Family, component: str, module_path: str) -> str:
    """The key of a layer, without the ending .alpha, .lora_down.weight or .lora_up.weight.

    component    a key of PREFIXES[family]
    module_path  dotted path of the module inside its component, diffusers' or transformers' name; modules
                 that are one layer in the files have one key
    Source: sd-scripts 0.10.1, networks/lora*.py (checked against its own files); the original's names are
    those that diffusers 0.42.1's single-file loaders read.
    """
    prefix = PREFIXES[family][component]
    if component in ("unet", "transformer"):
        path = _original_path(family, module_path)
    elif _is_clip(family, component) and not module_path.startswith((f"{_CLIP_TOWER}.", _OUTSIDE_TOWER)):
        path = f"{_CLIP_TOWER}.{module_path}"
    else:
        path = module_path
    return f"{prefix}.{path}".replace(".", "_")


def plain_key(family: Family, component: str, module_path: str) -> str:
    """The key that a trainer gives which writes kohya's prefix and diffusers' names; read, never written."""
    return f"{PREFIXES[family][component]}.{module_path}".replace(".", "_")


def has_swapped_halves(family: Family, component: str, module_path: str, shape: Sequence[int]) -> bool:
    """Whether the two halves of a layer's outputs stand the other way round in the files.

    shape  (outputs, inputs) of its weight: only a modulation of two parts is meant, not one of six or nine
    Source: diffusers 0.42.1, swap_scale_shift in the conversion of SD3's and FLUX's checkpoints.
    """
    pattern = _SWAPPED.get(family)
    if component != "transformer" or pattern is None or shape[0] != 2 * shape[1]:
        return False
    return re.fullmatch(pattern, module_path) is not None


def _is_clip(family: Family, component: str) -> bool:
    prefix = PREFIXES[family][component]
    return component.startswith("text_encoder") and prefix != _OF_T5 and family is not Family.anima


def _original_path(family: Family, path: str) -> str:
    """The name that the model's authors gave the module; the same where there is no other."""
    if family is Family.sdxl:
        return _sdxl_path(path)
    for pattern, name in _ORIGINAL.get(family, ()):
        found = re.fullmatch(pattern, path)
        if found is not None:
            return found.expand(name)
    return path


def _sdxl_path(path: str) -> str:
    """SDXL's module in the numbers of its original UNet, which holds two resnets a level."""
    if path in _SDXL_OUTSIDE:
        return _SDXL_OUTSIDE[path]
    found = re.fullmatch(
        r"(?:(down|up)_blocks\.(\d+)|mid_block)\.(resnets|attentions|\w+samplers)\.(\d+)\.(.+)", path
    )
    if found is None:
        return path
    side, level, kind, index, rest = found.groups()
    inside = _SDXL_RESNET.get(rest, rest) if kind == "resnets" else rest
    place = int(kind == "attentions")
    if side is None:
        return f"middle_block.{2 * int(index) + place}.{inside}"
    if kind == "downsamplers":
        return f"input_blocks.{_LEVEL * (int(level) + 1)}.0.op"
    if kind == "upsamplers":
        place = 2 if int(level) <= _LAST_UP_BLOCK_WITH_ATTENTION else 1
        return f"output_blocks.{_LEVEL * int(level) + 2}.{place}.conv"
    if side == "down":
        return f"input_blocks.{_LEVEL * int(level) + int(index) + 1}.{place}.{inside}"
    return f"output_blocks.{_LEVEL * int(level) + int(index)}.{place}.{inside}"
