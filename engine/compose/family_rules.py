"""Which options mean something for which model family: the others are refused, never ignored."""

from dataclasses import dataclass
from functools import cache
from operator import attrgetter

from engine.compose.show import show
from engine.config import Family, HuberSchedule, LossKind, Prediction, RunConfig, TimestepDistribution
from engine.models.facts import FAMILIES, PART_OPTIONS

_CLIP_ONLY = (Family.sd1, Family.sd2, Family.sdxl)
_FLOW = tuple(family for family, facts in FAMILIES.items() if facts.is_flow)
_DISCRETE = tuple(family for family, facts in FAMILIES.items() if not facts.is_flow)
_TRANSFORMERS = tuple(family for family, facts in FAMILIES.items() if facts.denoiser == "transformer")
_WITH_T5 = (Family.sd3, Family.flux)
_ON_DISCRETE = "is defined for epsilon and v models; {title} is a flow model"
_ON_FLOW = "is defined for flow models; {title} is none"
_OF_SD3 = "only Stable Diffusion 3 was made to do without an encoder; {title} was not"


def _with_part(option: str) -> tuple[Family, ...]:
    """The families that have the part which an option gives."""
    return tuple(family for family, options in PART_OPTIONS.items() if option in options)


@dataclass(slots=True, frozen=True)
class FamilyOption:
    """An option that only some families have; for the others it stays at its default."""

    families: tuple[Family, ...]
    why: str  # what of it is missing; {title} is the family's


FAMILY_OPTIONS: dict[str, FamilyOption] = {
    "memory.blocks_to_swap": FamilyOption(
        _TRANSFORMERS,
        "the UNet of {title} is no row of equal blocks. What saves memory there: "
        "training.gradient_checkpointing=true, optimizer=adamw8bit, memory.unload_encoders, memory.quantize",
    ),
    "model.clip_skip": FamilyOption((Family.sd1,), "{title} always reads the layer that it was trained on"),
    "model.clip_l": FamilyOption(_with_part("clip_l"), "{title} has no such text encoder"),
    "model.clip_g": FamilyOption(_with_part("clip_g"), "{title} has no such text encoder"),
    "model.t5xxl": FamilyOption(_with_part("t5xxl"), "{title} has no T5"),
    "model.qwen3": FamilyOption(_with_part("qwen3"), "{title} has no Qwen3"),
    "model.token_length": FamilyOption(
        _CLIP_ONLY, "{title} reads 77 tokens by CLIP, or has none; its longer text has a length of its own"
    ),
    "model.weighted_captions": FamilyOption(
        _CLIP_ONLY, "weights are defined for text that CLIP alone reads, and not for {title}"
    ),
    "model.zero_terminal_snr": FamilyOption(_DISCRETE, _ON_DISCRETE),
    "model.guidance": FamilyOption((Family.flux,), "only FLUX.1-dev is told its guidance; {title} is not"),
    "model.t5_token_length": FamilyOption(_WITH_T5, "{title} has no T5 whose length could be chosen"),
    "model.t5_attention_mask": FamilyOption(_WITH_T5, "{title} has no T5 whose padding could be passed over"),
    "model.clip_l_dropout": FamilyOption((Family.sd3,), _OF_SD3),
    "model.clip_g_dropout": FamilyOption((Family.sd3,), _OF_SD3),
    "model.t5_dropout": FamilyOption((Family.sd3,), _OF_SD3),
    "noise.offset": FamilyOption(_DISCRETE, "noise offset " + _ON_DISCRETE),
    "noise.timesteps": FamilyOption(_FLOW, "a spread of timesteps " + _ON_FLOW),
    "noise.timestep_scale": FamilyOption(_FLOW, "a spread of timesteps " + _ON_FLOW),
    "noise.timestep_mean": FamilyOption(_FLOW, "a spread of timesteps " + _ON_FLOW),
    "noise.mode_scale": FamilyOption(_FLOW, "a spread of timesteps " + _ON_FLOW),
    "noise.timestep_shift": FamilyOption(_FLOW, "a shift of timesteps " + _ON_FLOW),
    "loss.min_snr_gamma": FamilyOption(_DISCRETE, "the signal-to-noise ratio " + _ON_DISCRETE),
    "loss.flow_weighting": FamilyOption(_FLOW, "a weight by sigma " + _ON_FLOW),
}
_OF_SPREAD = {  # options of one spread of timesteps each
    "noise.timestep_mean": TimestepDistribution.logit_normal,
    "noise.timestep_scale": TimestepDistribution.logit_normal,
    "noise.mode_scale": TimestepDistribution.mode,
}


def default_of(key: str) -> object:
    """The value of an option that asks for nothing."""
    return attrgetter(key)(_defaults())


@cache
def _defaults() -> RunConfig:
    return RunConfig()


def family_rule(run: RunConfig) -> list[str]:
    """No option asks for something that the model's family does not have."""
    model = run.model
    facts = FAMILIES[model.family]
    problems = [
        f"{key}={show(given)}: {option.why.format(title=facts.title)}. Set {key}={show(default_of(key))}."
        for key, option in FAMILY_OPTIONS.items()
        if model.family not in option.families and (given := attrgetter(key)(run)) != default_of(key)
    ]
    if facts.is_flow and run.loss.kind is not LossKind.l2 and run.loss.huber_schedule is HuberSchedule.snr:
        why = f"the signal-to-noise ratio {_ON_DISCRETE.format(title=facts.title)}"
        problems.append(f"loss.huber_schedule=snr: {why}. Set loss.huber_schedule=exponential.")
    problems += _spread_problems(run) if facts.is_flow else []
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


def _spread_problems(run: RunConfig) -> list[str]:
    """Options of a spread of timesteps that is not the run's."""
    spread = run.noise.timesteps or run.model.default_timesteps
    return [
        f"{key}={show(given)}: timesteps are spread as {spread.name}, which has no such number. "
        f"Set noise.timesteps={needed.name}, or {key}={show(default_of(key))}."
        for key, needed in _OF_SPREAD.items()
        if spread is not needed and (given := attrgetter(key)(run)) != default_of(key)
    ]
