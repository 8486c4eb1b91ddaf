"""Options that only some families have: applied where they mean something, refused elsewhere."""

from functools import cache

import pytest
from toys import composed

from engine.compose.family_rules import FAMILY_OPTIONS, default_of, family_rule
from engine.compose.show import show
from engine.config import Family, RunConfig, TimestepDistribution
from engine.models.facts import FAMILIES

RECIPES = {
    Family.sd1: "sd15",
    Family.sd2: "sd21",
    Family.sdxl: "sdxl_vpred",
    Family.sd3: "sd3_medium",
    Family.flux: "flux_schnell",
    Family.anima: "anima",
}
# What asks for each option of the table; "also" what it needs in the families that have it.
ASKED: dict[str, tuple[str, ...]] = {
    "memory.blocks_to_swap": ("memory.blocks_to_swap=1", "training.gradient_checkpointing=true"),
    "model.clip_skip": ("model.clip_skip=2",),
    "model.clip_l": ("model.clip_l=clip",),
    "model.clip_g": ("model.clip_g=clip",),
    "model.t5xxl": ("model.t5xxl=t5",),
    "model.qwen3": ("model.qwen3=qwen",),
    "model.token_length": ("model.token_length=225",),
    "model.weighted_captions": ("model.weighted_captions=true",),
    "model.zero_terminal_snr": ("model.zero_terminal_snr=true",),
    "model.guidance": ("model.guidance=3.5",),
    "model.t5_token_length": ("model.t5_token_length=128",),
    "model.clip_l_dropout": ("model.clip_l_dropout=0.1",),
    "model.clip_g_dropout": ("model.clip_g_dropout=0.1",),
    "model.t5_dropout": ("model.t5_dropout=0.1",),
    "model.t5_attention_mask": ("model.t5_attention_mask=true",),
    "noise.offset": ("noise.offset=0.05",),
    "noise.timesteps": ("noise.timesteps=uniform",),
    "noise.timestep_scale": ("noise.timestep_scale=2",),
    "noise.timestep_mean": ("noise.timestep_mean=0.5",),
    "noise.mode_scale": ("noise.mode_scale=0.5", "noise.timesteps=mode"),
    "noise.timestep_shift": ("noise.timestep_shift=2",),
    "loss.min_snr_gamma": ("loss.min_snr_gamma=5",),
    "loss.flow_weighting": ("loss.flow_weighting=cosmap",),
}
_V_ONLY = {Family.sd1: ("model.prediction=v",), Family.sd2: (), Family.sdxl: ()}


@cache
def _asking(family: Family, key: str) -> RunConfig:
    needed = _V_ONLY.get(family, ()) if key == "model.zero_terminal_snr" else ()
    return composed(f"model={RECIPES[family]}", "dataset.path=x", *ASKED[key], *needed)


def test_every_option_of_the_table_is_asked_for_here() -> None:
    assert set(ASKED) == set(FAMILY_OPTIONS)
    assert set(RECIPES) == set(Family)


@pytest.mark.parametrize("family", list(Family))
def test_a_plain_run_of_each_family_asks_for_nothing_that_it_lacks(family: Family) -> None:
    assert family_rule(composed(f"model={RECIPES[family]}", "dataset.path=x")) == []


@pytest.mark.parametrize("key", ASKED)
def test_each_option_is_taken_by_its_families_and_refused_for_the_others(key: str) -> None:
    option = FAMILY_OPTIONS[key]
    assert option.families and len(option.families) < len(Family)
    for family in Family:
        problems = [words for words in family_rule(_asking(family, key)) if words.startswith(f"{key}=")]
        if family in option.families:
            assert problems == [], family
            continue
        (sentence,) = problems
        assert FAMILIES[family].title in sentence and sentence.endswith(
            f" Set {key}={show(default_of(key))}."
        )


@pytest.mark.parametrize("family", list(Family))
def test_a_sampler_of_the_other_kind_is_refused(family: Family) -> None:
    wrong = "ddim" if FAMILIES[family].is_flow else "flow_euler"
    run = composed(f"model={RECIPES[family]}", "dataset.path=x", f"sampling.sampler={wrong}")
    (sentence,) = family_rule(run)
    assert sentence.startswith(f"sampling.sampler={wrong}: not for {FAMILIES[family].title}. Set ")


def test_pure_noise_is_nothing_to_learn_from_for_a_model_that_predicts_noise() -> None:
    run = composed("model=sdxl", "dataset.path=x", "model.zero_terminal_snr=true")
    (sentence,) = family_rule(run)
    assert sentence.startswith("model.zero_terminal_snr=true: a model that predicts noise learns nothing")


def test_flux_steers_away_from_nothing() -> None:
    run = composed("model=flux_dev", "dataset.path=x", "sampling.negative_prompt=bad")
    (sentence,) = family_rule(run)
    assert sentence.startswith("sampling.negative_prompt=bad: the guidance of FLUX.1 is distilled")


@pytest.mark.parametrize("kind", ["huber", "smooth_l1"])
def test_a_threshold_by_the_signal_is_for_models_that_have_one(kind: str) -> None:
    asked = ("dataset.path=x", f"loss.kind={kind}")
    assert family_rule(composed("model=sdxl", *asked)) == []
    (sentence,) = family_rule(composed("model=anima", *asked))
    assert sentence.startswith("loss.huber_schedule=snr: ") and sentence.endswith("=exponential.")
    assert family_rule(composed("model=anima", *asked, "loss.huber_schedule=exponential")) == []


@pytest.mark.parametrize(
    ("option", "fitting", "default"),
    [
        ("noise.timestep_scale=2", "logit_normal", "1"),
        ("noise.timestep_mean=-1", "logit_normal", "0"),
        ("noise.mode_scale=0.5", "mode", "1.29"),
    ],
)
def test_a_number_of_one_spread_of_timesteps_is_refused_for_the_others(
    option: str, fitting: str, default: str
) -> None:
    asked = ("model=flux_dev", "dataset.path=x", option)
    for spread in TimestepDistribution:
        problems = family_rule(composed(*asked, f"noise.timesteps={spread.name}"))
        if spread.name == fitting:
            assert problems == []
            continue
        key = option.partition("=")[0]
        assert problems == [
            f"{option}: timesteps are spread as {spread.name}, which has no such number. "
            f"Set noise.timesteps={fitting}, or {key}={default}."
        ]
