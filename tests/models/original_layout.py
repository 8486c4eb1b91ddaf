"""A diffusers folder written as one file of the original layout: diffusers' conversions backwards."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.config import Family

Weights = dict[str, Tensor]
Names = tuple[tuple[str, str], ...]  # pattern of a diffusers name -> the original name


def write_original(folder: Path, family: Family, file: Path, *, without: tuple[str, ...] = ()) -> None:
    """The parts of a folder in one file, under the prefixes of published files; Anima's text encoder and VAE
    have files of their own there and are left out."""
    every: Weights = {}
    for part, (prefix, write) in LAYOUTS[family].items():
        if part not in without and (folder / part).is_dir():
            weights = write(part_weights(folder / part), settings_of(folder / part))
            every |= {prefix + name: weight.contiguous().clone() for name, weight in weights.items()}
    save_file(every, file)


def part_weights(folder: Path) -> Weights:
    (file,) = folder.glob("*.safetensors")
    return load_file(file)


def settings_of(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "config.json").read_text())
    return content


def renamed(weights: Weights, names: Names) -> Weights:
    """Each weight under its original name; every weight has to have one."""
    return {_new_name(name, names): weight for name, weight in weights.items()}


def _new_name(name: str, names: Names) -> str:
    for pattern, new in names:
        if found := re.fullmatch(pattern, name):
            return found.expand(new)
    raise AssertionError(f"no original name for {name}")


_ENDS = r"\.(weight|bias)"
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_OUTSIDE = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}


def unet(weights: Weights, settings: dict[str, object]) -> Weights:
    step = int(str(settings["layers_per_block"])) + 1
    attending = {name.split(".")[1] for name in weights if name.startswith("up_") and ".attentions." in name}
    return {_unet_name(name, step, attending): weight for name, weight in weights.items()}


def _unet_name(name: str, step: int, attending: set[str]) -> str:
    for own, original in _OUTSIDE.items():
        if name.startswith(f"{own}."):
            return name.replace(own, original)
    side, *words = name.split(".")
    if side == "mid_block":
        kind, number, *rest = words
        number = "1" if kind == "attentions" else str(2 * int(number))
        return f"middle_block.{number}.{_unet_inside(kind, rest)}"
    block, kind, layer, *rest = words
    if kind == "downsamplers":
        return f"input_blocks.{(int(block) + 1) * step}.0.op.{rest[-1]}"
    if kind == "upsamplers":
        return f"output_blocks.{int(block) * step + step - 1}.{1 + (block in attending)}.conv.{rest[-1]}"
    number = int(block) * step + int(layer) + (side == "down_blocks")
    where = "input_blocks" if side == "down_blocks" else "output_blocks"
    return f"{where}.{number}.{int(kind == 'attentions')}.{_unet_inside(kind, rest)}"


def _unet_inside(kind: str, rest: list[str]) -> str:
    return ".".join([_RESNET[rest[0]], *rest[1:]] if kind == "resnets" else rest)


def kl_vae(weights: Weights, settings: dict[str, object]) -> Weights:
    last = len(settings["block_out_channels"]) - 1  # type: ignore[arg-type]
    found = {}
    for name, weight in weights.items():
        new = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        new = re.sub(r"up_blocks\.(\d)", lambda m: f"up.{last - int(m[1])}", new)
        new = new.replace("down_blocks.", "down.").replace("mid_block.attentions.0", "mid.attn_1")
        new = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", new)
        new = new.replace("resnets", "block").replace("downsamplers.0", "downsample")
        new = new.replace("upsamplers.0", "upsample")
        if "attn_1" in new:
            for own, old in (("group_norm", "norm"), ("to_out.0", "proj_out"), ("to_", "")):
                new = new.replace(own, old)
            weight = weight[:, :, None, None] if weight.ndim == 2 else weight
        found[new] = weight
    return found


def clip(weights: Weights, settings: dict[str, object]) -> Weights:
    has_inner = any(name.startswith("text_model.") for name in weights)
    return weights if has_inner else {f"text_model.{name}": weight for name, weight in weights.items()}


_OPEN_CLIP: Names = (
    (r"embeddings\.position_embedding\.weight", "positional_embedding"),
    (r"embeddings\.token_embedding\.weight", "token_embedding.weight"),
    (r"final_layer_norm" + _ENDS, r"ln_final.\1"),
    (r"encoder\.layers\.(\d+)\.layer_norm(\d)" + _ENDS, r"transformer.resblocks.\1.ln_\2.\3"),
    (r"encoder\.layers\.(\d+)\.mlp\.fc1" + _ENDS, r"transformer.resblocks.\1.mlp.c_fc.\2"),
    (r"encoder\.layers\.(\d+)\.mlp\.fc2" + _ENDS, r"transformer.resblocks.\1.mlp.c_proj.\2"),
    (r"encoder\.layers\.(\d+)\.self_attn\.out_proj" + _ENDS, r"transformer.resblocks.\1.attn.out_proj.\2"),
    (r"encoder\.layers\.(\d+)\.self_attn\.qkv" + _ENDS, r"transformer.resblocks.\1.attn.in_proj_\2"),
    (r"text_projection\.weight", "text_projection"),
)


def open_clip(weights: Weights, settings: dict[str, object]) -> Weights:
    """One layer more than transformers reads, as published files of Stable Diffusion 2 have."""
    own = {name.removeprefix("text_model."): weight for name, weight in weights.items()}
    own = joined(own, r"(.*\.self_attn)\.q_proj" + _ENDS, ("q_proj", "k_proj", "v_proj"), "qkv")
    found = renamed(own, _OPEN_CLIP)
    if "text_projection" in found:
        return found | {"text_projection": found["text_projection"].T}
    layers = int(str(settings["num_hidden_layers"]))
    more = {
        name.replace("resblocks.0.", f"resblocks.{layers}."): torch.ones_like(weight)
        for name, weight in found.items()
        if "resblocks.0." in name
    }
    return found | more


def joined(weights: Weights, first: str, members: tuple[str, ...], name: str) -> Weights:
    """Layers that are one in the original: (owner).(first member).(weight or bias) begins each."""
    found = dict(weights)
    for one in weights:
        if match := re.fullmatch(first, one):
            owner, ending = match[1], match[2]
            found[f"{owner}.{name}.{ending}"] = torch.cat(
                [found.pop(f"{owner}.{member}.{ending}") for member in members]
            )
    return found


def swapped(weight: Tensor) -> Tensor:
    """Scale and shift in the other order."""
    return torch.cat(list(reversed(weight.chunk(2))))


_X, _C = r"joint_blocks.\1.x_block.", r"joint_blocks.\1.context_block."
_BLOCK = r"transformer_blocks\.(\d+)\."
_MMDIT: Names = (
    (r"pos_embed\.pos_embed", "pos_embed"),
    (r"pos_embed\.proj" + _ENDS, r"x_embedder.proj.\1"),
    (r"time_text_embed\.timestep_embedder\.linear_1" + _ENDS, r"t_embedder.mlp.0.\1"),
    (r"time_text_embed\.timestep_embedder\.linear_2" + _ENDS, r"t_embedder.mlp.2.\1"),
    (r"time_text_embed\.text_embedder\.linear_1" + _ENDS, r"y_embedder.mlp.0.\1"),
    (r"time_text_embed\.text_embedder\.linear_2" + _ENDS, r"y_embedder.mlp.2.\1"),
    (r"context_embedder" + _ENDS, r"context_embedder.\1"),
    (_BLOCK + r"(attn2?)\.qkv" + _ENDS, _X + r"\2.qkv.\3"),
    (_BLOCK + r"attn\.added" + _ENDS, _C + r"attn.qkv.\2"),
    (_BLOCK + r"(attn2?)\.norm_([qk])\.weight", _X + r"\2.ln_\3.weight"),
    (_BLOCK + r"attn\.norm_added_([qk])\.weight", _C + r"attn.ln_\2.weight"),
    (_BLOCK + r"(attn2?)\.to_out\.0" + _ENDS, _X + r"\2.proj.\3"),
    (_BLOCK + r"attn\.to_add_out" + _ENDS, _C + r"attn.proj.\2"),
    (_BLOCK + r"norm1\.linear" + _ENDS, _X + r"adaLN_modulation.1.\2"),
    (_BLOCK + r"norm1_context\.linear" + _ENDS, _C + r"adaLN_modulation.1.\2"),
    (_BLOCK + r"ff\.net\.0\.proj" + _ENDS, _X + r"mlp.fc1.\2"),
    (_BLOCK + r"ff\.net\.2" + _ENDS, _X + r"mlp.fc2.\2"),
    (_BLOCK + r"ff_context\.net\.0\.proj" + _ENDS, _C + r"mlp.fc1.\2"),
    (_BLOCK + r"ff_context\.net\.2" + _ENDS, _C + r"mlp.fc2.\2"),
    (r"norm_out\.linear" + _ENDS, r"final_layer.adaLN_modulation.1.\1"),
    (r"proj_out" + _ENDS, r"final_layer.linear.\1"),
)
_QKV, _ADDED = ("to_q", "to_k", "to_v"), ("add_q_proj", "add_k_proj", "add_v_proj")


def mmdit(weights: Weights, settings: dict[str, object]) -> Weights:
    last = f"transformer_blocks.{int(str(settings['num_layers'])) - 1}.norm1_context.linear."
    own = {
        name: swapped(weight) if name.startswith(("norm_out.linear.", last)) else weight
        for name, weight in weights.items()
    }
    own = joined(own, r"(.*\.attn2?)\.to_q" + _ENDS, _QKV, "qkv")
    return renamed(joined(own, r"(.*\.attn)\.add_q_proj" + _ENDS, _ADDED, "added"), _MMDIT)


_DOUBLE, _SINGLE = r"double_blocks.\1.", r"single_blocks.\1."
_FLUX: Names = (
    (r"x_embedder" + _ENDS, r"img_in.\1"),
    (r"context_embedder" + _ENDS, r"txt_in.\1"),
    (r"time_text_embed\.timestep_embedder\.linear_1" + _ENDS, r"time_in.in_layer.\1"),
    (r"time_text_embed\.timestep_embedder\.linear_2" + _ENDS, r"time_in.out_layer.\1"),
    (r"time_text_embed\.text_embedder\.linear_1" + _ENDS, r"vector_in.in_layer.\1"),
    (r"time_text_embed\.text_embedder\.linear_2" + _ENDS, r"vector_in.out_layer.\1"),
    (r"time_text_embed\.guidance_embedder\.linear_1" + _ENDS, r"guidance_in.in_layer.\1"),
    (r"time_text_embed\.guidance_embedder\.linear_2" + _ENDS, r"guidance_in.out_layer.\1"),
    (_BLOCK + r"attn\.qkv" + _ENDS, _DOUBLE + r"img_attn.qkv.\2"),
    (_BLOCK + r"attn\.added" + _ENDS, _DOUBLE + r"txt_attn.qkv.\2"),
    (_BLOCK + r"attn\.norm_q\.weight", _DOUBLE + "img_attn.norm.query_norm.scale"),
    (_BLOCK + r"attn\.norm_k\.weight", _DOUBLE + "img_attn.norm.key_norm.scale"),
    (_BLOCK + r"attn\.norm_added_q\.weight", _DOUBLE + "txt_attn.norm.query_norm.scale"),
    (_BLOCK + r"attn\.norm_added_k\.weight", _DOUBLE + "txt_attn.norm.key_norm.scale"),
    (_BLOCK + r"attn\.to_out\.0" + _ENDS, _DOUBLE + r"img_attn.proj.\2"),
    (_BLOCK + r"attn\.to_add_out" + _ENDS, _DOUBLE + r"txt_attn.proj.\2"),
    (_BLOCK + r"norm1\.linear" + _ENDS, _DOUBLE + r"img_mod.lin.\2"),
    (_BLOCK + r"norm1_context\.linear" + _ENDS, _DOUBLE + r"txt_mod.lin.\2"),
    (_BLOCK + r"ff\.net\.0\.proj" + _ENDS, _DOUBLE + r"img_mlp.0.\2"),
    (_BLOCK + r"ff\.net\.2" + _ENDS, _DOUBLE + r"img_mlp.2.\2"),
    (_BLOCK + r"ff_context\.net\.0\.proj" + _ENDS, _DOUBLE + r"txt_mlp.0.\2"),
    (_BLOCK + r"ff_context\.net\.2" + _ENDS, _DOUBLE + r"txt_mlp.2.\2"),
    (r"single_" + _BLOCK + r"linear1" + _ENDS, _SINGLE + r"linear1.\2"),
    (r"single_" + _BLOCK + r"attn\.norm_q\.weight", _SINGLE + "norm.query_norm.scale"),
    (r"single_" + _BLOCK + r"attn\.norm_k\.weight", _SINGLE + "norm.key_norm.scale"),
    (r"single_" + _BLOCK + r"proj_out" + _ENDS, _SINGLE + r"linear2.\2"),
    (r"single_" + _BLOCK + r"norm\.linear" + _ENDS, _SINGLE + r"modulation.lin.\2"),
    (r"norm_out\.linear" + _ENDS, r"final_layer.adaLN_modulation.1.\1"),
    (r"proj_out" + _ENDS, r"final_layer.linear.\1"),
)


def flux(weights: Weights, settings: dict[str, object]) -> Weights:
    own = {
        name: swapped(weight) if name.startswith("norm_out.linear.") else weight
        for name, weight in weights.items()
    }
    single = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
    own = joined(own, r"(single_transformer_blocks\.\d+)\.attn\.to_q" + _ENDS, single, "linear1")
    own = joined(own, r"(transformer_blocks\.\d+\.attn)\.to_q" + _ENDS, _QKV, "qkv")
    return renamed(joined(own, r"(.*\.attn)\.add_q_proj" + _ENDS, _ADDED, "added"), _FLUX)


_COSMOS: Names = (
    (r"patch_embed\.proj\.weight", "x_embedder.proj.1.weight"),
    (r"time_embed\.t_embedder\.(.*)", r"t_embedder.1.\1"),
    (r"time_embed\.norm\.weight", "t_embedding_norm.weight"),
    (_BLOCK + r"attn1\.norm_([qk])\.weight", r"blocks.\1.self_attn.\2_norm.weight"),
    (_BLOCK + r"attn2\.norm_([qk])\.weight", r"blocks.\1.cross_attn.\2_norm.weight"),
    (_BLOCK + r"attn1\.to_([qkv])\.weight", r"blocks.\1.self_attn.\2_proj.weight"),
    (_BLOCK + r"attn2\.to_([qkv])\.weight", r"blocks.\1.cross_attn.\2_proj.weight"),
    (_BLOCK + r"attn1\.to_out\.0\.weight", r"blocks.\1.self_attn.output_proj.weight"),
    (_BLOCK + r"attn2\.to_out\.0\.weight", r"blocks.\1.cross_attn.output_proj.weight"),
    (_BLOCK + r"norm1\.linear_(\d)\.weight", r"blocks.\1.adaln_modulation_self_attn.\2.weight"),
    (_BLOCK + r"norm2\.linear_(\d)\.weight", r"blocks.\1.adaln_modulation_cross_attn.\2.weight"),
    (_BLOCK + r"norm3\.linear_(\d)\.weight", r"blocks.\1.adaln_modulation_mlp.\2.weight"),
    (_BLOCK + r"ff\.net\.0\.proj\.weight", r"blocks.\1.mlp.layer1.weight"),
    (_BLOCK + r"ff\.net\.2\.weight", r"blocks.\1.mlp.layer2.weight"),
    (r"norm_out\.linear_(\d)\.weight", r"final_layer.adaln_modulation.\1.weight"),
    (r"proj_out\.weight", "final_layer.linear.weight"),
)


def cosmos(weights: Weights, settings: dict[str, object]) -> Weights:
    return renamed(weights, _COSMOS)


def as_it_is(weights: Weights, settings: dict[str, object]) -> Weights:
    return weights


_WAN: Names = (
    (r"quant_conv" + _ENDS, r"conv1.\1"),
    (r"post_quant_conv" + _ENDS, r"conv2.\1"),
    (r"(encoder|decoder)\.conv_in" + _ENDS, r"\1.conv1.\2"),
    (r"(encoder|decoder)\.conv_out" + _ENDS, r"\1.head.2.\2"),
    (r"(encoder|decoder)\.norm_out\.gamma", r"\1.head.0.gamma"),
    (r"(encoder|decoder)\.mid_block\.resnets\.0\.(.*)", r"\1.middle.0.\2"),
    (r"(encoder|decoder)\.mid_block\.resnets\.1\.(.*)", r"\1.middle.2.\2"),
    (r"(encoder|decoder)\.mid_block\.attentions\.0\.(.*)", r"\1.middle.1.\2"),
    (r"encoder\.down_blocks\.(.*)", r"encoder.downsamples.\1"),
)
_WAN_RESNET = (
    ("norm1", "residual.0"),
    ("conv1", "residual.2"),
    ("norm2", "residual.3"),
    ("conv2", "residual.6"),
    ("conv_shortcut", "shortcut"),
)


def wan_vae(weights: Weights, settings: dict[str, object]) -> Weights:
    """Blocks of the decoder are counted through: three resnets and what enlarges, four times."""
    return {_wan_name(name): weight for name, weight in weights.items()}


def _wan_name(name: str) -> str:
    if found := re.fullmatch(r"decoder\.up_blocks\.(\d)\.(resnets|upsamplers)\.(\d)\.(.*)", name):
        number = 4 * int(found[1]) + (3 if found[2] == "upsamplers" else int(found[3]))
        new = f"decoder.upsamples.{number}.{found[4]}"
    else:
        new = _new_name(name, _WAN)
    if ".conv1.weight" in name or re.search(r"\.(resnets|down_blocks|up_blocks)\.", name):
        for own, original in _WAN_RESNET:
            new = new.replace(f".{own}.", f".{original}.")
    return new


Write = Callable[[Weights, dict[str, object]], Weights]
_OF_SD1: dict[str, tuple[str, Write]] = {
    "unet": ("model.diffusion_model.", unet),
    "vae": ("first_stage_model.", kl_vae),
}
_OF_COMFY: dict[str, tuple[str, Write]] = {
    "vae": ("vae.", kl_vae),
    "text_encoder": ("text_encoders.clip_l.transformer.", clip),
}
LAYOUTS: dict[Family, dict[str, tuple[str, Write]]] = {
    Family.sd1: {**_OF_SD1, "text_encoder": ("cond_stage_model.transformer.", clip)},
    Family.sd2: {**_OF_SD1, "text_encoder": ("cond_stage_model.model.", open_clip)},
    Family.sdxl: {
        **_OF_SD1,
        "text_encoder": ("conditioner.embedders.0.transformer.", clip),
        "text_encoder_2": ("conditioner.embedders.1.model.", open_clip),
    },
    Family.sd3: {
        "transformer": ("model.diffusion_model.", mmdit),
        **_OF_COMFY,
        "vae": ("first_stage_model.", kl_vae),
        "text_encoder_2": ("text_encoders.clip_g.transformer.", clip),
        "text_encoder_3": ("text_encoders.t5xxl.transformer.", as_it_is),
    },
    Family.flux: {
        "transformer": ("model.diffusion_model.", flux),
        **_OF_COMFY,
        "text_encoder_2": ("text_encoders.t5xxl.transformer.", as_it_is),
    },
    Family.anima: {
        "transformer": ("net.", cosmos),
        "text_conditioner": ("net.llm_adapter.", as_it_is),
    },
}


def every_part(folder: Path) -> Iterator[Path]:
    """The parts of a folder that have weights."""
    yield from sorted(file.parent for file in folder.glob("*/*.safetensors"))
