"""Which options mean something for which model family: the others are refused, never ignored."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.compose.show import show
from engine.config import Family, HuberSchedule, LossKind, Prediction, RunConfig
from engine.config.model import TOKEN_LENGTHS
from engine.models.facts import FAMILIES, PART_OPTIONS

_CLIP_ONLY = (Family.sd1, Family.sd2, Family.sdxl)
_FLOW = tuple(family for family, facts in FAMILIES.items() if facts.is_flow)
_DISCRETE = tuple(family for family, facts in FAMILIES.items() if not facts.is_flow)
_ON_DISCRETE = "is defined for epsilon and v models; {title} is a flow model"
_OF_SD3 = "only Stable Diffusion 3 was made to do without an encoder; {title} was not"
_ON_FLOW = "is defined for flow models; {title} is none"


def _with_part(option: str) -> tuple[Family, ...]:
    """The families that have the part which an option gives."""
    return tuple(family for family, options in PART_OPTIONS.items() if option in options)


@dataclass(kw_only=True, slots=True, frozen=True)
class FamilyOption:
    """An option that only some families have."""

    families: tuple[Family, ...]
    is_on: Callable[[RunConfig], bool]  # whether it asks for anything
    value: Callable[[RunConfig], object]
    why: str  # what of it is missing; {title} is the family's
    off: str  # the value that asks for nothing


FAMILY_OPTIONS: dict[str, FamilyOption] = {
    "memory.blocks_to_swap": FamilyOption(
        families=tuple(family for family, facts in FAMILIES.items() if facts.denoiser == "transformer"),
        is_on=lambda run: run.memory.blocks_to_swap > 0,
        value=lambda run: run.memory.blocks_to_swap,
        why="the UNet of {title} is no row of equal blocks. What saves memory there: "
        "training.gradient_checkpointing=true, optimizer=adamw8bit, memory.unload_encoders, memory.quantize",
        off="0",
    ),
    "model.clip_skip": FamilyOption(
        families=(Family.sd1,),
        is_on=lambda run: run.model.clip_skip != 1,
        value=lambda run: run.model.clip_skip,
        why="{title} always reads the layer that it was trained on",
        off="1",
    ),
    "model.clip_l": FamilyOption(
        families=_with_part("clip_l"),
        is_on=lambda run: run.model.clip_l is not None,
        value=lambda run: run.model.clip_l,
        why="{title} has no such text encoder",
        off="null",
    ),
    "model.clip_g": FamilyOption(
        families=_with_part("clip_g"),
        is_on=lambda run: run.model.clip_g is not None,
        value=lambda run: run.model.clip_g,
        why="{title} has no such text encoder",
        off="null",
    ),
    "model.t5xxl": FamilyOption(
        families=_with_part("t5xxl"),
        is_on=lambda run: run.model.t5xxl is not None,
        value=lambda run: run.model.t5xxl,
        why="{title} has no T5",
        off="null",
    ),
    "model.qwen3": FamilyOption(
        families=_with_part("qwen3"),
        is_on=lambda run: run.model.qwen3 is not None,
        value=lambda run: run.model.qwen3,
        why="{title} has no Qwen3",
        off="null",
    ),
    "model.token_length": FamilyOption(
        families=_CLIP_ONLY,
        is_on=lambda run: run.model.token_length != TOKEN_LENGTHS[0],
        value=lambda run: run.model.token_length,
        why="{title} reads 77 tokens by CLIP, or has none; its longer text has a length of its own",
        off="75",
    ),
    "model.weighted_captions": FamilyOption(
        families=_CLIP_ONLY,
        is_on=lambda run: run.model.weighted_captions,
        value=lambda run: "true",
        why="weights are defined for text that CLIP alone reads, and not for {title}",
        off="false",
    ),
    "model.zero_terminal_snr": FamilyOption(
        families=_DISCRETE,
        is_on=lambda run: run.model.zero_terminal_snr,
        value=lambda run: "true",
        why=_ON_DISCRETE,
        off="false",
    ),
    "model.guidance": FamilyOption(
        families=(Family.flux,),
        is_on=lambda run: run.model.guidance != 1.0,
        value=lambda run: run.model.guidance,
        why="only FLUX.1-dev is told its guidance; {title} is not",
        off="1.0",
    ),
    "model.t5_token_length": FamilyOption(
        families=(Family.sd3, Family.flux),
        is_on=lambda run: run.model.t5_token_length != 256,
        value=lambda run: run.model.t5_token_length,
        why="{title} has no T5 whose length could be chosen",
        off="256",
    ),
    "model.t5_attention_mask": FamilyOption(
        families=(Family.sd3, Family.flux),
        is_on=lambda run: run.model.t5_attention_mask,
        value=lambda run: "true",
        why="{title} has no T5 whose padding could be passed over",
        off="false",
    ),
    "model.clip_l_dropout": FamilyOption(
        families=(Family.sd3,),
        is_on=lambda run: run.model.clip_l_dropout != 0.0,
        value=lambda run: run.model.clip_l_dropout,
        why=_OF_SD3,
        off="0",
    ),
    "model.clip_g_dropout": FamilyOption(
        families=(Family.sd3,),
        is_on=lambda run: run.model.clip_g_dropout != 0.0,
        value=lambda run: run.model.clip_g_dropout,
        why=_OF_SD3,
        off="0",
    ),
    "model.t5_dropout": FamilyOption(
        families=(Family.sd3,),
        is_on=lambda run: run.model.t5_dropout != 0.0,
        value=lambda run: run.model.t5_dropout,
        why=_OF_SD3,
        off="0",
    ),
    "noise.offset": FamilyOption(
        families=_DISCRETE,
        is_on=lambda run: run.noise.offset != 0.0,
        value=lambda run: run.noise.offset,
        why="noise offset " + _ON_DISCRETE,
        off="0",
    ),
    "noise.timesteps": FamilyOption(
        families=_FLOW,
        is_on=lambda run: run.noise.timesteps is not None,
        value=lambda run: run.noise.timesteps,
        why="a spread of timesteps " + _ON_FLOW,
        off="null",
    ),
    "noise.timestep_scale": FamilyOption(
        families=_FLOW,
        is_on=lambda run: run.noise.timestep_scale != 1.0,
        value=lambda run: run.noise.timestep_scale,
        why="a spread of timesteps " + _ON_FLOW,
        off="1.0",
    ),
    "noise.timestep_shift": FamilyOption(
        families=_FLOW,
        is_on=lambda run: run.noise.timestep_shift is not None,
        value=lambda run: run.noise.timestep_shift,
        why="a shift of timesteps " + _ON_FLOW,
        off="null",
    ),
    "loss.min_snr_gamma": FamilyOption(
        families=_DISCRETE,
        is_on=lambda run: run.loss.min_snr_gamma is not None,
        value=lambda run: run.loss.min_snr_gamma,
        why="the signal-to-noise ratio " + _ON_DISCRETE,
        off="null",
    ),
    "loss.huber_schedule": FamilyOption(
        families=_DISCRETE,
        is_on=lambda run: run.loss.kind is not LossKind.l2 and run.loss.huber_schedule is HuberSchedule.snr,
        value=lambda run: run.loss.huber_schedule,
        why="the signal-to-noise ratio " + _ON_DISCRETE,
        off="exponential",
    ),
}


def family_rule(run: RunConfig) -> list[str]:
    """No option asks for something that the model's family does not have."""
    model = run.model
    facts = FAMILIES[model.family]
    problems = [
        f"{key}={show(option.value(run))}: {option.why.format(title=facts.title)}. Set {key}={option.off}."
        for key, option in FAMILY_OPTIONS.items()
        if model.family not in option.families and option.is_on(run)
    ]
    if model.zero_terminal_snr and model.prediction is Prediction.epsilon:
        problems.append(
            "model.zero_terminal_snr=true: a model that predicts noise learns nothing from pure noise. "
            "Set model.prediction=v, where the checkpoint is such a one, or model.zero_terminal_snr=false."
        )
    if run.sampling.sampler not in facts.samplers:
        fitting = " or ".join(sampler.name for sampler in facts.samplers)
        problems.append(
            f"sampling.sampler={run.sampling.sampler.name}: not for {facts.title}. "
            f"Set sampling.sampler={fitting}."
        )
    if run.sampling.negative_prompt and model.family is Family.flux:
        problems.append(
            f"sampling.negative_prompt={run.sampling.negative_prompt}: the guidance of {facts.title} is "
            "distilled, and it steers away from nothing. Leave it out."
        )
    return problems
