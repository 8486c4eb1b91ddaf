"""What is said of files that cannot be trained on; nothing in them is more than a header."""

from dataclasses import replace
from pathlib import Path

import pytest
from test_checkpoint_families import config_of, folder_of
from toys import write_header_only

from engine.compose.checkpoint import checkpoint_problems, read_checkpoint
from engine.config import ConfigError, Family, ModelConfig, Prediction
from engine.models.checkpoint import load_family
from engine.models.facts import FAMILIES

D = "model.diffusion_model."
UNET = {f"{D}input_blocks.0.0.weight": [320, 4, 3, 3]}
CROSS = f"{D}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
VAE = {"first_stage_model.encoder.down.0.block.0.norm1.weight": [128]}
CLIP = {"cond_stage_model.transformer.text_model.embeddings.position_embedding.weight": [77, 768]}
FILES: dict[Family, dict[str, list[int]]] = {
    Family.sd1: {**UNET, CROSS: [320, 768], **VAE, **CLIP},
    Family.sd2: {
        **UNET,
        CROSS: [320, 1024],
        **VAE,
        "cond_stage_model.model.positional_embedding": [77, 1024],
    },
    Family.sdxl: {**UNET, f"{D}label_emb.0.0.weight": [1280, 2816], **VAE},
    Family.sd3: {f"{D}joint_blocks.0.x_block.attn.qkv.weight": [4608, 1536]},
    Family.flux: {"double_blocks.0.img_attn.qkv.weight": [9216, 3072]},
    Family.anima: {"net.blocks.0.adaln_modulation_self_attn.1.weight": [256, 2048]},
}


def file_of(names: dict[str, list[int]], file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_header_only(file, names)
    return file


def words_in(folder: Path, *parts: str) -> str:
    for part in parts:
        (folder / part).mkdir(parents=True)
        (folder / part / "tokenizer.json").write_text("{}")
    return str(folder)


def said(config: ModelConfig) -> str:
    """The only problem, which loading names too."""
    (problem,) = checkpoint_problems(config)
    with pytest.raises(ConfigError) as refusal:
        load_family(config, device=None, dtype=None)  # type: ignore[arg-type]
    assert refusal.value.problems == [problem]
    return problem


@pytest.mark.parametrize("given", Family)
@pytest.mark.parametrize("named", Family)
def test_a_file_of_another_family_is_told_by_the_recipe_that_takes_it(
    given: Family, named: Family, tmp_path: Path
) -> None:
    if given is named:
        return
    config = config_of(named, file_of(FILES[given], tmp_path / "m.safetensors"))
    title, recipe = FAMILIES[given].title, FAMILIES[given].recipe
    assert said(config).endswith(f"m.safetensors: this is a file of {title}; use model={recipe}.")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            {"lora_unet_down_blocks_0.lora_down.weight": [4, 8]},
            "this is a LoRA; give it as network.init_from",
        ),
        ({"transformer.x.lora_A.weight": [4, 8]}, "this is a LoRA; give it as network.init_from"),
        ({"down_blocks.0.resnets.0.conv1.weight": [4]}, "this is one part of a diffusers folder; give the"),
        ({"encoder.down.0.block.0.norm1.weight": [4]}, "this is one part of a model; give it as model.vae"),
        ({"x.weight": [4]}, "no model of a known family in it. Give a file of the original layout"),
        ({f"{D}input_blocks.0.0.weight": [320, 9, 3, 3]}, "this is an inpainting model; give the one that"),
        ({**UNET, "x.scale_weight": [1]}, "its weights are scaled to 8 bits; give the file in 16 bits."),
        (
            {**UNET, "conditioner.embedders.0.model.positional_embedding": [77, 8]},
            "this is the SDXL refiner; give the base model.",
        ),
    ],
)
def test_files_that_are_no_base_are_each_named(
    names: dict[str, list[int]], words: str, tmp_path: Path
) -> None:
    assert words in said(config_of(Family.sd1, file_of(names, tmp_path / "m.safetensors")))


@pytest.mark.parametrize(("size", "said"), [(0, "empty"), (7, "cut off")])
def test_a_file_of_a_few_bytes_says_what_it_is(size: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(b"0" * size)
    (problem,) = checkpoint_problems(config_of(Family.sdxl, tmp_path / "m.safetensors"))
    assert problem.endswith(f"the file is damaged (m.safetensors: {said}). Copy it again.")


def test_a_file_that_was_cut_off_is_damaged(tmp_path: Path) -> None:
    file = file_of(FILES[Family.sd1], tmp_path / "m.safetensors")
    file.write_bytes(file.read_bytes()[:-1])
    assert said(config_of(Family.sd1, file)).endswith("is damaged (m.safetensors: cut off). Copy it again.")
    file.write_bytes(b"abc")
    assert "the file is damaged (" in said(config_of(Family.sd1, file))


@pytest.mark.parametrize("ending", [".ckpt", ".pt", ".gguf"])
def test_a_file_of_another_format_is_not_read(ending: str, tmp_path: Path) -> None:
    file = tmp_path / f"m{ending}"
    file.write_bytes(b"abc")
    words = "not a .safetensors file" if ending == ".gguf" else "a pickled file can run code when it is read"
    assert words in said(config_of(Family.sd1, file))


def test_a_file_without_words_tells_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.file_download.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    config = config_of(Family.sd1, file_of(FILES[Family.sd1], tmp_path / "m.safetensors"))
    assert said(config).endswith(
        "the words of tokenizer are not on this machine; a single file holds none. Run: "
        'hf download openai/clip-vit-large-patch14 --include "*.json" --include "*.txt" --include "*.model", '
        "or give model.tokenizers=DIR with tokenizer/ in it."
    )
    snapshot = tmp_path / "hub/models--openai--clip-vit-large-patch14/snapshots/abc"
    words_in(snapshot.parent, "abc")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text("abc")
    assert checkpoint_problems(config) == []


def test_a_transformer_alone_asks_for_each_of_the_other_parts(tmp_path: Path) -> None:
    file = file_of(FILES[Family.flux], tmp_path / "m.safetensors")
    config = config_of(Family.flux, file)
    config = replace(config, tokenizers=words_in(tmp_path / "words", "tokenizer", "tokenizer_2"))
    assert [problem.split("holds no ")[1] for problem in checkpoint_problems(config)] == [
        f"{part}. Give it too: model.{option}=FILE.safetensors, or a folder."
        for part, option in (
            ("vae (VAE)", "vae"),
            ("text_encoder (CLIP-L)", "clip_l"),
            ("text_encoder_2 (T5)", "t5xxl"),
        )
    ]
    whole = replace(
        config,
        vae=str(file_of({"encoder.down.0.block.0.norm1.weight": [8]}, tmp_path / "vae.safetensors")),
        clip_l=str(
            file_of({"text_model.embeddings.position_embedding.weight": [77, 8]}, tmp_path / "l.safetensors")
        ),
        t5xxl=str(
            file_of({"encoder.block.0.layer.0.SelfAttention.q.weight": [8, 8]}, tmp_path / "t5.safetensors")
        ),
    )
    assert checkpoint_problems(whole) == []
    read = read_checkpoint(whole)
    assert [(layer.name, layer.shape) for layer in read.layers] == [
        ("transformer_blocks.0.attn.to_q", (9216, 3072)),
        ("encoder.block.0.layer.0.SelfAttention.q", (8, 8)),
    ]
    assert read.num_values == 9216 * 3072 + 8 + 77 * 8 + 64 and read.latent_factor == 8
    (problem,) = checkpoint_problems(replace(whole, vae=whole.clip_l))
    assert problem.endswith("l.safetensors: holds no VAE of FLUX.1. Give another file.")
    (problem,) = checkpoint_problems(replace(whole, t5xxl=str(tmp_path / "words")))
    assert problem.endswith("words: holds no T5. Give its folder, with config.json and weights in it.")
    (problem,) = checkpoint_problems(replace(whole, clip_l="nobody/nothing"))
    assert problem == (
        "model.clip_l=nobody/nothing: not found. Give a folder or a file, or run: hf download nobody/nothing."
    )


def test_a_file_that_says_v_is_not_trained_as_epsilon(tmp_path: Path) -> None:
    file = file_of({**FILES[Family.sdxl], "v_pred": []}, tmp_path / "m.safetensors")
    config = config_of(Family.sdxl, file)
    assert said(config) == "model.prediction=epsilon: m.safetensors says v. Use model=sdxl_vpred."
    assert all("says v" not in one for one in checkpoint_problems(replace(config, prediction=Prediction.v)))


def test_a_part_that_is_given_need_not_be_in_the_folder(tmp_path: Path) -> None:
    folder = folder_of(Family.sd3, tmp_path / "m", without=("vae", "text_encoder_3", "tokenizer_3"))
    vae = folder_of(Family.sd3, tmp_path / "other") / "vae"
    (vae / "config.json").write_text('{"_class_name": "AutoencoderKL", "block_out_channels": [4, 4, 4]}')
    config = replace(config_of(Family.sd3, folder), vae=str(vae))
    assert checkpoint_problems(config) == []
    assert read_checkpoint(config).latent_factor == 4
    (vae / "model.safetensors").unlink()
    (problem,) = checkpoint_problems(config)
    assert problem == f"model.vae={vae}: no .safetensors file in vae/. Convert its weights."


def test_a_folder_that_is_empty_or_holds_a_single_file_says_so(tmp_path: Path) -> None:
    config = config_of(Family.sd1, tmp_path / "m")
    (tmp_path / "m").mkdir()
    (problem,) = checkpoint_problems(config)
    assert problem.endswith("m: an empty folder. Give a diffusers folder, or a .safetensors file.")
    file = file_of(FILES[Family.sd1], tmp_path / "m/model.safetensors")
    (problem,) = checkpoint_problems(config)
    assert problem.endswith(f"Give the file, where it is a whole checkpoint: model.checkpoint={file}.")


def test_tokenizers_that_are_not_there_are_refused(tmp_path: Path) -> None:
    file = file_of(FILES[Family.sd1], tmp_path / "m.safetensors")
    config = replace(config_of(Family.sd1, file), tokenizers="nowhere")
    assert said(config) == "model.tokenizers=nowhere: no such folder. Give one with tokenizer folders in it."
