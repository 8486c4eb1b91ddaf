"""The gate: what the weights must reach before they are final, and how it is measured."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from diffusers import AutoencoderKL, StableDiffusionPipeline

from demo.judge import ATTRIBUTES, judge_pictures, label_scene, load_judge
from demo.sampling import draw_pictures
from demo.scorer import load_scorer, measure_recall
from demo.vae import draw_pool, measure_decibels, to_tensor
from demo.words import caption
from demo.world import Scene, sample_scene

NUM_PICTURES = 200
SCENE_SEED = 77  # the scenes of the gate; picture i is drawn from noise seed i


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares of right attributes (0..1), decibels of the VAE, recall of the scorer."""

    shape: float
    colour: float
    background: float
    tone: float
    pattern: float
    size: float
    place: float
    all_seven: float
    vae_decibels: float
    scorer_shape_recall: float
    scorer_place_recall: float
    pictures: int


GATE: dict[str, float] = {
    "shape": 0.97,
    "colour": 0.97,
    "background": 0.97,
    "place": 0.97,
    "all_seven": 0.93,
    "vae_decibels": 34.0,
    "scorer_shape_recall": 0.85,
}


def gate_scenes(count: int = NUM_PICTURES) -> list[Scene]:
    """The fixed scenes with one object that the gate draws."""
    return [
        sample_scene(np.random.default_rng([SCENE_SEED, index]), pairs=0.0, creatures=0.0)
        for index in range(count)
    ]


def judge_samples(
    pipeline: StableDiffusionPipeline, judge: Path, count: int = NUM_PICTURES
) -> dict[str, float]:
    """Draw the scenes of the gate and return the share of right ones an attribute, and of all seven."""
    scenes = gate_scenes(count)
    pictures = draw_pictures(pipeline, [caption(scene) for scene in scenes], seeds=range(count))
    named = judge_pictures(load_judge(judge), to_tensor(pictures)).numpy()
    right = named == np.array([label_scene(scene) for scene in scenes])
    shares = dict(zip(ATTRIBUTES, right.mean(axis=0).tolist(), strict=True))
    return {**shares, "all_seven": float(right.all(axis=1).mean())}


def measure(pipeline: StableDiffusionPipeline, weights: Path) -> Figures:
    """All figures of the weights folder."""
    shares = judge_samples(pipeline, weights / "judge.safetensors")
    vae = pipeline.vae
    assert isinstance(vae, AutoencoderKL)
    scorer = load_scorer(weights / "scorer", weights / "text_encoder")
    return Figures(
        **{name: round(share, 4) for name, share in shares.items()},
        vae_decibels=measure_decibels(vae, to_tensor(draw_pool(256, seed=29, collages=0.0))),
        scorer_shape_recall=measure_recall(scorer, weights / "tokenizer"),
        scorer_place_recall=measure_recall(scorer, weights / "tokenizer", what="place"),
        pictures=NUM_PICTURES,
    )


def shortfalls(figures: Figures) -> list[str]:
    """One sentence for each figure below the gate."""
    measured = asdict(figures)
    return [
        f"{name} is {measured[name]}, the gate asks for {asked}"
        for name, asked in GATE.items()
        if measured[name] < asked
    ]


def write_figures(figures: Figures, path: Path) -> None:
    """Write the figures as JSON."""
    path.write_text(json.dumps(asdict(figures), indent=1) + "\n", encoding="utf-8")
