"""The stages of the build: what each one needs, what it writes, and when it counts as finished."""

import json
import shutil
from collections.abc import Callable

import torch

from demo.build_plan import Build
from demo.gate import measure, shortfalls, write_figures
from demo.judge import train_judge
from demo.sampling import load_pipeline
from demo.scorer import train_scorer
from demo.stage import Log
from demo.text_tower import train_text_tower
from demo.tokenizer import write_tokenizer
from demo.unet import Parts, build_scheduler, train_creatures, train_unet
from demo.vae import train_decoder, train_vae

WEIGHTS_NAME = "diffusion_pytorch_model.safetensors"
_MODEL_INDEX: dict[str, object] = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.42.1",
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def limit_threads(threads: int) -> None:
    """Tell torch how many CPU threads to use; 0 leaves its choice."""
    if threads:
        torch.set_num_threads(threads)


def run_tokenizer(build: Build) -> int:
    """Vocabulary, scheduler and model_index.json: what needs no training."""
    weights = build.weights
    if not (weights / "tokenizer/vocab.json").exists():
        _log(build).write("tokenizer", entries=write_tokenizer(weights / "tokenizer"))
    build_scheduler().save_config(weights / "scheduler")
    (weights / "model_index.json").write_text(json.dumps(_MODEL_INDEX, indent=1) + "\n", encoding="utf-8")
    return 0


def run_text(build: Build) -> int:
    """The text tower."""
    folder = build.weights / "text_encoder"
    if not (folder / "model.safetensors").exists():
        train_text_tower(
            folder,
            tokenizer=build.weights / "tokenizer",
            checkpoint=build.folder / "text.pt",
            log=_log(build),
            num_steps=build.steps.text,
        )
    return 0


def run_vae(build: Build) -> int:
    """Encoder and decoder on crops, into the build folder: the decoder is not final yet."""
    folder = build.folder / "vae"
    if not (folder / WEIGHTS_NAME).exists():
        train_vae(folder, checkpoint=build.folder / "vae.pt", log=_log(build), num_steps=build.steps.vae)
    return 0


def run_unet(build: Build) -> int:
    """The UNet on the latents of the encoder, into the build folder."""
    folder = build.folder / "unet"
    if not (folder / WEIGHTS_NAME).exists():
        steps = build.steps.unet
        train_unet(folder, parts=_parts(build), build=build.folder, log=_log(build), num_steps=steps)
    return 0


def run_creatures(build: Build) -> int:
    """The UNet with more creatures: it is final."""
    folder = build.weights / "unet"
    if not (folder / WEIGHTS_NAME).exists():
        steps = build.steps.creatures
        train_creatures(folder, parts=_parts(build), build=build.folder, log=_log(build), num_steps=steps)
    return 0


def run_decoder(build: Build) -> int:
    """The decoder on whole pictures: the VAE is final."""
    folder = build.weights / "vae"
    if not (folder / WEIGHTS_NAME).exists():
        source, checkpoint = build.folder / "vae", build.folder / "decoder.pt"
        train_decoder(
            folder, source=source, checkpoint=checkpoint, log=_log(build), num_steps=build.steps.decoder
        )
    return 0


def run_scorer(build: Build) -> int:
    """The CLIP scorer."""
    folder = build.weights / "scorer"
    if not (folder / "model.safetensors").exists():
        train_scorer(
            folder,
            text_encoder=build.weights / "text_encoder",
            tokenizer=build.weights / "tokenizer",
            checkpoint=build.folder / "scorer.pt",
            log=_log(build),
            num_steps=build.steps.scorer,
        )
    return 0


def run_judge(build: Build) -> int:
    """The independent judge."""
    path = build.weights / "judge.safetensors"
    if not path.exists():
        train_judge(path, checkpoint=build.folder / "judge.pt", log=_log(build), num_steps=build.steps.judge)
    return 0


def run_figures(build: Build) -> int:
    """Measure the gate, put figures and log beside the weights; 1 when a figure is below the gate."""
    figures = measure(load_pipeline(build.weights), build.weights)
    write_figures(figures, build.weights / "figures.json")
    shutil.copyfile(_log(build).path, build.weights / "build_log.jsonl")
    problems = shortfalls(figures)
    print("\n".join([str(figures), *problems]))
    return 1 if problems else 0


RUNNERS: dict[str, Callable[[Build], int]] = {
    "tokenizer": run_tokenizer,
    "text": run_text,
    "vae": run_vae,
    "unet": run_unet,
    "creatures": run_creatures,
    "decoder": run_decoder,
    "scorer": run_scorer,
    "judge": run_judge,
    "figures": run_figures,
}


def _log(build: Build) -> Log:
    return Log(build.folder / "log.jsonl")


def _parts(build: Build) -> Parts:
    return Parts(build.weights / "tokenizer", build.weights / "text_encoder", build.folder / "vae")
