"""What is typed is applied or refused: options that would do nothing beside the others."""

from pathlib import Path

import pytest

from engine.compose.dead_options import DEAD
from engine.compose.guard import check_overrides
from engine.compose.options import all_options
from engine.compose.register import register
from engine.config import ConfigError, LoRAConfig
from tests.compose.toys import CONF


@pytest.fixture(autouse=True, scope="module")
def schemas() -> None:
    """As train.py does first."""
    register()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "optimizer=prodigy model.default_lr=1e-3",
            "model.default_lr=0.001: without effect",
        ),
        ("optimizer.lr=1 model.default_lr=1e-3", "model.default_lr=0.001: without effect"),
        ("model.resolution=72 dataset.resolution=64", "model.resolution=72: without effect"),
        ("model.default_steps=5 training.steps=4", "the length is given by training.steps"),
        ("network.alpha=2 model.default_alpha_ratio=2", "network.alpha is given"),
        ("dataset.enable_bucket=false dataset.min_bucket_reso=64", "enable_bucket=false makes no buckets"),
        ("dataset.bucket_no_upscale=true dataset.max_bucket_reso=64", "leaves small pictures their size"),
        ("dry_run=true inspect=3", "inspect=3: without effect, since dry_run=true ends after the plan"),
        ("sampling.preview_every=0 sampling.preview_prompts=2", "preview_every=0 draws no previews"),
        ("sampling.num_prompts=0 evaluation.enabled=false sampling.steps=4", "sampling.steps=4: without"),
        ("evaluation.enabled=false dataset.trigger=x", "evaluation.enabled=false makes no scores"),
        ("tracking=off tracking.project=x", "tracking.project=x: without effect"),
        ("loss.huber_c=0.2", "loss.huber_c=0.2: without effect, since loss.kind=l2 is the plain square"),
        ("loss.kind=l2 loss.huber_schedule=constant", "loss.huber_schedule=constant: without effect"),
        ("loss=huber loss.huber_scale=2", "huber_schedule=snr has no scale; it goes with constant and"),
    ],
)
def test_option_that_would_do_nothing_is_refused_with_what_makes_it_so(words: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        check_overrides(words.split(), CONF)
    assert len(refusal.value.problems) == 1
    assert sentence in refusal.value.problems[0]


@pytest.mark.parametrize(
    "words",
    [
        "model.default_lr=1e-3",
        "model.default_steps=5",
        "model.resolution=72",
        "sampling.num_prompts=0 evaluation.enabled=false",
        "tracking=off tracking.wandb=offline tracking.project=x",
        "sampling.preview_prompts=2",
        "loss=huber loss.huber_c=0.2 loss.huber_schedule=snr",
        "loss.kind=smooth_l1 loss.huber_schedule=exponential loss.huber_scale=2",
    ],
)
def test_option_that_has_its_effect_is_taken(words: str) -> None:
    assert check_overrides(words.split(), CONF) == words.split()


def test_every_option_of_the_table_exists() -> None:
    paths = [option.path for option in all_options(LoRAConfig)]
    for dead in DEAD:
        for entry in dead.options:
            assert any(path == entry or (entry.endswith(".") and path.startswith(entry)) for path in paths)


def test_option_that_a_dataset_file_states_is_refused_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "photos.toml"
    file.write_text("[general]\nflip_aug = true\n[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'photos'\n")
    words = ["dataset=kohya_toml", f"dataset.config_file={file}", "dataset.cache_latents=true"]
    assert check_overrides([*words, "dataset.caption_prefix=a"], CONF)
    with pytest.raises(ConfigError, match=r"flip_aug=false: without effect, since .*photos\.toml says"):
        check_overrides([*words, "dataset.flip_aug=false"], CONF)
