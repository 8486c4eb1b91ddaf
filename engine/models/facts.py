"""What is known about each model family without loading anything: one row a family, no torch."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.config import Family, LayerGroup, Prediction, Sampler

_OF_DISCRETE = (Sampler.ddim, Sampler.euler, Sampler.dpmpp_2m)
_OF_FLOW = (Sampler.flow_euler,)
_ATTENTION = r".*\.attn[12]\.(to_q|to_k|to_v|to_out\.0)"
_FEED_FORWARD = r".*\.ff\.net\.(0\.proj|2)"
_CLIP = r"encoder\.layers\.\d+\.(self_attn\.(q|k|v|out)_proj|mlp\.fc[12])"
_PROJECTED_CLIP = r"text_model\." + _CLIP  # of CLIPTextModelWithProjection, which holds a tower
_T5 = r"encoder\.block\.\d+\.layer\.\d+\.(SelfAttention\.[qkvo]|DenseReluDense\.w(i|i_0|i_1|o))"
_QWEN3 = r"layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)"
_UNET_GROUPS = (
    (LayerGroup.attention, _ATTENTION),
    (LayerGroup.feed_forward, _FEED_FORWARD),
    (LayerGroup.projections, r".*\.attentions\.\d+\.(proj_in|proj_out)"),
    (
        LayerGroup.convolutions,
        r".*\.(resnets\.\d+\.(conv1|conv2|conv_shortcut)|(down|up)samplers\.0\.conv)",
    ),
    (LayerGroup.time_embedding, r".*\.resnets\.\d+\.time_emb_proj"),
)


@dataclass(kw_only=True, slots=True, frozen=True)
class FamilyFacts:
    """One row of FAMILIES."""

    title: str  # how messages name the family
    pipeline: str  # class name in a diffusers folder's model_index.json
    predictions: tuple[Prediction, ...]  # what its checkpoints may predict
    layer_groups: tuple[tuple[LayerGroup, str], ...]  # group -> pattern on a module's whole name
    kohya_version: str  # ss_base_model_version of its LoRA files
    recipe: str  # of conf/model, that messages recommend for it
    recipes: Mapping[Prediction, str] = field(default_factory=dict)  # of a family that predicts either way
    index_file: str = "model_index.json"  # of a diffusers folder: says what it holds
    text_width: int | None = None  # of what its published UNets are told of text; tells SD1 and SD2 apart
    denoiser: str = "unet"  # the part that is trained on
    text_encoders: tuple[str, ...] = ("text_encoder",)
    text_conditioners: tuple[str, ...] = ()  # models between the text encoders and the denoiser
    tokenizers: tuple[str, ...] = ("tokenizer",)
    optional: tuple[str, ...] = ()  # parts that a folder may lack
    samplers: tuple[Sampler, ...] = _OF_DISCRETE
    # Layers that share an input and are one layer in the files: pattern of their owner -> names inside it.
    joined: tuple[tuple[str, tuple[str, ...]], ...] = ()
    # Text encoders that can be trained -> pattern on a module's whole name, as transformers has it.
    text_layers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_flow(self) -> bool:
        """Whether its models learn the straight path between data and noise."""
        return Prediction.flow in self.predictions

    @property
    def parts(self) -> tuple[str, ...]:
        """The folders of a diffusers folder that the family is made of."""
        return (self.denoiser, "vae", *self.of_text, "scheduler")

    @property
    def of_text(self) -> tuple[str, ...]:
        """The parts that text goes through: each text encoder, what follows it, each tokenizer."""
        return (*self.text_encoders, *self.text_conditioners, *self.tokenizers)

    @property
    def weighty(self) -> tuple[str, ...]:
        """The parts that have weights."""
        return (self.denoiser, "vae", *self.text_encoders, *self.text_conditioners)


FAMILIES: dict[Family, FamilyFacts] = {
    Family.sd1: FamilyFacts(
        title="Stable Diffusion 1",
        pipeline="StableDiffusionPipeline",
        predictions=(Prediction.epsilon, Prediction.v),
        layer_groups=_UNET_GROUPS,
        kohya_version="sd_v1",
        recipe="sd15",
        text_width=768,
        text_layers={"text_encoder": _CLIP},
    ),
    Family.sd2: FamilyFacts(
        title="Stable Diffusion 2",
        pipeline="StableDiffusionPipeline",
        predictions=(Prediction.epsilon, Prediction.v),
        layer_groups=_UNET_GROUPS,
        kohya_version="sd_v2",
        recipe="sd21",
        recipes={Prediction.v: "sd21", Prediction.epsilon: "sd21_base"},
        text_width=1024,
        text_layers={"text_encoder": _CLIP},
    ),
    Family.sdxl: FamilyFacts(
        title="Stable Diffusion XL",
        pipeline="StableDiffusionXLPipeline",
        predictions=(Prediction.epsilon, Prediction.v),
        layer_groups=_UNET_GROUPS,
        kohya_version="sdxl_base_v1-0",
        recipe="sdxl",
        recipes={Prediction.epsilon: "sdxl", Prediction.v: "sdxl_vpred"},
        text_encoders=("text_encoder", "text_encoder_2"),
        tokenizers=("tokenizer", "tokenizer_2"),
        text_layers={"text_encoder": _CLIP, "text_encoder_2": _PROJECTED_CLIP},
    ),
    Family.sd3: FamilyFacts(
        title="Stable Diffusion 3",
        pipeline="StableDiffusion3Pipeline",
        predictions=(Prediction.flow,),
        layer_groups=(
            (
                LayerGroup.attention,
                r"transformer_blocks\.\d+\.attn2?\.(to_[qkv]|add_[qkv]_proj|to_out\.0|to_add_out)",
            ),
            (LayerGroup.feed_forward, r"transformer_blocks\.\d+\.ff(_context)?\.net\.(0\.proj|2)"),
            (LayerGroup.modulation, r"transformer_blocks\.\d+\.norm1(_context)?\.linear"),
        ),
        kohya_version="sd3",
        recipe="sd35_medium",
        denoiser="transformer",
        text_encoders=("text_encoder", "text_encoder_2", "text_encoder_3"),
        tokenizers=("tokenizer", "tokenizer_2", "tokenizer_3"),
        optional=("text_encoder_3", "tokenizer_3"),
        samplers=_OF_FLOW,
        text_layers={
            "text_encoder": _PROJECTED_CLIP,
            "text_encoder_2": _PROJECTED_CLIP,
            "text_encoder_3": _T5,
        },
        joined=(
            (r"transformer_blocks\.\d+\.attn2?", ("to_q", "to_k", "to_v")),
            (r"transformer_blocks\.\d+\.attn", ("add_q_proj", "add_k_proj", "add_v_proj")),
        ),
    ),
    Family.flux: FamilyFacts(
        title="FLUX.1",
        pipeline="FluxPipeline",
        predictions=(Prediction.flow,),
        layer_groups=(
            (
                LayerGroup.attention,
                r"transformer_blocks\.\d+\.attn\.(to_[qkv]|add_[qkv]_proj|to_out\.0|to_add_out)"
                r"|single_transformer_blocks\.\d+\.(attn\.to_[qkv]|proj_mlp|proj_out)",
            ),
            (LayerGroup.feed_forward, r"transformer_blocks\.\d+\.ff(_context)?\.net\.(0\.proj|2)"),
            (
                LayerGroup.modulation,
                r"transformer_blocks\.\d+\.norm1(_context)?\.linear"
                r"|single_transformer_blocks\.\d+\.norm\.linear",
            ),
        ),
        kohya_version="flux1",
        recipe="flux_dev",
        denoiser="transformer",
        text_encoders=("text_encoder", "text_encoder_2"),
        tokenizers=("tokenizer", "tokenizer_2"),
        samplers=_OF_FLOW,
        text_layers={"text_encoder": _CLIP, "text_encoder_2": _T5},
        joined=(
            (r"single_transformer_blocks\.\d+", ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")),
            (r"transformer_blocks\.\d+\.attn", ("to_q", "to_k", "to_v")),
            (r"transformer_blocks\.\d+\.attn", ("add_q_proj", "add_k_proj", "add_v_proj")),
        ),
    ),
    Family.anima: FamilyFacts(
        title="Anima",
        pipeline="AnimaModularPipeline",
        predictions=(Prediction.flow,),
        layer_groups=(
            (LayerGroup.attention, r"transformer_blocks\.\d+\.attn[12]\.(to_[qkv]|to_out\.0)"),
            (LayerGroup.feed_forward, r"transformer_blocks\.\d+\.ff\.net\.(0\.proj|2)"),
            (LayerGroup.modulation, r"transformer_blocks\.\d+\.norm[123]\.linear_[12]"),
        ),
        kohya_version="anima",
        recipe="anima",
        index_file="modular_model_index.json",
        denoiser="transformer",
        text_conditioners=("text_conditioner",),  # Qwen3's states in the places of T5's tokens
        tokenizers=("tokenizer", "t5_tokenizer"),
        text_layers={"text_encoder": _QWEN3},
        samplers=_OF_FLOW,
    ),
}

# How hub ids begin whose licence or conditions have to be accepted on their page before they can be fetched;
# schnell's licence is free, and its page asks all the same, since April 2025.
GATED: tuple[str, ...] = ("black-forest-labs/FLUX.1-", "stabilityai/stable-diffusion-3")

_OWN_CLIP = {"vae": "vae", "clip_l": "text_encoder"}
# Options of ModelConfig that give a part of their own -> the part, for each family.
PART_OPTIONS: dict[Family, dict[str, str]] = {
    Family.sd1: _OWN_CLIP,
    Family.sd2: {"vae": "vae"},
    Family.sdxl: {**_OWN_CLIP, "clip_g": "text_encoder_2"},
    Family.sd3: {**_OWN_CLIP, "clip_g": "text_encoder_2", "t5xxl": "text_encoder_3"},
    Family.flux: {**_OWN_CLIP, "t5xxl": "text_encoder_2"},
    Family.anima: {"vae": "vae", "qwen3": "text_encoder"},
}


def prediction_advice(family: Family, name: str, told: Prediction) -> str:
    """What to do about weights that predict something else than the run says.

    name  of the run's recipe
    told  what they predict: the recipe that is made for it sets what goes with it
    """
    facts = FAMILIES[family]
    made_for_it = facts.recipes.get(told)
    is_fine_tune = name not in facts.recipes.values()  # a recipe of its own, that predicts what is usual
    if made_for_it is None or made_for_it == name or (is_fine_tune and made_for_it == facts.recipe):
        return f"Set model.prediction={told.name}."
    return f"Use model={made_for_it}."


def layer_group(family: Family, module_name: str, component: str = "") -> LayerGroup | None:
    """The group of a module, by its diffusers or transformers name; None: not adaptable.

    component  the part that it is in; each text encoder is a group; all others are the denoiser
    """
    facts = FAMILIES[family]
    if component in facts.text_encoders:
        pattern = facts.text_layers.get(component)
        is_layer = pattern is not None and re.fullmatch(pattern, module_name)
        return LayerGroup[component] if is_layer else None
    for group, pattern in facts.layer_groups:
        if re.fullmatch(pattern, module_name):
            return group
    return None


def joined_members(family: Family, names: Iterable[str]) -> list[tuple[str, ...]]:
    """The same modules as layers of the files: most stand alone, some are one layer with their neighbours.

    names    of the denoiser's modules, in its own order
    returns  each layer where the module stood that it is named after, the first in the table
    """
    present = list(names)
    known = frozenset(present)
    layers = []
    for name in present:
        members = next((found for found in _joined(family, name) if known.issuperset(found)), (name,))
        if members[0] == name:
            layers.append(members)
    return layers


def _joined(family: Family, name: str) -> Iterable[tuple[str, ...]]:
    for owner, inside in FAMILIES[family].joined:
        for ending in inside:
            stem = name.removesuffix(f".{ending}")
            if stem != name and re.fullmatch(owner, stem):
                yield tuple(f"{stem}.{each}" for each in inside)
