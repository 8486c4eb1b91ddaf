"""Which diffusers modules a layer of the original layouts stands for: names alone, no torch.

Weights themselves are converted by diffusers; this is for what is planned before they are read.
"""

import re

_QKV = ("to_q", "to_k", "to_v")
_ADDED = ("add_q_proj", "add_k_proj", "add_v_proj")

Rule = tuple[str, tuple[str, ...]]  # a pattern of a whole name -> what it stands for, in order

_MMDIT: tuple[Rule, ...] = (
    (r"joint_blocks\.(\d+)\.x_block\.(attn2?)\.qkv", tuple(rf"transformer_blocks.\1.\2.{q}" for q in _QKV)),
    (r"joint_blocks\.(\d+)\.x_block\.(attn2?)\.proj", (r"transformer_blocks.\1.\2.to_out.0",)),
    (r"joint_blocks\.(\d+)\.x_block\.mlp\.fc1", (r"transformer_blocks.\1.ff.net.0.proj",)),
    (r"joint_blocks\.(\d+)\.x_block\.mlp\.fc2", (r"transformer_blocks.\1.ff.net.2",)),
    (r"joint_blocks\.(\d+)\.x_block\.adaLN_modulation\.1", (r"transformer_blocks.\1.norm1.linear",)),
    (
        r"joint_blocks\.(\d+)\.context_block\.attn\.qkv",
        tuple(rf"transformer_blocks.\1.attn.{q}" for q in _ADDED),
    ),
    (r"joint_blocks\.(\d+)\.context_block\.attn\.proj", (r"transformer_blocks.\1.attn.to_add_out",)),
    (r"joint_blocks\.(\d+)\.context_block\.mlp\.fc1", (r"transformer_blocks.\1.ff_context.net.0.proj",)),
    (r"joint_blocks\.(\d+)\.context_block\.mlp\.fc2", (r"transformer_blocks.\1.ff_context.net.2",)),
    (
        r"joint_blocks\.(\d+)\.context_block\.adaLN_modulation\.1",
        (r"transformer_blocks.\1.norm1_context.linear",),
    ),
)
_FLUX: tuple[Rule, ...] = (
    (r"double_blocks\.(\d+)\.img_attn\.qkv", tuple(rf"transformer_blocks.\1.attn.{q}" for q in _QKV)),
    (r"double_blocks\.(\d+)\.img_attn\.proj", (r"transformer_blocks.\1.attn.to_out.0",)),
    (r"double_blocks\.(\d+)\.txt_attn\.qkv", tuple(rf"transformer_blocks.\1.attn.{q}" for q in _ADDED)),
    (r"double_blocks\.(\d+)\.txt_attn\.proj", (r"transformer_blocks.\1.attn.to_add_out",)),
    (r"double_blocks\.(\d+)\.img_mlp\.0", (r"transformer_blocks.\1.ff.net.0.proj",)),
    (r"double_blocks\.(\d+)\.img_mlp\.2", (r"transformer_blocks.\1.ff.net.2",)),
    (r"double_blocks\.(\d+)\.txt_mlp\.0", (r"transformer_blocks.\1.ff_context.net.0.proj",)),
    (r"double_blocks\.(\d+)\.txt_mlp\.2", (r"transformer_blocks.\1.ff_context.net.2",)),
    (r"double_blocks\.(\d+)\.img_mod\.lin", (r"transformer_blocks.\1.norm1.linear",)),
    (r"double_blocks\.(\d+)\.txt_mod\.lin", (r"transformer_blocks.\1.norm1_context.linear",)),
    (
        r"single_blocks\.(\d+)\.linear1",
        (
            *(rf"single_transformer_blocks.\1.attn.{q}" for q in _QKV),
            r"single_transformer_blocks.\1.proj_mlp",
        ),
    ),
    (r"single_blocks\.(\d+)\.linear2", (r"single_transformer_blocks.\1.proj_out",)),
    (r"single_blocks\.(\d+)\.modulation\.lin", (r"single_transformer_blocks.\1.norm.linear",)),
)
_COSMOS: tuple[Rule, ...] = (
    (r"blocks\.(\d+)\.self_attn\.([qkv])_proj", (r"transformer_blocks.\1.attn1.to_\2",)),
    (r"blocks\.(\d+)\.self_attn\.output_proj", (r"transformer_blocks.\1.attn1.to_out.0",)),
    (r"blocks\.(\d+)\.cross_attn\.([qkv])_proj", (r"transformer_blocks.\1.attn2.to_\2",)),
    (r"blocks\.(\d+)\.cross_attn\.output_proj", (r"transformer_blocks.\1.attn2.to_out.0",)),
    (r"blocks\.(\d+)\.mlp\.layer1", (r"transformer_blocks.\1.ff.net.0.proj",)),
    (r"blocks\.(\d+)\.mlp\.layer2", (r"transformer_blocks.\1.ff.net.2",)),
    (r"blocks\.(\d+)\.adaln_modulation_self_attn\.([12])", (r"transformer_blocks.\1.norm1.linear_\2",)),
    (r"blocks\.(\d+)\.adaln_modulation_cross_attn\.([12])", (r"transformer_blocks.\1.norm2.linear_\2",)),
    (r"blocks\.(\d+)\.adaln_modulation_mlp\.([12])", (r"transformer_blocks.\1.norm3.linear_\2",)),
)
_RULES = {"mmdit": _MMDIT, "flux": _FLUX, "cosmos": _COSMOS}
_IN_RESNETS = {
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}


def diffusers_names(form: str, name: str, *, layers_per_block: int) -> tuple[str, ...]:
    """The diffusers modules that a module of the original layout holds, in the order of its outputs.

    form              of engine/models/layouts.py: "unet", "mmdit", "flux", "cosmos"
    layers_per_block  of a UNet, by which its blocks are counted there
    returns           () for a module outside of the blocks
    """
    if form == "unet":
        return _unet_name(name, layers_per_block + 1)
    for pattern, names in _RULES[form]:
        if found := re.fullmatch(pattern, name):
            return tuple(found.expand(one) for one in names)
    return ()


def _unet_name(name: str, per_block: int) -> tuple[str, ...]:
    """Of Rombach et al.'s UNet: its first convolution is input block 0, output blocks have none before."""
    found = re.fullmatch(r"(input_blocks|output_blocks|middle_block)\.(\d+)\.(?:(\d)\.)?(.+)", name)
    if found is None:
        return ()
    where, number, inside, rest = found[1], int(found[2]), found[3], found[4]
    if where == "middle_block":
        rest = rest if inside is None else f"{inside}.{rest}"
        return (
            f"mid_block.attentions.0.{rest}"
            if number == 1
            else f"mid_block.resnets.{number // 2}.{_in_resnet(rest)}",
        )
    if where == "input_blocks":
        block, layer, side = (number - 1) // per_block, (number - 1) % per_block, "down"
    else:
        block, layer, side = number // per_block, number % per_block, "up"
    if number == 0 and side == "down":
        return ()
    if rest in ("op", "conv"):
        return (f"{side}_blocks.{block}.{side}samplers.0.conv",)
    if inside == "0":
        return (f"{side}_blocks.{block}.resnets.{layer}.{_in_resnet(rest)}",)
    return (f"{side}_blocks.{block}.attentions.{layer}.{rest}",)


def _in_resnet(rest: str) -> str:
    return _IN_RESNETS.get(rest, rest)
