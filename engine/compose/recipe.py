"""One recipe of conf/model/ by its name, outside a run."""

from dataclasses import replace
from pathlib import Path

from omegaconf import OmegaConf

from engine.compose.options import did_you_mean
from engine.config import ConfigError, ModelConfig

_FOLDER = Path(__file__).resolve().parents[2] / "conf" / "model"


def model_recipe(name: str, *, checkpoint: str | None = None) -> ModelConfig:
    """The model of conf/model/<name>.yaml.

    checkpoint  a diffusers folder or hub id in place of the recipe's own
    raises      ConfigError when there is no such recipe
    """
    names = sorted(file.stem for file in _FOLDER.glob("*.yaml"))
    if name not in names:
        raise ConfigError(f"model={name}: unknown{did_you_mean(name, names)}.")
    stated = OmegaConf.load(_FOLDER / f"{name}.yaml")
    recipe = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(ModelConfig), stated))
    assert isinstance(recipe, ModelConfig)
    return recipe if checkpoint is None else replace(recipe, checkpoint=checkpoint)
