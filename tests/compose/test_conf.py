"""Every shipped YAML composes, loads, and shows the command that uses it."""

import pytest
from toys import CONF, composed

from engine.compose.guard import check_overrides
from engine.compose.register import register, unless_given
from engine.compose.rules import broken_rules
from engine.config import effective_alpha
from engine.data.bucket_rules import bucket_side

FILES = sorted(CONF.glob("*/*.yaml"))
FILES_OF_DATASETS = {"kohya_toml": "photos.toml", "subsets": "photos.yaml"}


@pytest.mark.parametrize("file", FILES, ids=[file.relative_to(CONF).as_posix() for file in FILES])
def test_shipped_file_composes_and_breaks_no_rule(file) -> None:  # type: ignore[no-untyped-def]
    sign = "+" if file.parent.name == "experiment" else ""
    is_model = file.parent.name == "model" and file.stem != "demo"
    own = ["dataset.path=photos"] if is_model or file.stem == "kohya_folder" else []
    own += [f"dataset.config_file={FILES_OF_DATASETS[file.stem]}"] if file.stem in FILES_OF_DATASETS else []
    register()
    argv = check_overrides([f"{sign}{file.parent.name}={file.stem}", *own], CONF)
    assert broken_rules(composed(*argv)) == []


@pytest.mark.parametrize("file", FILES, ids=[file.relative_to(CONF).as_posix() for file in FILES])
def test_shipped_file_begins_with_the_command_that_uses_it(file) -> None:  # type: ignore[no-untyped-def]
    lines = file.read_text(encoding="utf-8").splitlines()
    command = lines[1] if lines[0].startswith("# @package") else lines[0]
    assert command.startswith("# python train.py ")
    assert f"{file.parent.name}={file.stem}" in command or file.parent.name == "dataset"


def test_groups_take_what_the_model_recommends() -> None:
    demo, sd15 = composed(), composed("model=sd15", "dataset.path=x")
    assert (demo.optimizer.lr, demo.dataset.resolution, demo.dataset.batch_size) == (3e-3, 64, 8)
    assert (sd15.optimizer.lr, sd15.dataset.resolution, sd15.dataset.batch_size) == (1e-4, 512, 1)
    assert (sd15.dataset.min_bucket_reso, sd15.dataset.max_bucket_reso, sd15.dataset.bucket_reso_steps) == (
        256,
        1024,
        64,
    )
    assert (demo.dataset.min_bucket_reso, demo.dataset.max_bucket_reso, demo.dataset.bucket_reso_steps) == (
        32,
        128,
        8,
    )
    assert len(demo.network.layers) == 5 and len(sd15.network.layers) == 3
    flux = composed("model=flux_dev", "dataset.path=x")
    assert [run.training.mixed_precision.name for run in (demo, sd15, flux)] == ["no", "bf16", "bf16"]
    assert [run.training.gradient_checkpointing for run in (demo, sd15, flux)] == [False, False, True]
    assert (flux.sampling.sampler.name, flux.sampling.steps, flux.sampling.guidance_scale) == (
        "flow_euler",
        28,
        3.5,
    )


def test_alpha_follows_the_rank_by_the_recipes_ratio_until_it_is_given() -> None:
    assert effective_alpha(composed("network.rank=8").network) == 8  # type: ignore[arg-type]
    assert effective_alpha(composed("model=sd15", "network.rank=8").network) == 4  # type: ignore[arg-type]
    assert effective_alpha(composed("network.rank=8", "network.alpha_ratio=0.25").network) == 2  # type: ignore[arg-type]
    given = composed("network.rank=8", "network.alpha=3").network
    assert effective_alpha(given) == 3 and given.alpha_ratio is None  # type: ignore[arg-type, attr-defined]


def test_prodigy_has_a_learning_rate_of_one_whatever_the_model_recommends() -> None:
    assert composed("optimizer=prodigy").optimizer.lr == 1.0


def test_bucket_side_is_the_nearest_multiple_of_the_step() -> None:
    assert bucket_side(0.5, 512, 64) == 256
    assert bucket_side(2, 64, 8) == 128
    assert bucket_side(0.5, 100, 64) == 64
    assert bucket_side(0.1, 64, 64) == 64


def test_unless_given_gives_way() -> None:
    assert unless_given(None, 0.5) == 0.5
    assert unless_given(8.0, 0.5) is None


REWRITES = [
    (["network.rank=8"], ["network.rank=8"]),
    (["+network.rank=8"], ["network.rank=8"]),
    (["optimizer.args.weight_decay=0.1"], ["++optimizer.args.weight_decay=0.1"]),
    (["+experiment=night"], ["experiment=night"]),
    (["+optimizer=prodigy"], ["optimizer=prodigy"]),
    (["name=1e3"], ["name='1e3'"]),
    (["name=true"], ["name='true'"]),
    (["dataset.trigger=it's"], [r"dataset.trigger='it\'s'"]),
    (["seed=3", "--cfg=job", "name=x"], ["--cfg=job", "--resolve", "seed=3", "name=x"]),
]


@pytest.mark.parametrize(("typed", "expected"), REWRITES, ids=[typed[0] for typed, _ in REWRITES])
def test_command_line_reaches_hydra_in_the_form_that_it_takes(typed: list[str], expected: list[str]) -> None:
    register()
    assert check_overrides(typed, CONF) == expected


def test_text_options_hold_what_was_typed() -> None:
    register()
    typed = [
        "name=1e3",
        "dataset.path=photos/été (1)",
        "dataset.trigger=it's",
        "sampling.negative_prompt='bad, ugly'",
    ]
    run = composed(*check_overrides(typed, CONF))
    assert run.name == "1e3"
    assert run.dataset.path == "photos/été (1)"
    assert run.dataset.trigger == "it's"
    assert run.sampling.negative_prompt == "bad, ugly"
