"""What the searched keys are in settings that leave some of them to the config: trial 0, and other starts."""

from collections.abc import Mapping

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sweeper.space.space import Space
from sweeper.work.composer import Composer


def values_of(space: Space, composer: Composer, settings: Mapping[str, object]) -> dict[str, object]:
    """Key -> value of every dimension that exists under these settings, composed ones where none is given."""
    config = composer.compose(composer.overrides(settings))
    values: dict[str, object] = {}
    for dimension in space.dimensions:
        known = {key: value for key, value in settings.items() if key in values or key == dimension.key}
        if space.exists(dimension, {**known, **values}, composer.look):
            values[dimension.key] = settings.get(dimension.key, _composed(config, dimension.key))
    return values


def _composed(config: DictConfig, key: str) -> object:
    picks = config.hydra.runtime.choices
    if key in picks:
        return picks[key]
    try:
        value = OmegaConf.select(config, key)
    except OmegaConfBaseException:
        return None
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
