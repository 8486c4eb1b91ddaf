"""A run on a single file writes the LoRA of the run on its folder, from the command line, in each family.

The command is train.py's own main, in a process of its own; only the shipped settings, which are of the
published sizes, give way to the toy's (toy_settings.py). Two things are not equal to the byte:

- ss_sd_model_name, one line of the LoRA's metadata, is the name of the file, or that of the folder;
- on a processor, sums depend on where in memory a weight begins, and weights lie where they lay in their
  files. So the bytes are compared with weights copied to memory of their own, and as they are within
  rounding.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.config import Family
from engine.models.layouts import layout_of
from tests.data.real_photographs import write_photographs
from tests.models.original_layout import part_weights, settings_of, wan_vae, write_original
from tests.models.tiny_recipes import TINY_CHECKPOINTS

PROGRAM = Path(__file__).with_name("toy_settings.py")
RECIPES = {  # a recipe of each family
    "sd15": Family.sd1,
    "sd21": Family.sd2,
    "sdxl": Family.sdxl,
    "sd3_medium": Family.sd3,
    "flux_dev": Family.flux,
    "anima": Family.anima,
}
SMALL = (
    "training.threads=1",
    "training.steps=3",
    "training.mixed_precision=no",
    "training.validation_images=1",
    "training.validation_timesteps=2",
    "dataset.resolution=64",
    "network.rank=2",
    "optimizer.lr=0.01",
    "sampling.num_prompts=1",
    "sampling.seeds=[1]",
    "sampling.steps=2",
    "evaluation.enabled=false",
    "tracking.wandb=disabled",
)
NAME = "ss_sd_model_name"
ROUNDING = 1e-3  # of weights up to 0.03; found after three steps of 0.01: 2e-4 at most, in SDXL


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk") / "photos"
    for path in write_photographs(folder)[4:]:
        path.unlink()
        path.with_suffix(".txt").unlink()
    return folder


def _write(recipe: str, desk: Path) -> list[str]:
    """folder/, configs/ and model.safetensors of a toy; returns the options for what the file lacks."""
    folder, family = desk / "folder", RECIPES[recipe]
    TINY_CHECKPOINTS[recipe](folder)
    options = [f"model.tokenizers={folder}"]
    if family is Family.anima:
        options += _write_anima_parts(folder)
    write_original(folder, family, desk / "model.safetensors")
    no_weights = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(folder, desk / "configs" / layout_of(family, {}), ignore=no_weights)
    return options


def _write_anima_parts(folder: Path) -> list[str]:
    """The files that Anima is published in beside its transformer's; its VAE has as many blocks as there."""
    from diffusers import AutoencoderKLQwenImage

    shutil.rmtree(folder / "vae")
    torch.manual_seed(1)
    AutoencoderKLQwenImage(base_dim=4, num_res_blocks=2).save_pretrained(folder / "vae")
    vae = wan_vae(part_weights(folder / "vae"), settings_of(folder / "vae"))
    text = {f"model.{name}": weight for name, weight in part_weights(folder / "text_encoder").items()}
    for option, weights in (("vae", vae), ("qwen3", text)):
        contiguous = {name: weight.contiguous() for name, weight in weights.items()}
        save_file(contiguous, folder.parent / f"{option}.safetensors")
    return [f"model.{option}={folder.parent / option}.safetensors" for option in ("vae", "qwen3")]


def _train(recipe: str, desk: Path, name: str, *options: str, is_copied: bool = True) -> Path:
    """The LoRA file of a run; it has a folder and a cache of its own."""
    places = (f"output_dir={desk / name}", f"cache_dir={desk / name / 'cache'}")
    command = (f"model={recipe}", *SMALL, *places, *options)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(desk / "configs"), str(int(is_copied)), *command],
        cwd=desk,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    (weights,) = (desk / name).glob(f"{recipe}-*/{recipe}.safetensors")
    return weights


def _header_and_data(file: Path) -> tuple[dict[str, dict[str, str]], bytes]:
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_on_a_file_writes_the_lora_of_the_run_on_its_folder(
    recipe: str, photos: Path, tmp_path: Path
) -> None:
    lacking = _write(recipe, tmp_path)
    pictures = f"dataset.path={photos}"
    on_file = (pictures, f"model.checkpoint={tmp_path / 'model.safetensors'}", *lacking)
    whole = _train(recipe, tmp_path, "of_folder", pictures, f"model.checkpoint={tmp_path / 'folder'}")
    single = _train(recipe, tmp_path, "of_file", *on_file)
    plain = _train(recipe, tmp_path, "as_it_lies", *on_file, is_copied=False)

    (header, data), (other_header, other_data) = _header_and_data(whole), _header_and_data(single)
    names = header["__metadata__"].pop(NAME), other_header["__metadata__"].pop(NAME)
    assert names == ("folder", "model.safetensors")
    assert list(header.items()) == list(other_header.items())  # in the same order, at the same places
    assert data == other_data

    one, two = load_file(whole), load_file(plain)
    assert one.keys() == two.keys()
    assert max(float((one[key] - two[key]).abs().max()) for key in one) < ROUNDING
    assert any(value.any() for key, value in one.items() if key.endswith("lora_up.weight"))
