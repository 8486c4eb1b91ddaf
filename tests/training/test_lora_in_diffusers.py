"""A run's file without us: diffusers alone loads it, uses all of it, and draws our picture."""

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from demo.folder import WEIGHTS, prepare_demo
from engine.diffusion.seeding import picture_noise
from evaluation.encoders.load import load_encoder
from evaluation.records import read_scores
from tests.program_alone import run_alone
from tests.training.toy_runs import train_small

PROJECT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("diffusers_only.py")
UNET_ONLY = "No LoRA keys associated to CLIPTextModel found"  # said of every file that leaves the text alone
Pixels = NDArray[np.int16]


@dataclass
class Alone:
    """What the process without us drew and told."""

    base: list[Pixels] = field(default_factory=list)
    lora: list[Pixels] = field(default_factory=list)
    report: dict[str, object] = field(default_factory=dict)


def read_pixels(path: Path) -> Pixels:
    return np.asarray(Image.open(path).convert("RGB"), dtype=np.int16)


def listed(run: Path, name: str) -> list[dict[str, str]]:
    """The rows of one set of a run's pictures."""
    rows: list[dict[str, str]] = json.loads((run / "samples/samples.json").read_text())["sets"][name]
    return rows


def our_pixels(run: Path, name: str) -> list[Pixels]:
    return [read_pixels(run / "samples" / row["file"]) for row in listed(run, name)]


def draw_without_us(run: Path, weights: Path, folder: Path) -> Alone:
    """The final pictures of a run once more, by diffusers in a process of its own, in another folder."""
    folder.mkdir()
    listing = json.loads((run / "samples/samples.json").read_text(encoding="utf-8"))
    settings, rows = listing["settings"], listing["sets"]["final"]
    shape = (4, settings["height"] // 4, settings["width"] // 4)
    noise = torch.stack([picture_noise(row["prompt"], row["seed"], shape) for row in rows])
    np.save(folder / "noise.npy", noise.numpy())
    request = {
        "base": str(WEIGHTS),
        "lora": str(weights),
        "noise": str(folder / "noise.npy"),
        "prompts": [row["prompt"] for row in rows],
        "settings": settings,
        "out": str(folder),
    }
    alone = Alone(report=run_alone(PROGRAM, request, folder))
    for index in range(len(rows)):
        alone.base.append(read_pixels(folder / f"base_{index:02d}.png"))
        alone.lora.append(read_pixels(folder / f"lora_{index:02d}.png"))
    return alone


@dataclass(frozen=True)
class Trained:
    folder: Path
    weights: Path
    alone: Alone


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run long enough that its pictures are visibly not the base's."""
    folder = tmp_path_factory.mktemp("lora")
    result = train_small(
        folder,
        "training.steps=12",
        "dataset.batch_size=4",
        "optimizer.lr=1e-2",
        "network.rank=4",
        "network.alpha=6",
        "sampling.num_prompts=2",
        "sampling.steps=8",
    )
    assert result.weights is not None
    alone = draw_without_us(result.folder, result.weights, folder / "elsewhere")
    return Trained(result.folder, result.weights, alone)


def test_the_process_that_draws_cannot_import_us(trained: Trained) -> None:
    report = trained.alone.report
    assert report["importable"] == [] and report["imported"] == []
    assert PROJECT not in Path(str(report["folder"])).parents


def test_diffusers_loads_the_file_without_a_complaint(trained: Trained) -> None:
    assert complaints(trained.alone) == []
    assert trained.alone.report["warnings"] == []


def test_diffusers_uses_every_layer_of_the_file(trained: Trained) -> None:
    state = load_file(trained.weights)
    layers = [key for key in state if key.endswith(".alpha")]
    matrices = {key: tensor for key, tensor in state.items() if not key.endswith(".alpha")}
    assert len(matrices) == 2 * len(layers) == 2 * 79
    assert trained.alone.report["adapted"] == len(layers)
    assert trained.alone.report["matrices"] == len(matrices)
    squares = sum(float(tensor.double().square().sum()) for tensor in matrices.values())
    assert trained.alone.report["sum_of_squares"] == pytest.approx(squares, rel=1e-12)


def test_the_base_alone_is_drawn_as_we_draw_it(trained: Trained) -> None:
    ours = our_pixels(trained.folder, "base")
    assert largest(ours, trained.alone.base) <= 1


def test_the_lora_is_drawn_as_we_draw_it_and_not_as_the_base(trained: Trained) -> None:
    ours = our_pixels(trained.folder, "final")
    assert len(ours) == 2
    assert largest(ours, trained.alone.lora) <= 1
    for lora, base in zip(trained.alone.lora, trained.alone.base, strict=True):
        assert np.abs(lora - base).mean() > 5 and np.abs(lora - base).max() > 100


def complaints(alone: Alone) -> list[str]:
    """What diffusers, transformers and peft had to say about the file."""
    messages = alone.report["messages"]
    assert isinstance(messages, list)
    return [message for message in messages if UNET_ONLY not in message]


def largest(ours: list[Pixels], theirs: list[Pixels]) -> int:
    """The largest difference, of 255."""
    return max(int(np.abs(one - other).max()) for one, other in zip(ours, theirs, strict=True))


@pytest.fixture(scope="module")
def default_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`python train.py` in a folder where nothing is yet: the folder of its run."""
    desk = tmp_path_factory.mktemp("newcomer")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OMP", "WANDB"))}
    done = subprocess.run(
        [sys.executable, str(PROJECT / "train.py")],
        cwd=desk,
        env={**env, "HF_HUB_OFFLINE": "1", "WANDB_MODE": "offline"},
        capture_output=True,
        encoding="utf-8",
        timeout=590,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (desk / "outputs").iterdir()
    assert f"page     outputs/{folder.name}/index.html" in done.stdout
    return folder


@pytest.mark.slow
def test_the_default_run_learns_the_concept(default_run: Path) -> None:
    result = json.loads((default_run / "result.json").read_text(encoding="utf-8"))
    assert (result["outcome"], result["steps_done"]) == ("completed", 300)
    likeness = read_scores(default_run / "scores.json").row("likeness")
    assert likeness.difference is not None and likeness.final is not None and likeness.real is not None
    assert likeness.difference.low is not None and likeness.difference.low > 0
    assert likeness.final.value / likeness.real.value >= 0.95


@pytest.mark.slow
def test_the_page_of_the_default_run_holds_its_pictures(default_run: Path) -> None:
    page = (default_run / "index.html").read_text(encoding="utf-8")
    for name in ("base", "final"):
        rows = listed(default_run, name)
        assert len(rows) == 24  # 8 prompts of the concept and 4 plain ones, 2 seeds
        for row in rows:
            png = (default_run / "samples" / row["file"]).read_bytes()
            assert f"data:image/png;base64,{base64.b64encode(png).decode()}" in page


@pytest.mark.slow
def test_diffusers_alone_draws_the_concept_of_the_default_run(default_run: Path, tmp_path: Path) -> None:
    alone = draw_without_us(default_run, default_run / "demo.safetensors", tmp_path / "elsewhere")
    assert alone.report["imported"] == alone.report["importable"] == complaints(alone) == []
    assert largest(our_pixels(default_run, "final"), alone.lora) <= 1
    demo = prepare_demo("sks", tmp_path / "cache")
    entries = json.loads(demo.prompts.read_text(encoding="utf-8"))["prompts"]
    references = {entry["prompt"]: [demo.path / name for name in entry["references"]] for entry in entries}
    encoder = load_encoder(str(demo.scorer), "cpu")
    gains = []
    of_concept = [row for row in listed(default_run, "final") if row["prompt_index"] < 8]
    for index, row in enumerate(of_concept):
        drawn = [tmp_path / f"elsewhere/{name}_{index:02d}.png" for name in ("base", "lora")]
        paths = [*drawn, *references[row["prompt"]]]
        base, lora, *true = encoder.embed_images([Image.open(path).convert("RGB") for path in paths])
        gains.append(float(np.mean([(lora - base) @ vector for vector in true])))
    assert len(gains) == 16
    assert sum(gain > 0 for gain in gains) >= 15, gains
