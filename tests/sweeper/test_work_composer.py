"""A trial's config, composed the quick way, is what Hydra itself composes from the same words."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf
from work_toys import CONF, composer_of, hydras_own, plan_of, sweep_file

from engine.compose.load import load
from engine.compose.run_id import identity, plain_values
from sweeper.space.walking import candidates_of
from sweeper.work.composer import Composer

SETTINGS: list[Mapping[str, object]] = [
    {},
    {"network.rank": 4},
    {"network.rank": 4, "optimizer.lr": 1e-05, "noise.offset": 0.12},
    {"optimizer": "prodigy"},
    {"optimizer": "prodigy", "optimizer.args.d_coef": 0.1, "network.alpha_ratio": 0.25},
    {"optimizer.args.weight_decay": 0.1, "optimizer.args.betas": [0.9, 0.99]},
    {"model": "demo", "loss": "huber", "loss.huber_c": 0.2},
    {"network.alpha": 3.0},
    {"network.layers": ["attention"]},
    {"dataset.trigger": "été, 'a' [b] {c} = $d"},
    {"dataset.caption_prefix": "true"},
    {"dataset.caption_prefix": ""},
    {"network.rank": 2, "training": "default", "training.steps": 7, "seed": 5},
]
FIXED = [
    (),
    ("training.steps=10", "training.threads=1"),
    ("optimizer=prodigy", "++optimizer.args.weight_decay=0.01"),
    ("training.steps='${times:${network.rank},3}'", "noise.offset=${model.default_lr}"),
]


def run_part(config: DictConfig) -> object:
    """What the run sees; Hydra's section apart."""
    found = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    assert isinstance(found, dict)
    return {key: value for key, value in found.items() if key != "hydra"}


@pytest.mark.parametrize("fixed", FIXED, ids=["nothing", "options", "group and argument", "references"])
def test_quick_composition_is_hydras_own(fixed: tuple[str, ...]) -> None:
    composer = composer_of("sweep=lora", fixed=fixed)
    for settings in SETTINGS if not fixed else SETTINGS[FIXED.index(fixed) :: 3]:
        overrides = composer.overrides(settings)
        quick, own = composer.compose(overrides), hydras_own(composer, overrides)
        assert run_part(quick) == run_part(own), settings
        assert quick.hydra.runtime.choices == own.hydra.runtime.choices, settings
        assert quick.hydra.sweeper == own.hydra.sweeper
        assert OmegaConf.to_container(quick.hydra.overrides.task, resolve=False) == list(overrides)


def test_what_one_composition_sets_is_not_in_the_next() -> None:
    composer = composer_of("sweep=quick")
    composer.compose(composer.overrides({"network.rank": 3, "optimizer.args.weight_decay": 0.5}))
    config = composer.compose(composer.overrides({}))
    assert config.network.rank == 16 and "weight_decay" not in config.optimizer.args


def test_a_sweep_of_a_folder_of_ones_own_is_composed_too(tmp_path: Path) -> None:
    flag = sweep_file(tmp_path, "network:\n  dropout: 0.1\nhydra:\n  sweeper:\n    study: own\n")
    composer = composer_of(flag, "sweep=mine", "network.rank=4,8")
    composer.fixed = tuple(text for text in composer.fixed if "," not in text)
    for settings in ({}, {"network.rank": 4}, {"optimizer": "prodigy"}):
        overrides = composer.overrides(settings)
        quick = composer.compose(overrides)
        assert quick.network.dropout == 0.1
        assert run_part(quick) == run_part(hydras_own(composer, overrides))


def test_an_option_that_is_none_is_hydras_own_error_in_both() -> None:
    composer = composer_of("sweep=quick")
    for overrides in (("network.rnk=3",), ("optimizer.args.d_coef=3",)):
        with pytest.raises(ConfigCompositionException):
            hydras_own(composer, overrides)
        with pytest.raises(ConfigCompositionException):
            composer.compose(overrides)


def test_the_last_override_of_a_key_wins_and_stands_last() -> None:
    composer = composer_of("sweep=quick", fixed=("seed=1", "optimizer.args.eps=0.1", "training.steps=9"))
    told = composer.overrides({"seed": 2}, "training.steps=10", "seed=3", "++optimizer.args.eps=0.2")
    assert told == ("sweep=quick", "training.steps=10", "seed=3", "++optimizer.args.eps=0.2")


@pytest.mark.parametrize(
    ("key", "settings", "value"),
    [
        ("optimizer", {}, "adamw"),
        ("optimizer", {"optimizer": "prodigy"}, "prodigy"),
        ("optimizer.lr", {}, "0.003"),
        ("optimizer.lr", {"optimizer": "prodigy"}, "1.0"),
        ("model.prediction", {}, "epsilon"),
        ("network.rank", {"network.rank": 3}, "3"),
        ("evaluation.enabled", {}, "true"),
        ("optimizer.args.d_coef", {"optimizer": "prodigy", "optimizer.args.d_coef": 1e-05}, "1e-05"),
    ],
)
def test_a_key_is_looked_up_as_it_is_composed(key: str, settings: dict[str, object], value: str) -> None:
    composer = composer_of("sweep=quick")
    assert composer.look(key, settings) == value
    assert composer.look(key, settings) == value  # remembered


@pytest.mark.parametrize("key", ["network.rnk", "nothing", "model.prediction.value", "optimizer.args.d_coef"])
def test_a_key_that_is_not_there_is_a_key_error_each_time(key: str) -> None:
    composer = composer_of("sweep=quick")
    for _ in range(2):
        with pytest.raises(KeyError):
            composer.look(key, {})


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(file.stem for file in (CONF / "sweep").glob("*.yaml")))
def test_a_trial_of_a_shipped_sweep_is_the_same_run_without_the_sweeps_file(name: str) -> None:
    plan = plan_of(f"sweep={name}", "training.steps=10")
    candidates = candidates_of(plan.space, plan.composer.look)
    assert len(candidates) > 3
    bare = composer_of("network.rank=4,8")  # a sweep of no file, to compose without one
    for settings in candidates[:: max(1, len(candidates) // 3)]:
        overrides = plan.composer.overrides(settings, "training.threads=1")
        spelled_out = plan.composer.explicit(overrides)
        assert not any(text.lstrip("+").startswith(("sweep=", "hydra")) for text in spelled_out)
        wanted = load(plan.composer.task_config(overrides))
        found = load(bare.task_config(spelled_out))
        assert identity(found) == identity(wanted)
        assert plain_values(found)["sampling"] == plain_values(wanted)["sampling"]
        assert plain_values(found)["evaluation"] == plain_values(wanted)["evaluation"]


def test_without_a_sweeps_file_nothing_is_added() -> None:
    composer = composer_of("network.rank=4,8")
    composer.fixed = ()
    overrides = composer.overrides({"network.rank": 4, "optimizer.args.eps": 0.1})
    assert composer.explicit(overrides) == overrides


def test_a_composer_travels_to_another_process_and_forgets() -> None:
    composer = composer_of("sweep=quick")
    config = composer.compose(composer.overrides({"network.rank": 4}))
    other = pickle.loads(pickle.dumps(composer.fresh()))
    assert isinstance(other, Composer) and other._composed == {}
    assert run_part(other.compose(other.overrides({"network.rank": 4}))) == run_part(config)
