"""The numbers of the presets are those of conf/sampling/, for a run and for who scores one."""

import pytest

from engine.compose.presets import PRESETS, Preset, preset
from engine.config import ConfigError
from tests.compose.toys import CONF, composed

NUMBERS = {
    "quick": Preset(num_prompts=8, seeds=(1,), first_prompt=0),
    "sweep": Preset(num_prompts=10, seeds=(1, 2), first_prompt=0),
    "confirm": Preset(num_prompts=25, seeds=(101, 102, 103, 104), first_prompt=10),
}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_what_a_run_with_its_file_draws(name: str) -> None:
    sampling = composed(f"sampling={name}").sampling
    assert preset(name) == NUMBERS[name]
    assert preset(name) == Preset(
        num_prompts=sampling.num_prompts, seeds=tuple(sampling.seeds), first_prompt=sampling.first_prompt
    )


def test_confirm_shares_no_prompt_and_no_seed_with_the_others_or_the_default() -> None:
    default, confirm = composed().sampling, preset("confirm")
    others = [preset("quick"), preset("sweep")]
    assert confirm.first_prompt >= max(default.num_prompts, *(one.num_prompts for one in others))
    assert not set(confirm.seeds) & {*default.seeds, *(seed for one in others for seed in one.seeds)}


def test_every_file_but_the_default_is_a_preset() -> None:
    assert {path.stem for path in (CONF / "sampling").glob("*.yaml")} == {"default", *PRESETS}


def test_an_unknown_preset_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"preset=confrim: unknown \(did you mean confirm\?\)\."):
        preset("confrim")
