"""How many prompts and seeds a named preset draws: conf/sampling/ is the one place of the numbers."""

from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from engine.compose.options import did_you_mean
from engine.config import ConfigError, SamplingConfig

PRESETS = ("quick", "sweep", "confirm")
_FOLDER = Path(__file__).resolve().parents[2] / "conf" / "sampling"


@dataclass(kw_only=True, slots=True, frozen=True)
class Preset:
    """Which prompts of a list, and with which seeds."""

    num_prompts: int
    seeds: tuple[int, ...]
    first_prompt: int  # prompts that are passed over


def preset(name: str) -> Preset:
    """The numbers of conf/sampling/<name>.yaml; what it does not say is the default of a run.

    raises  ConfigError when there is no such preset
    """
    if name not in PRESETS:
        raise ConfigError(f"preset={name}: unknown{did_you_mean(name, PRESETS)}.")
    plain = SamplingConfig()
    stated = OmegaConf.load(_FOLDER / f"{name}.yaml")
    return Preset(
        num_prompts=int(OmegaConf.select(stated, "num_prompts", default=plain.num_prompts)),
        seeds=tuple(OmegaConf.select(stated, "seeds", default=plain.seeds)),
        first_prompt=int(OmegaConf.select(stated, "first_prompt", default=plain.first_prompt)),
    )
