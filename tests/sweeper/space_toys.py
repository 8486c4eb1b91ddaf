"""A small world to search in: three groups, their choices, and what they compose to."""

from collections.abc import Mapping
from typing import Any

import pytest

from engine.config import ConfigError
from sweeper.config import SweeperConfig
from sweeper.space.reading import read_space
from sweeper.space.settling import settle
from sweeper.space.space import Space

GROUPS = {
    "model": ("demo", "sd15"),
    "optimizer": ("adamw", "prodigy"),
    "network": ("lora",),
    "experiment": ("night",),
    "sampler": ("tpe", "gp"),
}
LR = "tag(log,interval(1e-5,1e-2))"
CONDITIONAL = {
    "optimizer=adamw": {"optimizer.lr": LR},
    "optimizer=prodigy": {"optimizer.args.d_coef": "choice(0.5,1,2)", "optimizer.lr": "choice(0.5,1)"},
}
DEFAULTS = {"model": "demo", "optimizer": "adamw", "optimizer.lr": "0.003", "network.rank": "16", "seed": "0"}


def look(key: str, settings: Mapping[str, object]) -> str:
    """A world in which sd15 predicts v, and the demo the noise."""
    if key == "model.prediction":
        return "v" if settings.get("model") == "sd15" else "epsilon"
    return str(settings[key]) if key in settings else DEFAULTS[key]


def config_of(**given_values: Any) -> SweeperConfig:
    return SweeperConfig(**given_values)


def space_of(*overrides: str, **given_values: Any) -> Space:
    return settle(read_space(config_of(**given_values), overrides, GROUPS), look)[0]


def problems_of(*overrides: str, **given_values: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        space_of(*overrides, **given_values)
    return caught.value.problems
