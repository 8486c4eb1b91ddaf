"""Search spaces on the project's own conf/: every setting is composed by Hydra itself."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, OmegaConf

from engine.compose.files import ConfFolders
from engine.compose.load import load
from engine.compose.register import register
from engine.compose.show import show
from sweeper.config import SweeperConfig
from sweeper.space.grid import grid_of
from sweeper.space.overrides import for_hydra, text_of
from sweeper.space.reading import read_space
from sweeper.space.settling import settle
from sweeper.space.space import Space
from sweeper.space.suggest import parameters_of
from sweeper.space.walking import candidates_of
from sweeper.study.records import Dimension

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture(autouse=True)
def hydra_in_conf() -> Iterator[None]:
    """Hydra as train.py starts it."""
    register()
    Plugins.instance()
    _composed.cache_clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def _compose(overrides: list[str]) -> DictConfig:
    return _composed(tuple(overrides))


@cache
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    return compose("config", overrides=for_hydra(overrides), return_hydra_config=True)


def look(key: str, settings: Mapping[str, object]) -> str:
    """What Hydra composes."""
    config = _compose([f"{name}={text_of(value)}" for name, value in settings.items()])
    if key in config.hydra.runtime.choices:
        return str(config.hydra.runtime.choices[key])
    value = OmegaConf.select(config, key)
    if value is None:
        raise KeyError(key)
    return show(value)


def _groups() -> dict[str, list[str]]:
    folders = ConfFolders(roots=(CONF,))
    return {group: folders.names(group) for group in folders.groups()}


def _settled(config: SweeperConfig, *overrides: str) -> tuple[Space, list[str]]:
    return settle(read_space(config, overrides, _groups()), look)


def test_every_candidate_of_a_conditional_space_composes_and_keeps_its_values() -> None:
    space, lines = _settled(
        SweeperConfig(
            params={"network.rank": "choice(4,16)", "optimizer": "choice(adamw,prodigy)"},
            when={
                "optimizer=adamw": {"optimizer.lr": "tag(log,interval(1e-4,1e-2))"},
                "optimizer=prodigy": {"optimizer.args.d_coef": "choice(0.5,2)"},
                "model.prediction=epsilon|v": {"noise.offset": "interval(0,0.12)"},
            },
        )
    )
    assert lines == [] and space.dimensions[-1] == Dimension(key="noise.offset", low=0.0, high=0.12)
    candidates = candidates_of(space, look)
    assert {} in candidates and len(candidates) > 6
    for settings in candidates:
        config = _compose(space.overrides(settings))
        for key, value in settings.items():
            composed = (
                config.hydra.runtime.choices[key] if key == "optimizer" else OmegaConf.select(config, key)
            )
            assert composed == value
        load(_run_config(space.overrides(settings)))


def _run_config(overrides: list[str]) -> DictConfig:
    return compose("config", overrides=for_hydra(overrides))


def test_texts_lists_and_null_reach_the_config_unchanged() -> None:
    trigger = "choice('été, \"a\" [b]','it\\'s = {c}','true')"
    space, _ = _settled(
        SweeperConfig(
            params={
                "dataset.trigger": trigger,
                "network.layers": "choice([attention],[attention,feed_forward])",
                "network.alpha": "choice(null,4.0)",
            }
        )
    )
    for settings in grid_of(space, look):
        config = _compose(space.overrides(settings))
        assert config.dataset.trigger == settings["dataset.trigger"]
        assert [layer.name for layer in config.network.layers] == settings["network.layers"]
        assert config.network.alpha == settings["network.alpha"]
    assert len(grid_of(space, look)) == 12


def test_a_condition_on_a_value_that_the_models_recipe_sets_is_settled() -> None:
    when = {"model.prediction=v": {"noise.offset": "interval(0,0.1)"}}
    space, lines = _settled(SweeperConfig(when=when), "network.rank=4,8")
    assert lines == ["noise.offset: left out, since model.prediction=epsilon"]
    assert [one.key for one in space.dimensions] == ["network.rank"]


def test_the_defaults_are_parameters_where_they_lie_inside() -> None:
    space, _ = _settled(
        SweeperConfig(
            params={"network.rank": "choice(2,64)", "optimizer.lr": "tag(log,interval(1e-4,1e-2))"}
        ),
        "loss=glob(*)",
    )
    assert parameters_of(space, {}, look) == {"optimizer.lr": 0.003, "loss": "mse"}


@pytest.mark.slow
@pytest.mark.parametrize("file", sorted((CONF / "sweep").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_sweep_is_a_space_whose_candidates_are_sound(file: Path) -> None:
    base = _compose([f"sweep={file.stem}"])
    settings = OmegaConf.to_object(base.hydra.sweeper)
    assert isinstance(settings, SweeperConfig)
    space, _ = _settled(settings)
    assert space.dimensions
    for candidate in candidates_of(space, look):
        load(_run_config([f"sweep={file.stem}", *space.overrides(candidate)]))
