"""Parts that do not fit, and guidance that nothing is told, are refused before weights are read."""

import json
from pathlib import Path

import pytest
from test_checkpoint_families import folder_of
from toys import composed, write_header_only

from engine.compose.checkpoint_fit import fit_problems, scale_problems
from engine.compose.preflight import disk_problems
from engine.config import Family, RunConfig


def toy(folder: Path, family: Family, denoiser: dict[str, object], vae: dict[str, object]) -> Path:
    """Headers and settings of a family's folder."""
    folder_of(family, folder)
    part = "unet" if family in (Family.sd1, Family.sd2, Family.sdxl) else "transformer"
    (folder / part / "config.json").write_text(json.dumps(denoiser))
    (folder / "vae/config.json").write_text(json.dumps({"block_out_channels": [4, 4, 4, 4], **vae}))
    return folder


def run_on(recipe: str, folder: Path, *options: str) -> RunConfig:
    return composed(f"model={recipe}", f"model.checkpoint={folder}", "dataset.path=photos", *options)


@pytest.mark.parametrize(
    ("recipe", "family", "inputs", "fitting", "other"),
    [
        ("sdxl", Family.sdxl, 4, {"latent_channels": 4}, {"latent_channels": 16}),
        ("sd3_medium", Family.sd3, 16, {"latent_channels": 16}, {"latent_channels": 4}),
        ("flux_dev", Family.flux, 64, {"latent_channels": 16}, {"latent_channels": 4}),
        ("anima", Family.anima, 16, {"z_dim": 16}, {"latent_channels": 4}),
    ],
)
def test_a_vae_whose_latents_the_denoiser_cannot_read_is_refused(
    recipe: str,
    family: Family,
    inputs: int,
    fitting: dict[str, object],
    other: dict[str, object],
    tmp_path: Path,
) -> None:
    settings: dict[str, object] = {"in_channels": inputs, "guidance_embeds": True}
    whole = toy(tmp_path / "whole", family, settings, fitting)
    assert fit_problems(run_on(recipe, whole)) == []
    broken = toy(tmp_path / "broken", family, settings, other)
    (problem,) = fit_problems(run_on(recipe, broken))
    read = str(inputs // 4 if family is Family.flux else inputs)
    (made,) = other.values()
    assert problem.startswith(f"model.checkpoint={broken}: its vae makes latents of {made} ")
    assert f" reads {read}. Give a VAE of " in problem


def test_a_vae_of_its_own_is_looked_at_where_it_lies(tmp_path: Path) -> None:
    base = toy(tmp_path / "sdxl", Family.sdxl, {"in_channels": 4}, {"latent_channels": 4})
    other = toy(tmp_path / "sd3", Family.sd3, {"in_channels": 16}, {"latent_channels": 16})
    kind = {"_class_name": "AutoencoderKL", "latent_channels": 16, "block_out_channels": [4, 4]}
    (other / "vae/config.json").write_text(json.dumps(kind))
    problems = disk_problems(run_on("sdxl", base, f"model.vae={other}"))
    assert (
        f"model.vae={other}: it makes latents of 16 channels, and the unet reads 4. "
        "Give a VAE of Stable Diffusion XL: model.vae=DIR, or a file."
    ) in problems


@pytest.mark.parametrize("marker", ["encoder.down.0.block.0.norm1", "encoder.down_blocks.0.resnets.0.norm1"])
def test_a_vae_in_a_file_is_looked_at_too(marker: str, tmp_path: Path) -> None:
    base = toy(tmp_path / "sdxl", Family.sdxl, {"in_channels": 4}, {"latent_channels": 4})
    for channels, said in ((4, False), (16, True)):
        file = tmp_path / f"{channels}.safetensors"
        shapes = {f"{marker}.weight": [8], "decoder.conv_in.weight": [8, channels, 3, 3]}
        write_header_only(file, shapes)
        problems = disk_problems(run_on("sdxl", base, f"model.vae={file}"))
        assert any(f"model.vae={file}: it makes latents of 16 channels" in one for one in problems) is said


def test_guidance_that_schnell_is_not_told_is_refused(tmp_path: Path) -> None:
    vae: dict[str, object] = {"latent_channels": 16}
    dev = toy(tmp_path / "dev", Family.flux, {"in_channels": 64, "guidance_embeds": True}, vae)
    schnell = toy(tmp_path / "schnell", Family.flux, {"in_channels": 64, "guidance_embeds": False}, vae)
    scale = "sampling.guidance_scale"
    assert scale_problems(run_on("flux_dev", dev, f"{scale}=5")) == []
    assert scale_problems(run_on("flux_schnell", schnell, f"{scale}=1")) == []
    refusal = "this checkpoint's transformer is not told its guidance, as FLUX.1-schnell's is not."
    assert scale_problems(run_on("flux_schnell", schnell, f"{scale}=3.5")) == [
        f"{scale}=3.5: {refusal} Set {scale}=1."
    ]
    assert scale_problems(run_on("flux_dev", schnell)) == [f"{scale}=3.5: {refusal} Use model=flux_schnell."]
    assert scale_problems(run_on("flux_schnell", tmp_path / "nowhere", f"{scale}=3.5")) == []


def test_a_negative_prompt_of_a_line_for_flux_is_refused_once(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a cat\na dog --n bad\n")
    run = run_on("flux_schnell", tmp_path / "nowhere", f"sampling.prompt_file={tmp_path / 'prompts.txt'}")
    (problem,) = [one for one in disk_problems(run) if "prompts.txt" in one]
    assert problem.endswith(
        "line 2: negative_prompt=bad: the guidance of FLUX.1 is distilled, and it steers away from nothing. "
        "Leave it out."
    )


def test_a_prompt_that_asks_schnell_for_guidance_is_refused(tmp_path: Path) -> None:
    settings: dict[str, object] = {"in_channels": 64, "guidance_embeds": False}
    schnell = toy(tmp_path / "schnell", Family.flux, settings, {"latent_channels": 16})
    (tmp_path / "prompts.txt").write_text("a cat --l 1\na dog --l 4\n")
    run = run_on("flux_schnell", schnell, f"sampling.prompt_file={tmp_path / 'prompts.txt'}")
    (problem,) = [one for one in disk_problems(run) if "guidance" in one]
    assert "line 2" in problem and "guidance_scale=4: this checkpoint's transformer is not told" in problem
