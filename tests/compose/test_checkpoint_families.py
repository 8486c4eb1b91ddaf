"""What the files of a checkpoint tell of it, for each family; nothing in them is more than a header."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from toys import composed, write_header_only

from engine.compose.checkpoint import checkpoint_problems, read_checkpoint
from engine.config import Family, LayerGroup, ModelConfig, Prediction
from engine.models.facts import FAMILIES

DENOISERS: dict[Family, dict[str, list[int]]] = {
    Family.sd3: {
        "transformer_blocks.0.attn.to_q.weight": [8, 8],
        "transformer_blocks.0.attn.to_k.weight": [8, 8],
        "transformer_blocks.0.attn.to_v.weight": [8, 8],
        "transformer_blocks.0.attn.norm_q.weight": [4],
        "transformer_blocks.0.ff.net.2.weight": [8, 32],
        "pos_embed.proj.weight": [8, 16, 2, 2],
    },
    Family.flux: {
        "single_transformer_blocks.0.attn.to_q.weight": [6, 6],
        "single_transformer_blocks.0.attn.to_k.weight": [6, 6],
        "single_transformer_blocks.0.attn.to_v.weight": [6, 6],
        "single_transformer_blocks.0.proj_mlp.weight": [24, 6],
        "single_transformer_blocks.0.proj_out.weight": [6, 30],
    },
}
UNET = {"down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight": [8, 4]}
A, F = LayerGroup.attention, LayerGroup.feed_forward
LAYERS = {
    Family.sd3: {
        ("transformer_blocks.0.attn.to_q", A, (24, 8)),
        ("transformer_blocks.0.ff.net.2", F, (8, 32)),
    },
    Family.flux: {
        ("single_transformer_blocks.0.attn.to_q", A, (42, 6)),
        ("single_transformer_blocks.0.proj_out", A, (6, 30)),
    },
}


def folder_of(family: Family, folder: Path, *, without: tuple[str, ...] = ()) -> Path:
    """A diffusers folder of a family that holds headers."""
    facts = FAMILIES[family]
    for part in facts.parts:
        (folder / part).mkdir(parents=True)
    (folder / facts.index_file).write_text(json.dumps({"_class_name": facts.pipeline}))
    for part in facts.tokenizers:
        (folder / part / "tokenizer.json").write_text("{}")
    for part in facts.weighty:
        shapes = DENOISERS.get(family, UNET) if part == facts.denoiser else {"x.weight": [4]}
        write_header_only(folder / part / "model.safetensors", shapes)
        (folder / part / "config.json").write_text("{}")
    kind = {"prediction_type": "epsilon"} if not facts.is_flow else {"shift": 3.0}
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(kind))
    (folder / "vae/config.json").write_text(json.dumps({"block_out_channels": [4, 4, 4, 4]}))
    for part in without:
        shutil.rmtree(folder / part)
    return folder


def config_of(family: Family, folder: Path) -> ModelConfig:
    prediction = Prediction.flow if FAMILIES[family].is_flow else Prediction.epsilon
    return ModelConfig(name="toy", family=family, checkpoint=str(folder), prediction=prediction)


@pytest.mark.parametrize("family", Family)
def test_a_whole_folder_of_each_family_is_taken(family: Family, tmp_path: Path) -> None:
    assert checkpoint_problems(config_of(family, folder_of(family, tmp_path / "m"))) == []


@pytest.mark.parametrize("family", Family)
def test_every_part_that_is_missing_is_named(family: Family, tmp_path: Path) -> None:
    facts = FAMILIES[family]
    for part in facts.parts:
        folder = folder_of(family, tmp_path / part, without=(part,))
        (problem,) = checkpoint_problems(config_of(family, folder))
        said = f"{part} is missing in it. Give a whole diffusers folder."
        assert said in problem if part not in facts.optional else f"without {part}. Get {part} too" in problem


def test_sd3_goes_without_its_third_encoder(tmp_path: Path) -> None:
    folder = folder_of(Family.sd3, tmp_path / "m", without=("text_encoder_3", "tokenizer_3"))
    config = config_of(Family.sd3, folder)
    assert checkpoint_problems(config) == []
    assert read_checkpoint(config).num_values == 3 * 64 + 4 + 256 + 8 * 16 * 4 + 3 * 4


@pytest.mark.parametrize("family", LAYERS)
def test_modules_that_are_one_layer_in_files_are_one_layer_of_the_plan(
    family: Family, tmp_path: Path
) -> None:
    read = read_checkpoint(config_of(family, folder_of(family, tmp_path / "m")))
    assert {(layer.name, layer.group, layer.shape) for layer in read.layers} == LAYERS[family]


@pytest.mark.parametrize(
    ("config", "factor"),
    [({"block_out_channels": [4, 4, 4]}, 4), ({"dim_mult": [1, 2, 4, 4], "z_dim": 16}, 8), ({}, 8)],
)
def test_a_latent_stands_for_as_many_pixels_as_the_vae_halves_sides(
    config: dict[str, object], factor: int, tmp_path: Path
) -> None:
    folder = folder_of(Family.flux, tmp_path / "m")
    (folder / "vae/config.json").write_text(json.dumps(config))
    assert read_checkpoint(config_of(Family.flux, folder)).latent_factor == factor


@pytest.mark.parametrize("given", Family)
@pytest.mark.parametrize("named", Family)
def test_a_checkpoint_of_another_family_is_told_by_the_recipe_that_takes_it(
    given: Family, named: Family, tmp_path: Path
) -> None:
    folder = folder_of(given, tmp_path / "m")
    (folder / FAMILIES[given].denoiser / "config.json").write_text(
        json.dumps({"cross_attention_dim": FAMILIES[given].text_width})
    )
    problems = checkpoint_problems(config_of(named, folder))
    if given is named:
        assert problems == []
        return
    (problem,) = problems
    assert f"this is a checkpoint of {FAMILIES[given].title}, and" in problem
    assert problem.endswith(f"Use model={FAMILIES[given].recipe}.")


@pytest.mark.parametrize(
    ("family", "width", "recipe"),
    [(Family.sd1, 1024, "sd21"), (Family.sd2, 768, "sd15"), (Family.sd1, 768, None), (Family.sd2, 16, None)],
)
def test_the_two_stable_diffusions_are_told_apart_by_the_width_of_their_text(
    family: Family, width: int, recipe: str | None, tmp_path: Path
) -> None:
    folder = folder_of(family, tmp_path / "m")
    (folder / "unet/config.json").write_text(json.dumps({"cross_attention_dim": width}))
    problems = checkpoint_problems(config_of(family, folder))
    assert [problem.rsplit("Use model=", 1)[1] for problem in problems] == ([f"{recipe}."] if recipe else [])


def test_a_pipeline_of_no_family_is_named(tmp_path: Path) -> None:
    folder = folder_of(Family.flux, tmp_path / "m")
    (folder / "model_index.json").write_text('{"_class_name": "FluxFillPipeline"}')
    (problem,) = checkpoint_problems(config_of(Family.flux, folder))
    assert "holds a FluxFillPipeline, and model.family=flux is FLUX.1 (FluxPipeline)" in problem


def test_what_a_flow_models_scheduler_does_not_say_is_not_asked(tmp_path: Path) -> None:
    config = config_of(Family.sd2, folder_of(Family.sd2, tmp_path / "m"))
    (problem,) = checkpoint_problems(replace(config, prediction=Prediction.v))
    assert problem.endswith("the checkpoint's scheduler says epsilon. Use model=sd21_base.")
    (tmp_path / "m/scheduler/scheduler_config.json").write_text('{"prediction_type": "sample"}')
    (problem,) = checkpoint_problems(config)
    assert problem.endswith("scheduler says sample. Give one that predicts epsilon or v.")


@pytest.mark.parametrize(
    ("recipe", "family", "prediction", "advice"),
    [
        ("sd21", Family.sd2, "epsilon", "Use model=sd21_base."),
        ("sd21_base", Family.sd2, "v_prediction", "Use model=sd21."),
        ("sdxl", Family.sdxl, "v_prediction", "Use model=sdxl_vpred."),
        ("pony", Family.sdxl, "v_prediction", "Use model=sdxl_vpred."),
        ("sdxl_vpred", Family.sdxl, "epsilon", "Use model=sdxl."),
        ("sd15", Family.sd1, "v_prediction", "Set model.prediction=v."),  # no recipe does
    ],
)
def test_what_a_checkpoint_predicts_is_given_by_the_recipe_that_is_made_for_it(
    recipe: str, family: Family, prediction: str, advice: str, tmp_path: Path
) -> None:
    folder = folder_of(family, tmp_path / "m")
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps({"prediction_type": prediction}))
    (problem,) = checkpoint_problems(composed(f"model={recipe}", f"model.checkpoint={folder}").model)
    assert problem.endswith(f"the checkpoint's scheduler says {prediction}. {advice}")


def test_recipes_of_a_family_predict_what_they_are_named_for() -> None:
    for family, facts in FAMILIES.items():
        for prediction, name in facts.recipes.items():
            recipe = composed(f"model={name}").model
            assert (recipe.family, recipe.prediction) == (family, prediction)
        assert not facts.recipes or facts.recipe in facts.recipes.values()


def test_a_recipe_that_was_right_before_an_option_changed_it_is_put_right(tmp_path: Path) -> None:
    folder = folder_of(Family.sdxl, tmp_path / "m")
    options = ("model=pony", f"model.checkpoint={folder}", "model.prediction=v")
    (problem,) = checkpoint_problems(composed(*options).model)
    assert problem.endswith("the checkpoint's scheduler says epsilon. Set model.prediction=epsilon.")


@pytest.mark.parametrize("family", Family)
def test_a_part_without_its_settings_is_asked_for_before_loading(family: Family, tmp_path: Path) -> None:
    folder = folder_of(family, tmp_path / "m")
    for part in FAMILIES[family].weighty:
        kept = (folder / part / "config.json").read_text()
        (folder / part / "config.json").unlink()
        assert checkpoint_problems(config_of(family, folder)) == [
            f"model.checkpoint={folder}: no config.json in {part}/. Get it again."
        ]
        (folder / part / "config.json").write_text(kept)
    assert checkpoint_problems(config_of(family, folder)) == []


def test_files_that_an_index_names_are_read_and_must_be_there(tmp_path: Path) -> None:
    folder = folder_of(Family.flux, tmp_path / "m")
    part, config = folder / "transformer", config_of(Family.flux, folder)
    (part / "model.safetensors").unlink()
    rows = {}
    for number, (name, shape) in enumerate(DENOISERS[Family.flux].items()):
        rows[name] = f"model-{number + 1:05}-of-00005.safetensors"
        write_header_only(part / rows[name], {name: shape})
    (part / "model.safetensors.index.json").write_text(json.dumps({"weight_map": rows}))
    assert checkpoint_problems(config) == []
    assert {layer.name for layer in read_checkpoint(config).layers} == {
        name for name, *_ in LAYERS[Family.flux]
    }
    (part / "model-00002-of-00005.safetensors").unlink()
    (problem,) = checkpoint_problems(config)
    assert "transformer/ lacks 1 of its files, the first: model-00002-of-00005.safetensors. Get" in problem


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 3}'])
def test_an_index_that_cannot_be_read_is_damage(text: str, tmp_path: Path) -> None:
    folder = folder_of(Family.flux, tmp_path / "m")
    (folder / "transformer/model.safetensors.index.json").write_text(text)
    (problem,) = checkpoint_problems(config_of(Family.flux, folder))
    assert problem.endswith("a weights file in transformer/ is damaged. Copy it again.")


def test_an_index_of_the_fp16_files_does_not_hide_the_plain_ones(tmp_path: Path) -> None:
    folder = folder_of(Family.flux, tmp_path / "m")
    index = {"weight_map": {"x": "model.fp16-00001-of-00001.safetensors"}}
    (folder / "transformer/model.safetensors.index.fp16.json").write_text(json.dumps(index))
    assert checkpoint_problems(config_of(Family.flux, folder)) == []


@pytest.mark.parametrize(
    ("name", "is_gated"),
    [
        ("black-forest-labs/FLUX.1-dev", True),
        ("stabilityai/stable-diffusion-3.5-medium", True),
        ("stabilityai/stable-diffusion-3-medium-diffusers", True),
        ("black-forest-labs/FLUX.1-schnell", True),
        ("stabilityai/stable-diffusion-xl-base-1.0", False),
    ],
)
def test_a_gated_model_is_told_with_the_page_of_its_licence(name: str, is_gated: bool) -> None:
    (problem,) = checkpoint_problems(ModelConfig(checkpoint=name))
    assert f"hf download {name}" in problem
    assert (f"open https://huggingface.co/{name}, then run: hf auth login." in problem) is is_gated


@pytest.mark.parametrize("family", Family)
def test_the_recipe_that_messages_recommend_is_of_the_family(family: Family) -> None:
    assert composed(f"model={FAMILIES[family].recipe}", "dataset.path=x").model.family is family
