"""Equal settings find one folder; what changes the weights makes another."""
# ruff: noqa: E501

from dataclasses import replace
from enum import Enum

import pytest
from omegaconf import OmegaConf
from toys import composed

from engine.compose.options import all_options
from engine.compose.run_id import ADDED, EXCLUDED, identity, is_excluded, plain_values, run_folder, run_id
from engine.config import LoRAConfig

SAME = [
    ("network.alpha=16.0",),
    ("network.alpha_ratio=1",),
    ("training.steps=300",),
    ("dataset.concept=sks",),
    ("optimizer.lr=0.003",),
    ("name=other", "output_dir=elsewhere", "force=true"),
    ("sampling.steps=7", "evaluation.enabled=false", "tracking=off"),
    ("training.gradient_checkpointing=true", "training.validate_every=7", "training.checkpoint_every=9"),
    ("network.layers=[time_embedding,convolutions,projections,feed_forward,attention]",),
]
OTHER = ["seed=1", "network.rank=8", "network.alpha=8", "optimizer.lr=1e-3", "noise.offset=0.1", "training.steps=299",
         "training.epochs=150", "dataset.concept=night", "dataset.batch_size=4", "training.threads=2", "loss=min_snr", "loss=huber",
         "optimizer=prodigy", "model.checkpoint=other", "network.layers=[attention]", "lr_schedule.warmup=0.1"]  # fmt: skip


@pytest.mark.parametrize("overrides", SAME, ids=[words[0] for words in SAME])
def test_settings_that_mean_the_same_weights_have_one_id(overrides: tuple[str, ...]) -> None:
    assert run_id(composed(*overrides)) == run_id(composed())


def test_settings_that_change_the_weights_have_ids_of_their_own() -> None:
    ids = [run_id(composed()), *(run_id(composed(word)) for word in OTHER)]
    assert len(set(ids)) == len(ids)


def test_id_is_eight_hexadecimal_digits_and_names_the_folder() -> None:
    run = composed("output_dir=runs", "name=mine")
    assert len(run_id(run)) == 8 and int(run_id(run), 16) >= 0
    assert run_folder(run).as_posix() == f"runs/mine-{run_id(run)}"


def test_spelling_of_a_path_does_not_matter() -> None:
    assert run_id(composed("dataset.path=photos/")) == run_id(composed("dataset.path=./photos"))
    assert run_id(composed("dataset.path=photos")) != run_id(composed("dataset.path=photos2"))


def test_whole_numbers_in_optimizer_args_are_equal_with_and_without_a_point() -> None:
    first, second = composed(), composed()
    first = replace(first, optimizer=replace(first.optimizer, args={"eps": 1}))
    second = replace(second, optimizer=replace(second.optimizer, args={"eps": 1.0}))
    assert run_id(first) == run_id(second) != run_id(composed())


def test_every_option_is_part_of_the_identity_or_named_as_excluded() -> None:
    kept = set(identity(composed("dataset.path=x", "optimizer.args={}"))) - {"network"}
    listed = {option.path for option in all_options(LoRAConfig)} - {"optimizer.args"}
    assert listed - kept - set(ADDED) == {path for path in listed if is_excluded(path)}


@pytest.mark.parametrize("path", ADDED)
def test_an_option_that_came_later_leaves_known_ids_and_counts_where_it_is_given(path: str) -> None:
    section, _, name = path.rpartition(".")
    run = composed()
    assert path not in identity(run)
    options = getattr(run, section)
    given = replace(options, **{name: _other(getattr(options, name))})
    assert path in identity(replace(run, **{section: given}))


def _other(value: object) -> object:
    if isinstance(value, bool) or value is None:
        return True if value is None else not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, Enum):
        return next(member for member in type(value) if member is not value)
    return ["other"] if isinstance(value, list) else {"other": 1} if isinstance(value, dict) else "other"


def test_every_excluded_name_is_an_option_or_a_section() -> None:
    listed = {option.path for option in all_options(LoRAConfig)}
    assert all(entry in listed or any(path.startswith(f"{entry}.") for path in listed) for entry in EXCLUDED)


@pytest.mark.parametrize(
    "overrides",
    [[], ["model=sd15", "model.checkpoint=x", "dataset.path=y"], ["noise=offset", "optimizer=prodigy"]],
)
def test_plain_values_are_those_that_omegaconf_gives(overrides: list[str]) -> None:
    run = composed(*overrides)
    assert plain_values(run) == OmegaConf.to_container(OmegaConf.structured(run), enum_to_str=True)
