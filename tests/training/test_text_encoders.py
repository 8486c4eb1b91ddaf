"""Text encoders trained beside the denoiser, by whole runs at toy size."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor

from engine.compose.plan import plan_lines
from engine.compose.rules import broken_rules
from engine.config import ConfigError, Family
from engine.config.outcome import Outcome
from engine.models.checkpoint import load_family
from engine.networks.lora_from_file import attach_lora_file, read_kohya_lora
from engine.sampling.draw import draw_pictures, draw_settings, to_png
from engine.training.job import Hooks, Moment
from engine.training.result import TrainResult
from engine.training.train import train
from tests.compose.toys import composed
from tests.data.real_photographs import write_photographs
from tests.models.tiny_anima import write_tiny_anima
from tests.models.tiny_flux import write_tiny_flux
from tests.models.tiny_sd1 import write_tiny_model
from tests.models.tiny_sd3 import write_tiny_sd3
from tests.models.tiny_sdxl import write_tiny_sdxl
from tests.training.toy_runs import small_run, train_small

MODELS: dict[str, Callable[[Path], None]] = {
    "sd15": write_tiny_model,
    "sdxl": write_tiny_sdxl,
    "sd35_medium": partial(write_tiny_sd3, is_35=True),
    "flux_dev": write_tiny_flux,
    "anima": write_tiny_anima,
}
_CLIP = [*(f"self_attn_{name}_proj" for name in "qkv"), "self_attn_out_proj", "mlp_fc1", "mlp_fc2"]
_T5 = [
    *(f"layer_0_SelfAttention_{name}" for name in "qkvo"),
    *(f"layer_1_DenseReluDense_{name}" for name in ("wi_0", "wi_1", "wo")),
]
_QWEN3 = [
    *(f"self_attn_{name}_proj" for name in "qkvo"),
    *(f"mlp_{name}_proj" for name in ("gate", "up", "down")),
]


def _keys(stem: str, names: list[str], layers: int) -> set[str]:
    return {f"{stem}_{layer}_{name}" for layer in range(layers) for name in names}


# Recipe -> text encoder -> kohya's keys of its layers, written out from the toys' numbers of layers.
KEYS: dict[str, dict[str, set[str]]] = {
    "sd15": {"text_encoder": _keys("lora_te_text_model_encoder_layers", _CLIP, 2)},
    "sdxl": {
        "text_encoder": _keys("lora_te1_text_model_encoder_layers", _CLIP, 3),
        "text_encoder_2": _keys("lora_te2_text_model_encoder_layers", _CLIP, 2),
    },
    "sd35_medium": {
        "text_encoder": _keys("lora_te1_text_model_encoder_layers", _CLIP, 3),
        "text_encoder_2": _keys("lora_te2_text_model_encoder_layers", _CLIP, 3),
        "text_encoder_3": _keys("lora_te3_encoder_block", _T5, 2),
    },
    "flux_dev": {
        "text_encoder": _keys("lora_te1_text_model_encoder_layers", _CLIP, 2),
        "text_encoder_2": _keys("lora_te3_encoder_block", _T5, 2),
    },
    "anima": {"text_encoder": _keys("lora_te_layers", _QWEN3, 2)},
}
OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in ("sd35_medium", "flux_dev", "anima")]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """photos/ with four pictures and their captions, and a checkpoint for each of MODELS."""
    desk = tmp_path_factory.mktemp("text")
    for path in write_photographs(desk / "photos")[4:]:
        path.unlink()
        path.with_suffix(".txt").unlink()
    for name, write in MODELS.items():
        write(desk / name)
    return desk


def _options(desk: Path, model: str, *overrides: str, layers: str = "") -> tuple[str, ...]:
    chosen = layers or ",".join(["attention", *KEYS[model]])
    return (
        f"model={model}",
        f"model.checkpoint={desk / model}",
        f"dataset.path={desk / 'photos'}",
        "dataset.resolution=64",
        "dataset.cache_text_embeddings=false",
        f"network.layers=[{chosen}]",
        "optimizer.lr=3e-3",
        "training.mixed_precision=no",
        *overrides,
    )


def _train(desk: Path, folder: Path, model: str, *overrides: str, layers: str = "") -> TrainResult:
    return train_small(folder, *_options(desk, model, *overrides, layers=layers))


def _file(result: TrainResult) -> dict[str, Tensor]:
    assert result.outcome is Outcome.completed and result.weights is not None
    return load_file(result.weights)


def _largest(state: dict[str, Tensor], prefix: str) -> float:
    """Of the up matrices, which are zero at first."""
    return max(
        float(tensor.abs().max())
        for key, tensor in state.items()
        if key.startswith(prefix) and key.endswith("lora_up.weight")
    )


@pytest.mark.parametrize(
    "model",
    ["sd15", "sdxl", *OTHERS],
)
def test_every_text_encoder_learns_under_kohyas_keys_and_the_fixed_loss_falls(
    desk: Path, tmp_path: Path, model: str
) -> None:
    options = ("training.steps=25", "training.validation_images=4", "sampling.num_prompts=0")
    result = _train(desk, tmp_path, model, *options)
    state = _file(result)
    found = {key.partition(".")[0] for key in state if key.startswith("lora_te")}
    assert found == set().union(*KEYS[model].values())
    for keys in KEYS[model].values():
        moved = [key for key in keys if bool(state[f"{key}.lora_up.weight"].any())]
        assert len(moved) > len(keys) / 2  # SDXL does not read its first encoder's last layer
    losses = [loss for _, loss in result.val_losses]
    assert losses[-1] < losses[0] - 5e-4


@pytest.mark.parametrize(
    "model",
    ["sd15", "sdxl", *OTHERS],
)
def test_text_alone_is_trained_and_the_fixed_loss_and_the_pictures_see_it(
    desk: Path, tmp_path: Path, model: str
) -> None:
    plain = _train(desk, tmp_path, model, "training.steps=1")
    result = _train(
        desk,
        tmp_path,
        model,
        "training.steps=15",
        "training.validation_images=4",
        "network.rank=4",
        "network.dropout=0.1",
        "training.gradient_checkpointing=true",
        layers=",".join(KEYS[model]),
    )
    assert all(key.startswith("lora_te") for key in _file(result))
    losses = [loss for _, loss in result.val_losses]
    assert losses[-1] < losses[0]
    assert _pictures(result, "base") == _pictures(plain, "base") != _pictures(result, "final")


def _pictures(result: TrainResult, name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((result.folder / "samples" / name).rglob("*.png"))]


def test_the_file_alone_draws_the_runs_own_pictures(desk: Path, tmp_path: Path) -> None:
    options = _options(desk, "sdxl", "training.steps=10", "optimizer.lr=3e-2")
    run, plan = small_run(tmp_path, *options)
    result = train(run, plan, console=Console(quiet=True))
    assert result.weights is not None
    family = load_family(run.model, device=torch.device("cpu"), dtype=torch.float32)
    file = read_kohya_lora(result.weights)
    attached = attach_lora_file(
        file, family.every_layer(), family=Family.sdxl, path=result.weights, device=family.device
    )
    try:
        prompt = plan.drawing.chosen.prompts[0].text
        drawn = draw_pictures(family, [prompt], [1], draw_settings(run.sampling, size=plan.scan.size))
    finally:
        attached.detach()
    assert [to_png(one.image) for one in drawn] == _pictures(result, "final") != _pictures(result, "base")


def test_rates_of_the_first_step_are_those_of_the_command_line(desk: Path, tmp_path: Path) -> None:
    """Adam's first step is as long as the learning rate, whatever the gradient is."""
    result = _train(
        desk,
        tmp_path,
        "sdxl",
        "training.steps=1",
        "sampling.num_prompts=0",
        "lr_schedule=constant",
        "optimizer.text_lr=1e-5",
        "network.learning_rates=['text_encoder_2: 0.5']",
    )
    state = _file(result)
    assert _largest(state, "lora_unet_") == pytest.approx(3e-3, rel=0.01)
    assert _largest(state, "lora_te1_") == pytest.approx(1e-5, rel=0.01)
    assert _largest(state, "lora_te2_") == pytest.approx(5e-6, rel=0.01)


def test_a_factor_of_zero_leaves_an_encoder_out_of_the_file(desk: Path, tmp_path: Path) -> None:
    result = _train(
        desk,
        tmp_path,
        "sdxl",
        "training.steps=2",
        "sampling.num_prompts=0",
        "network.learning_rates=['text_encoder_2: 0']",
    )
    assert {key.partition("_text")[0] for key in _file(result) if "_te" in key} >= {"lora_te1"}
    assert not any(key.startswith("lora_te2") for key in _file(result))


def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(desk: Path, tmp_path: Path) -> None:
    options = _options(
        desk,
        "sdxl",
        "training.steps=6",
        "training.checkpoint_every=2",
        "training.gradient_accumulation=2",
        "training.validate_every=3",
        "network.dropout=0.2",
        "optimizer.text_lr=1e-3",
        "sampling.num_prompts=0",
    )
    whole = train_small(tmp_path / "whole", *options)

    def stop(moment: Moment) -> None:
        if moment.doing == "training" and moment.step == 3:
            raise RuntimeError("stopped by the test")

    with pytest.raises(RuntimeError, match="stopped by the test"):
        train_small(tmp_path / "stopped", *options, hooks=Hooks(on_moment=stop))
    ended = train_small(tmp_path / "stopped", *options)
    assert not ended.reused and whole.weights is not None and ended.weights is not None
    assert ended.val_losses == whole.val_losses
    assert ended.weights.read_bytes() == whole.weights.read_bytes()


def test_the_plan_counts_the_encoders_layers_and_tells_their_rate(desk: Path, tmp_path: Path) -> None:
    run, plan = small_run(tmp_path, *_options(desk, "sdxl", "optimizer.text_lr=1e-5"))
    _, of_unet = small_run(tmp_path, *_options(desk, "sdxl", layers="attention"))
    assert plan.num_layers - of_unet.num_layers == sum(len(keys) for keys in KEYS["sdxl"].values())
    assert "lr 0.003 (1e-05 for text encoders) " in dict(plan_lines(run, plan))["optimizer"]


CACHED = (
    "dataset.cache_text_embeddings=true: text encoders are trained (text_encoder), and their embeddings "
    "change. Set dataset.cache_text_embeddings=false."
)
REFUSALS = [
    (["network.layers=[text_encoder]"], CACHED),
    (
        ["network.layers=[attention,text_encoder_2]", "dataset.cache_text_embeddings=false"],
        "network.layers=[attention,text_encoder_2]: text_encoder_2 cannot be trained with Stable Diffusion "
        "1. Leave it out; of its text encoders these can be: text_encoder.",
    ),
    (
        ["optimizer.text_lr=1e-5"],
        "optimizer.text_lr=1e-05: no text encoder is trained. Leave it out, or add one to network.layers, "
        "such as text_encoder.",
    ),
    (
        [
            "optimizer=prodigy",
            "optimizer.text_lr=0.5",
            "network.layers=[attention,text_encoder]",
            "dataset.cache_text_embeddings=false",
        ],
        "optimizer.text_lr=0.5: prodigyopt.Prodigy finds one step size for all weights and takes one "
        "learning rate. Leave it out, or set optimizer=adamw.",
    ),
]


@pytest.mark.parametrize(("overrides", "sentence"), REFUSALS, ids=[words[0] for words, _ in REFUSALS])
def test_what_cannot_be_is_refused_with_a_sentence(overrides: list[str], sentence: str) -> None:
    assert broken_rules(composed(*overrides)) == [sentence]


def test_an_encoder_that_a_checkpoint_lacks_is_refused(desk: Path, tmp_path: Path) -> None:
    write_tiny_sd3(tmp_path / "without", with_t5=False)
    with pytest.raises(ConfigError, match="this model has no layers of the group text_encoder_3"):
        _train(desk, tmp_path, "sd35_medium", f"model.checkpoint={tmp_path / 'without'}")
