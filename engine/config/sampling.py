"""Which pictures a run draws, to be looked at and to be scored."""

from dataclasses import dataclass, field
from enum import Enum


class Sampler(Enum):
    """How a picture is denoised."""

    ddim = "ddim"
    euler = "euler"
    dpmpp_2m = "dpmpp_2m"
    flow_euler = "flow_euler"  # along the path of a flow model


class PromptSet(Enum):
    """A published list of prompts, or one of ours; its words are made of the trigger and the class word."""

    dreambooth_object = "dreambooth_object"  # the 25 of DreamBooth's evaluation of things
    dreambooth_live_subject = "dreambooth_live_subject"  # its 25 of animals and people
    lycoris = "lycoris"  # captions, the trigger alone, other contents, other styles (Yeh et al. 2024)
    luminance = "luminance"  # as many dark as bright: what noise offset is for


@dataclass(kw_only=True, slots=True)
class SamplingConfig:
    """Prompts x seeds, drawn by the base model before training and by the result after it."""

    prompt_file: str | None = None  # a prompt a line, as kohya writes it; null = the demo's, else captions
    prompt_set: PromptSet | None = None  # a known list in place of a file; null = none
    num_prompts: int = 8  # prompts of the list that are drawn; 0 = no pictures
    first_prompt: int = 0  # prompts of the list that are passed over
    num_plain_prompts: int = 4  # beside them, where the list has some: nothing to do with the concept
    seeds: list[int] = field(default_factory=lambda: [1, 2])  # one picture of each prompt for each
    negative_prompt: str = ""  # what to steer away from; works from guidance_scale 1 up
    steps: int = 20  # denoising steps; >= 1
    guidance_scale: float = 7.5  # classifier-free guidance; 1 = off
    sampler: Sampler = Sampler.ddim  # deterministic ones only
    width: int | None = None  # pixels; null = dataset.resolution
    height: int | None = None  # pixels; null = dataset.resolution
    preview_every: int = 100  # steps between previews of the first prompts; 0 = none
    preview_prompts: int = 4  # how many prompts a preview draws, with the first seed
    batch_size: int = 8  # pictures drawn at a time; changes memory and speed, not the pictures
