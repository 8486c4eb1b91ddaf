"""Which base model is fine-tuned, and what its recipe recommends to the other groups."""

from dataclasses import dataclass, field
from enum import Enum

from engine.config.noise import TimestepDistribution
from engine.config.sampling import Sampler
from engine.config.training import MixedPrecision

DEMO = "demo"  # the recipe that brings its own concepts, prompts, references and encoder
DEMO_CONCEPTS = ("sks", "night", "bright")  # the first is what dataset.concept=null means
TOKEN_LENGTHS = (75, 150, 225)  # of captions: one, two or three rows of a CLIP text encoder


class Family(Enum):
    """Which code loads the model; facts about each are rows of engine/models/facts.py."""

    sd1 = "sd1"
    sd2 = "sd2"
    sdxl = "sdxl"
    sd3 = "sd3"  # 3 and 3.5
    flux = "flux"
    anima = "anima"


class Prediction(Enum):
    """What the network predicts: noise, velocity (Salimans & Ho 2022), or flow (Liu et al. 2022)."""

    epsilon = "epsilon"
    v = "v"
    flow = "flow"


class LayerGroup(Enum):
    """Named groups of layers that a network can go on."""

    attention = "attention"
    feed_forward = "feed_forward"
    projections = "projections"
    convolutions = "convolutions"
    time_embedding = "time_embedding"
    modulation = "modulation"  # the scales and shifts by which a DiT is told time and text
    text_encoder = "text_encoder"  # a text encoder's attention and mlp; named as its part, each a group
    text_encoder_2 = "text_encoder_2"
    text_encoder_3 = "text_encoder_3"


TEXT_GROUPS = (LayerGroup.text_encoder, LayerGroup.text_encoder_2, LayerGroup.text_encoder_3)


@dataclass(kw_only=True, slots=True)
class ModelConfig:
    """One recipe of conf/model/: the weights, and the defaults that other groups take from it."""

    name: str = "demo"  # the recipe's own name; the default first part of the run folder
    family: Family = Family.sd1  # which family's code loads the checkpoint
    checkpoint: str | None = None  # diffusers folder (here, then in the project), hub id or .safetensors file
    vae: str | None = None  # folder, hub id or .safetensors file in place of the checkpoint's own VAE
    clip_l: str | None = None  # the same of the smaller CLIP; SD1, SDXL, SD3, FLUX
    clip_g: str | None = None  # the same of the larger CLIP; SDXL, SD3
    t5xxl: str | None = None  # the same of T5; SD3, FLUX
    qwen3: str | None = None  # the same of Qwen3; Anima
    tokenizers: str | None = None  # folder with tokenizer folders, named as the parts, or clip, t5, qwen
    prediction: Prediction = Prediction.epsilon  # what the checkpoint was trained to predict
    token_length: int = 75  # tokens of a caption that are read: 75, 150 or 225, in rows of the encoder's own
    t5_token_length: int = 256  # tokens of a caption that T5 reads; SD3 and FLUX
    clip_l_dropout: float = 0.0  # share of pictures that are learnt without CLIP-L; SD3
    clip_g_dropout: float = 0.0  # the same of CLIP-G
    t5_dropout: float = 0.0  # the same of T5; 0.464 each in the pretraining
    t5_attention_mask: bool = False  # padding of T5's text is passed over; SD3 and FLUX
    guidance: float = 1.0  # what FLUX.1-dev is told in training; 1 keeps its distilled guidance whole
    zero_terminal_snr: bool = False  # the last timestep is pure noise (Lin et al. 2023); SD1, SD2, SDXL
    weighted_captions: bool = False  # (a:1.2) and [b] weigh what is inside; else brackets are words
    clip_skip: int = 1  # the text encoder's layer: 1 = the last, 2 = the last but one; Stable Diffusion 1
    resolution: int = 512  # pixels; the side of a square picture that the model was made for
    bucket_step: int = 64  # pixels; bucket sides are multiples of it
    default_lr: float = 1e-4  # learning rate that optimizers without one of their own take
    default_steps: int = 1500  # optimizer steps where training.steps and training.epochs are null
    default_layers: list[LayerGroup] = field(
        default_factory=lambda: [LayerGroup.attention, LayerGroup.feed_forward, LayerGroup.projections]
    )  # what network.layers takes
    default_alpha_ratio: float = 0.5  # what network.alpha_ratio takes where network.alpha is null
    default_batch_size: int = 1  # what dataset.batch_size takes
    default_precision: MixedPrecision = MixedPrecision.no  # what training.mixed_precision takes
    default_gradient_checkpointing: bool = False  # what training.gradient_checkpointing takes
    default_guidance: float = 7.5  # what sampling.guidance_scale takes
    default_sampler: Sampler = Sampler.ddim  # what sampling.sampler takes
    default_sampling_steps: int = 20  # what sampling.steps takes
    default_timesteps: TimestepDistribution = TimestepDistribution.logit_normal  # of flow models
    default_timestep_shift: float | None = None  # of flow models; null = by the number of latents, as FLUX
    encoder: str | None = None  # what evaluation.encoder takes; null for the demo: its own CLIP
    image_encoder: str | None = None  # what evaluation.image_encoder takes


def is_demo(model: ModelConfig) -> bool:
    """Whether the run is on the embedded demo, which brings pictures, prompts, references and an encoder."""
    return model.name == DEMO
