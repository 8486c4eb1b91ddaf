"""How files of the original layouts are written, and whose they are, by names and shapes; no torch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.config import Family
from engine.models.weight_headers import Weight

CONFIGS = Path(__file__).parent / "configs"  # a folder a layout: the settings of its parts, no weights


@dataclass(kw_only=True, slots=True, frozen=True)
class Form:
    """One way in which a part is written in files."""

    prefixes: tuple[str, ...]  # of its names; "" where it has a file of its own
    markers: tuple[str, ...]  # names behind the prefix, one of which tells that it is there


_HF_CLIP = ("text_model.embeddings.position_embedding.weight", "embeddings.position_embedding.weight")
_DIFFUSION = ("model.diffusion_model.", "")
FORMS: dict[str, Form] = {
    "unet": Form(prefixes=_DIFFUSION, markers=("input_blocks.0.0.weight",)),
    "mmdit": Form(prefixes=_DIFFUSION, markers=("joint_blocks.0.x_block.attn.qkv.weight",)),
    "flux": Form(prefixes=_DIFFUSION, markers=("double_blocks.0.img_attn.qkv.weight",)),
    "cosmos": Form(prefixes=("net.", *_DIFFUSION), markers=("blocks.0.adaln_modulation_self_attn.1.weight",)),
    "conditioner": Form(
        prefixes=("net.llm_adapter.", "model.diffusion_model.llm_adapter.", "llm_adapter."),
        markers=("embed.weight",),
    ),
    "kl_vae": Form(
        prefixes=("first_stage_model.", "vae.", ""), markers=("encoder.down.0.block.0.norm1.weight",)
    ),
    "wan_vae": Form(prefixes=("vae.", ""), markers=("encoder.conv1.weight",)),
    "diffusers_vae": Form(
        prefixes=("",),
        markers=("encoder.down_blocks.0.resnets.0.norm1.weight", "encoder.mid_block.resnets.0.norm1.gamma"),
    ),
    "clip_l": Form(
        prefixes=(
            "cond_stage_model.transformer.",
            "conditioner.embedders.0.transformer.",
            "text_encoders.clip_l.transformer.",
            "",
        ),
        markers=_HF_CLIP,
    ),
    "clip_g": Form(prefixes=("text_encoders.clip_g.transformer.", ""), markers=_HF_CLIP),
    "open_clip": Form(
        prefixes=("cond_stage_model.model.", "conditioner.embedders.1.model.", ""),
        markers=("positional_embedding",),
    ),
    "t5": Form(
        prefixes=("text_encoders.t5xxl.transformer.", ""),
        markers=("encoder.block.0.layer.0.SelfAttention.q.weight",),
    ),
    "qwen3": Form(prefixes=("model.", ""), markers=("layers.0.self_attn.q_norm.weight",)),
}

_KL = ("kl_vae", "diffusers_vae")
# Family -> part -> the forms that it comes in.
PARTS: dict[Family, dict[str, tuple[str, ...]]] = {
    Family.sd1: {"unet": ("unet",), "vae": _KL, "text_encoder": ("clip_l",)},
    Family.sd2: {"unet": ("unet",), "vae": _KL, "text_encoder": ("open_clip",)},
    Family.sdxl: {
        "unet": ("unet",),
        "vae": _KL,
        "text_encoder": ("clip_l",),
        "text_encoder_2": ("open_clip", "clip_g"),
    },
    Family.sd3: {
        "transformer": ("mmdit",),
        "vae": _KL,
        "text_encoder": ("clip_l",),
        "text_encoder_2": ("clip_g", "open_clip"),
        "text_encoder_3": ("t5",),
    },
    Family.flux: {
        "transformer": ("flux",),
        "vae": _KL,
        "text_encoder": ("clip_l",),
        "text_encoder_2": ("t5",),
    },
    Family.anima: {
        "transformer": ("cosmos",),
        "text_conditioner": ("conditioner",),
        "vae": ("wan_vae", "diffusers_vae"),
        "text_encoder": ("qwen3",),
    },
}

_OF_DIFFUSERS = ("down_blocks.", "transformer_blocks.", "single_transformer_blocks.")
_ALONE = {  # forms that have files of their own -> the option for them
    "kl_vae": "vae",
    "diffusers_vae": "vae",
    "wan_vae": "vae",
    "t5": "t5xxl",
    "qwen3": "qwen3",
}
_LORA = ("lora_", ".lora.", ".hada_w1", ".lokr_w1", ".oft_")
_CROSS_ATTENTION = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
_TEXT_WIDTHS = {768: Family.sd1, 1024: Family.sd2}
_LATENTS_AND_MORE = 9  # channels that an inpainting UNet reads


@dataclass(kw_only=True, slots=True, frozen=True)
class Found:
    """A part in a file."""

    form: str  # of FORMS
    prefix: str  # of its names


def find_part(names: Collection[str], forms: Iterable[str]) -> Found | None:
    """The part among the names of a file, in one of several forms; None: it is not there.

    names  a set, or a mapping by name
    """
    for form in forms:
        for prefix in FORMS[form].prefixes:
            if any(prefix + marker in names for marker in FORMS[form].markers):
                return Found(form=form, prefix=prefix)
    return None


def families_of(shapes: Mapping[str, Sequence[int]]) -> tuple[Family, ...]:
    """The families that a file may be of, by its denoiser; () where it holds none that is known.

    A UNet that is neither of the published Stable Diffusions (a toy) may be either.
    """
    if (unet := find_part(shapes, ("unet",))) is not None:
        if f"{unet.prefix}label_emb.0.0.weight" in shapes:
            return (Family.sdxl,)
        width = shapes.get(unet.prefix + _CROSS_ATTENTION, (0, 0))[1]
        return (_TEXT_WIDTHS[width],) if width in _TEXT_WIDTHS else (Family.sd1, Family.sd2)
    for family, form in ((Family.sd3, "mmdit"), (Family.flux, "flux"), (Family.anima, "cosmos")):
        if find_part(shapes, (form,)) is not None:
            return (family,)
    return ()


def no_base(shapes: Mapping[str, Sequence[int]]) -> str | None:
    """What a file is that no family can take, and what to do; None: nothing is known against it."""
    if any(word in name for name in shapes for word in _LORA):
        return "this is a LoRA; give it as network.init_from, and the model that it was trained on here"
    if any(name.endswith((".scale_weight", "scaled_fp8")) for name in shapes):
        return "its weights are scaled to 8 bits; give the file in 16 bits"
    unet = find_part(shapes, ("unet",))
    if unet is not None and shapes[f"{unet.prefix}input_blocks.0.0.weight"][1] == _LATENTS_AND_MORE:
        return "this is an inpainting model; give the one that draws from text alone"
    if "conditioner.embedders.0.model.positional_embedding" in shapes:
        return "this is the SDXL refiner; give the base model"
    if any(name.startswith("distilled_guidance_layer.") for name in shapes):
        return "this is a Chroma model, which no family here takes; give one of FLUX.1"
    if any(name.startswith(_OF_DIFFUSERS) for name in shapes):
        return "this is one part of a diffusers folder; give the folder"
    for form, option in _ALONE.items():
        if not families_of(shapes) and find_part(shapes, (form,)) is not None:
            return f"this is one part of a model; give it as model.{option}, and the model itself here"
    return None


def layout_of(family: Family, shapes: Mapping[str, Sequence[int]]) -> str:
    """The folder of CONFIGS whose settings fit a file of the family, or any part of it."""
    if family is Family.sd3:
        if any("joint_blocks.37." in name for name in shapes):
            return "sd35_large"
        return "sd35_medium" if any(".attn2." in name for name in shapes) else "sd3_medium"
    if family is Family.flux:
        is_dev = not shapes or any("guidance_in." in name for name in shapes)
        return "flux_dev" if is_dev else "flux_schnell"
    return family.value


def shapes_of(weights: Iterable[Weight]) -> dict[str, tuple[int, ...]]:
    """Name -> shape."""
    return {weight.name: weight.shape for weight in weights}
