"""What a checkpoint says of itself against what is asked of it, told before anything is loaded."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from test_checkpoint_families import config_of, folder_of
from test_checkpoint_files_refused import FILES, file_of, words_in
from toys import composed

from engine.compose.checkpoint import checkpoint_problems
from engine.compose.checkpoint_settings import level_notes, recipe_notes
from engine.compose.preflight import disk_problems
from engine.config import Family, MemoryConfig, ModelConfig, Prediction

GUIDED = "double_blocks.0.img_attn.qkv.weight", "guidance_in.in_layer.weight"


def say(folder: Path, part: str, **settings: object) -> None:
    name = "scheduler_config.json" if part == "scheduler" else "config.json"
    (folder / part / name).write_text(json.dumps(settings))


def flux_file(folder: Path, *, is_dev: bool) -> ModelConfig:
    """A transformer in a file, with the other parts beside it."""
    file = file_of({name: [8, 8] for name in GUIDED[: 1 + is_dev]}, folder / "m.safetensors")
    position = "text_model.embeddings.position_embedding.weight"
    return replace(
        config_of(Family.flux, file),
        tokenizers=words_in(folder / "words", "tokenizer", "tokenizer_2"),
        vae=str(file_of({"encoder.down.0.block.0.norm1.weight": [8]}, folder / "vae.safetensors")),
        clip_l=str(file_of({position: [77, 8]}, folder / "l.safetensors")),
        t5xxl=str(
            file_of({"encoder.block.0.layer.0.SelfAttention.q.weight": [8, 8]}, folder / "t5.safetensors")
        ),
    )


@pytest.mark.parametrize("settings", [{"guidance_embeds": False}, {"num_layers": 19}])
def test_guidance_is_refused_where_the_transformer_is_not_told_any(
    settings: dict[str, object], tmp_path: Path
) -> None:
    folder = folder_of(Family.flux, tmp_path / "m")
    config = replace(config_of(Family.flux, folder), guidance=3.5)
    assert checkpoint_problems(config) == []  # of settings that are not there nothing is known
    say(folder, "transformer", **settings)
    assert checkpoint_problems(config) == [
        "model.guidance=3.5: this checkpoint's transformer is not told its guidance, as FLUX.1-schnell's is "
        "not. Set model.guidance=1."
    ]
    assert checkpoint_problems(replace(config, guidance=1.0)) == []
    say(folder, "transformer", guidance_embeds=True)
    assert checkpoint_problems(config) == []


@pytest.mark.parametrize("is_dev", [True, False])
def test_a_file_tells_by_its_tensors_whether_it_is_told_guidance(is_dev: bool, tmp_path: Path) -> None:
    config = flux_file(tmp_path, is_dev=is_dev)
    assert checkpoint_problems(config) == []
    problems = checkpoint_problems(replace(config, guidance=3.5))
    assert [problem.split(": ")[0] for problem in problems] == ([] if is_dev else ["model.guidance=3.5"])


@pytest.mark.parametrize(
    ("recipe", "is_told", "is_noted"),
    [("flux_schnell", True, True), ("flux_schnell", False, False), ("flux_dev", True, False)],
)
def test_weights_of_dev_under_the_recipe_of_schnell_are_named_in_the_plan(
    recipe: str, is_told: bool, is_noted: bool, tmp_path: Path
) -> None:
    folder = folder_of(Family.flux, tmp_path / "m")
    model = composed(f"model={recipe}", f"model.checkpoint={folder}").model
    assert recipe_notes(model) == []  # its settings say nothing
    say(folder, "transformer", guidance_embeds=is_told)
    assert checkpoint_problems(model) == []
    note = (
        "model=flux_schnell: the checkpoint's transformer is told its guidance, as FLUX.1-dev's is, and its "
        "pictures of 4 steps are poor. The recipe for it is model=flux_dev"
    )
    assert recipe_notes(model) == [note] * is_noted


def test_a_file_tells_by_its_tensors_that_it_is_dev(tmp_path: Path) -> None:
    for is_dev in (True, False):
        config = replace(flux_file(tmp_path / str(is_dev), is_dev=is_dev), name="flux_schnell")
        assert len(recipe_notes(config)) == is_dev


def test_settings_that_cannot_be_read_are_damage(tmp_path: Path) -> None:
    folder = folder_of(Family.flux, tmp_path / "m")
    (folder / "transformer/config.json").write_text("{")
    (problem,) = checkpoint_problems(replace(config_of(Family.flux, folder), guidance=3.5))
    assert "m: a JSON file in it can't be read (" in problem and problem.endswith("Repair it.")


@pytest.mark.parametrize(
    ("family", "settings", "count"),
    [
        (Family.flux, {"num_layers": 2, "num_single_layers": 3}, 5),
        (Family.flux, {"guidance_embeds": True}, 57),  # as published, where nothing is said
        (Family.sd3, {"num_layers": 4}, 4),
        (Family.anima, {"num_layers": 6}, 6),
    ],
)
def test_more_blocks_to_swap_than_there_are_is_refused_before_loading(
    family: Family, settings: dict[str, int], count: int, tmp_path: Path
) -> None:
    folder = folder_of(family, tmp_path / "m")
    say(folder, "transformer", **settings)
    recipe = {Family.flux: "flux_dev", Family.sd3: "sd3_medium", Family.anima: "anima"}[family]
    run = composed(
        f"model={recipe}",
        f"model.checkpoint={folder}",
        f"dataset.path={tmp_path}",
        "training.gradient_checkpointing=true",
    )
    told = {
        number: [
            problem
            for problem in disk_problems(replace(run, memory=MemoryConfig(blocks_to_swap=number)))
            if "blocks. Give" in problem
        ]
        for number in (count, count + 1)
    }
    sentence = f"memory.blocks_to_swap={count + 1}: the checkpoint's transformer has {count} blocks. "
    assert told == {count: [], count + 1: [f"{sentence}Give at most {count}."]}


def test_levels_that_end_in_pure_noise_are_refused_where_the_run_says_otherwise(tmp_path: Path) -> None:
    folder = folder_of(Family.sdxl, tmp_path / "m")
    config = replace(config_of(Family.sdxl, folder), prediction=Prediction.v)
    say(folder, "scheduler", prediction_type="v_prediction", rescale_betas_zero_snr=True)
    said = "model.zero_terminal_snr=false: the checkpoint says that its last timestep is pure noise"
    assert checkpoint_problems(config) == [f"{said}. Set model.zero_terminal_snr=true."]
    stated = replace(config, zero_terminal_snr=True)
    assert checkpoint_problems(stated) == level_notes(stated) == []
    say(folder, "scheduler", prediction_type="epsilon", rescale_betas_zero_snr=True)
    (problem,) = checkpoint_problems(replace(config, prediction=Prediction.epsilon))
    assert problem.startswith(f"{said} (rescale_betas_zero_snr), from which a model that predicts noise")


@pytest.mark.parametrize("settings", [{}, {"rescale_betas_zero_snr": False}])
def test_levels_that_are_stretched_beyond_what_the_checkpoint_says_are_named(
    settings: dict[str, object], tmp_path: Path
) -> None:
    folder = folder_of(Family.sdxl, tmp_path / "m")
    say(folder, "scheduler", prediction_type="v_prediction", **settings)
    config = replace(config_of(Family.sdxl, folder), prediction=Prediction.v)
    assert checkpoint_problems(config) == level_notes(config) == []
    stated = replace(config, zero_terminal_snr=True)
    assert checkpoint_problems(stated) == []
    (note,) = level_notes(stated)
    assert "the checkpoint does not say that its last timestep is pure noise: its noise levels are" in note


def test_a_file_says_by_a_tensor_that_its_levels_end_in_pure_noise(tmp_path: Path) -> None:
    words = words_in(tmp_path / "words", "tokenizer")
    for names, says in (({}, False), ({"ztsnr": []}, True)):
        file = file_of({**FILES[Family.sd1], "v_pred": [], **names}, tmp_path / f"{says}.safetensors")
        config = replace(config_of(Family.sd1, file), prediction=Prediction.v, tokenizers=words)
        assert bool(checkpoint_problems(config)) is says
        stated = replace(config, zero_terminal_snr=True)
        assert checkpoint_problems(stated) == [] and bool(level_notes(stated)) is not says
