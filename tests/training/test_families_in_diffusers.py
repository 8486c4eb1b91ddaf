"""The files of each family's runs without us: diffusers alone, in a process of its own, draws our picture."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from engine.diffusion.seeding import picture_noise
from tests.data.real_photographs import write_photographs
from tests.models.tiny_anima import LENGTH
from tests.models.tiny_recipes import TINY_CHECKPOINTS
from tests.models.tiny_sdxl import write_tiny_sdxl
from tests.program_alone import run_alone
from tests.training.toy_runs import train_small

PROGRAM = Path(__file__).with_name("families_alone.py")
SIDE, STEPS, PROMPT = 64, 3, "a red star"
SAMPLERS = {"sd21_base": "ddim", "sdxl": "euler"}  # those of the small checkpoints
# recipe -> ending of the file that diffusers reads; the single blocks of a small FLUX have not the width
# that diffusers' reader of kohya's names has written into it
FILES = {
    "sd21_base": "",
    "sdxl": "",
    "sd3_medium": ".diffusers",
    "sd35_medium": ".diffusers",
    "flux_dev": ".diffusers",
    "anima": ".diffusers",
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk") / "photos"
    for path in write_photographs(folder)[4:]:
        path.unlink()
        path.with_suffix(".txt").unlink()
    return folder


def _train(recipe: str, photos: Path, folder: Path) -> tuple[Path, Path]:
    """The checkpoint, and the folder of a run that has drawn PROMPT."""
    if recipe == "sdxl":
        write_tiny_sdxl(folder / recipe, num_resnets=2)
    else:
        TINY_CHECKPOINTS[recipe](folder / recipe)
    (folder / "prompts.txt").write_text(PROMPT)
    result = train_small(
        folder,
        f"model={recipe}",
        f"model.checkpoint={folder / recipe}",
        f"dataset.path={photos}",
        f"dataset.resolution={SIDE}",
        "training.mixed_precision=no",
        "training.steps=4",
        "optimizer.lr=0.03",
        "network.rank=4",
        f"sampling.prompt_file={folder / 'prompts.txt'}",
        "sampling.num_prompts=1",
        "sampling.seeds=[5]",
        f"sampling.steps={STEPS}",
        "sampling.guidance_scale=3",
        f"sampling.sampler={SAMPLERS.get(recipe, 'flow_euler')}",
        "files.diffusers_names=true",
    )
    return folder / recipe, result.folder


def _draw_alone(recipe: str, folder: Path, base: Path, weights: Path) -> Mapping[str, object]:
    """What diffusers tells of the file; its pictures lie in the folder."""
    vae = json.loads((base / "vae/config.json").read_text())
    if recipe == "anima":
        channels, halvings = vae["z_dim"], len(vae["temperal_downsample"])
    else:
        channels, halvings = vae["latent_channels"], len(vae["block_out_channels"]) - 1
    side = SIDE // 2**halvings
    noise = picture_noise(PROMPT, 5, (channels, side, side))[None]
    save_file({"noise": noise.contiguous()}, folder / "noise.safetensors")
    settings: dict[str, object] = {
        "num_inference_steps": STEPS,
        "guidance_scale": 3.0,
        "width": SIDE,
        "height": SIDE,
    }
    if recipe == "sdxl":  # without one it takes zeros for the empty prompt
        settings["negative_prompt"] = ""
    if recipe == "anima":
        settings["max_sequence_length"] = LENGTH
    request = {
        "base": str(base),
        "lora": str(weights),
        "noise": str(folder / "noise.safetensors"),
        "prompt": PROMPT,
        "settings": json.dumps(settings),
        "out": str(folder),
    }
    return run_alone(PROGRAM, request, folder)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", FILES)
def test_diffusers_alone_uses_every_layer_and_draws_our_picture(
    recipe: str, photos: Path, tmp_path: Path
) -> None:
    base, run = _train(recipe, photos, tmp_path)
    (weights,) = run.glob(f"*{FILES[recipe]}.safetensors") if FILES[recipe] else [_plain(run)]
    report = _draw_alone(recipe, tmp_path, base, weights)
    said = [words for words in report["said"] if "No LoRA keys associated to" not in words]  # type: ignore[attr-defined]
    assert said == [] and report["ours"] is False
    layers = [key for key in load_file(weights) if key.endswith((".lora_A.weight", ".lora_down.weight"))]
    assert report["adapted"] == len(layers) > 0
    (ours,) = (run / "samples/final").glob("*.png")
    (bare,) = (run / "samples/base").glob("*.png")
    assert _largest_step(tmp_path / "base.png", bare) <= 1
    assert _largest_step(tmp_path / "lora.png", ours) <= 1
    assert _largest_step(ours, bare) > 5  # the LoRA does something


def _plain(run: Path) -> Path:
    return next(file for file in run.glob("*.safetensors") if ".diffusers." not in file.name)


def _largest_step(one: Path, other: Path) -> int:
    """The largest difference of a channel of a pixel, of 255."""
    pairs = zip(Image.open(one).convert("RGB").tobytes(), Image.open(other).tobytes(), strict=True)
    return max(abs(left - right) for left, right in pairs)
