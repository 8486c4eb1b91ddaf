"""What the option tests work on: pictures, prompts, other weights; and what a small run shows of itself."""

import csv
import json
import shutil
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from demo.folder import WEIGHTS, prepare_demo
from engine.training.job import Hooks
from engine.training.train import train
from evaluation.in_run import scorer_of, scores_of
from tests.training.toy_runs import small_run

SIZES = ((72, 56), (128, 32), (32, 128), (40, 40), (64, 64))  # pixels; long ones, and a small one


@dataclass(frozen=True)
class Seen:
    """What a person could notice of a run, in parts that an option may or may not touch."""

    weights: dict[str, bytes]
    losses: list[str]
    rates: list[str]
    validation: list[tuple[int, float]]
    base: dict[str, bytes]  # pictures
    previews: dict[str, bytes]
    final: dict[str, bytes]
    scores: tuple[dict[str, float], list[str]]  # by metric; which the run is judged by
    files: list[str]  # of the run folder, without what lies deeper


def differences(one: Seen, other: Seen) -> set[str]:
    """Which parts are not equal."""
    return {field.name for field in fields(Seen) if getattr(one, field.name) != getattr(other, field.name)}


def see_run(folder: Path, *overrides: str) -> tuple[str, Seen]:
    """Train a small run as train.py does, scores and all: its id, and what it shows."""
    run, plan = small_run(folder, *overrides)
    hooks = Hooks(score=scorer_of(run, plan.sources, device=plan.device))
    result = train(run, plan, console=Console(quiet=True), hooks=hooks)
    assert not result.reused and result.weights is not None, (result.outcome, result.cause)
    with (result.folder / "log.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["loss"]]
    scores = scores_of(result.folder)
    seen = Seen(
        weights=read_tensors(result.weights),
        losses=[row["loss"] for row in rows],
        rates=[row["lr"] for row in rows],
        validation=result.val_losses,
        base=_pictures(result.folder, "base"),
        previews=_pictures(result.folder, "step*"),
        final=_pictures(result.folder, "final"),
        scores=(scores.values, scores.objectives),
        files=sorted(path.name for path in result.folder.iterdir()),
    )
    return plan.run_id, seen


def read_tensors(path: Path) -> dict[str, bytes]:
    """The tensors of a weights file; its metadata is left out."""
    with safe_open(path, framework="np") as file:
        return {key: file.get_tensor(key).tobytes() for key in file.keys()}  # noqa: SIM118


def lay_desk(desk: Path, cache: Path) -> Path:
    """Write all that the table of options names."""
    desk.mkdir()
    write_photos(desk)
    write_kohya(desk)
    write_masks_and_faces(desk)
    (desk / "prompts.txt").write_text("a red star in the middle, blue background\n")
    demo = prepare_demo("sks", cache)
    manifest = json.loads(demo.prompts.read_text())
    references = [[str(demo.path / name) for name in row["references"]] for row in manifest["prompts"]]
    for row, others in zip(manifest["prompts"], references[1:] + references[:1], strict=True):
        row["references"] = others
    (desk / "manifest.json").write_text(json.dumps(manifest))
    shutil.copytree(demo.scorer, desk / "other_clip")
    _scale(desk / "other_clip/model.safetensors", "visual_projection.weight")
    shutil.copytree(WEIGHTS, desk / "other_base", ignore=shutil.ignore_patterns("scorer"))
    _scale(desk / "other_base/unet/diffusion_pytorch_model.safetensors", "conv_in.weight")
    shutil.copytree(WEIGHTS, desk / "v_base", ignore=shutil.ignore_patterns("scorer"))
    settings = desk / "v_base/scheduler/scheduler_config.json"
    settings.write_text(settings.read_text().replace('"epsilon"', '"v_prediction"'))
    return desk


def write_photos(desk: Path) -> None:
    """photos/ with two captions a picture, bare/ with none."""
    random = np.random.default_rng(0)
    for folder in ("photos", "bare"):
        (desk / folder).mkdir()
    for index, (width, height) in enumerate(SIZES):
        coarse = random.integers(0, 255, (4, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((width, height))
        for folder in ("photos", "bare"):
            picture.save(desk / folder / f"{index}.png")
        (desk / "photos" / f"{index}.caption").write_text("a green ring in the middle, red background\n")
        (desk / "photos" / f"{index}.txt").write_text("a white cross in the middle, pink background\n")


def write_kohya(desk: Path) -> None:
    """kohya/ with two folders to learn, reg/ with one of regularisation; captions in the learnt ones too."""
    for index, name in enumerate(("kohya/2_a red star", "kohya/1_a green ring", "reg/1_star")):
        folder = desk / name
        folder.mkdir(parents=True)
        for place in range(2):
            shutil.copy(desk / "photos" / f"{2 * index % 4 + place}.png", folder / f"{place}.png")
        if not name.startswith("reg"):
            (folder / "0.txt").write_text("a white cross in the middle, pink background\n")


def write_masks_and_faces(desk: Path) -> None:
    """metadata.json and masks/ for photos/; clear/ half transparent, faces/ with faces in their names."""
    rows = {f"{index}": {"caption": "a red star", "tags": "blue background"} for index in range(len(SIZES))}
    (desk / "metadata.json").write_text(json.dumps(rows))
    for folder in ("masks", "clear", "faces"):
        (desk / folder).mkdir()
    for index, (width, height) in enumerate(SIZES):
        mask = Image.new("L", (width, height), 0)
        mask.paste(255, (0, 0, width // 2, height))
        mask.save(desk / "masks" / f"{index}.png")
        picture = Image.open(desk / "photos" / f"{index}.png")
        large = picture.resize((2 * width, 2 * height))
        large.save(desk / "faces" / f"{index}_{width // 2}_{height // 2}_{width // 3}_{height // 3}.png")
        for name in (f"clear/{index}", f"faces/{index}"):
            (desk / f"{name}.txt").write_text("a green ring in the middle, red background")
        picture.putalpha(mask)
        picture.save(desk / "clear" / f"{index}.png")


def _pictures(folder: Path, name: str) -> dict[str, bytes]:
    paths = sorted((folder / "samples").glob(f"{name}/*.png"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _scale(path: Path, key: str) -> None:
    """Make other weights of a file: the even rows of one tensor times 1.5."""
    tensors = load_file(path)
    assert key in tensors, sorted(tensors)[:5]
    tensors[key][::2] *= 1.5
    save_file(tensors, path, metadata={"format": "pt"})


def largest_step(one: dict[str, bytes], other: dict[str, bytes]) -> int:
    """The largest difference of a pixel, of 255."""
    return max(int(abs(pixels(one[name]) - pixels(other[name])).max()) for name in one)


def pixels(png: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.int16]]":
    return np.asarray(Image.open(BytesIO(png)), dtype=np.int16)
