"""LAION's improved aesthetic predictor: a small head that rates CLIP embeddings, from a local file."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from engine.config.errors import ConfigError
from evaluation.encoders.encoder import Vectors
from evaluation.encoders.encoder_folder import find_encoder

OPTION = "evaluation.aesthetic"
WIDTH = 768  # of CLIP ViT-L/14's projected embeddings

_LAYERS = {0: (1024, WIDTH), 2: (128, 1024), 4: (64, 128), 6: (16, 64), 7: (1, 16)}  # number -> (out, in)
_WANTED = "Use sac+logos+ava1-l14-linearMSE.pth of christophschuhmann/improved-aesthetic-predictor."
_FITTING = "Set evaluation.encoder=openai/clip-vit-large-patch14."

Weights = dict[str, NDArray[np.float32]]


class AestheticHead:
    """Five linear layers without activations between them: dropout, and only in training, is all there was.

    Source: Schuhmann 2022, github.com/christophschuhmann/improved-aesthetic-predictor (version 2).
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        weights = _read(file)
        problem = _find_problem(weights)
        if problem is not None:
            raise ConfigError(f"{OPTION}={file}: {problem}. {_WANTED}")
        self._layers = [
            (weights[f"layers.{number}.weight"], weights[f"layers.{number}.bias"]) for number in _LAYERS
        ]

    def rate(self, vectors: Vectors) -> NDArray[np.float64]:
        """Embeddings [N, 768] of length 1 -> ratings [N], about 1 to 10."""
        values = vectors.astype(np.float64)
        for weight, bias in self._layers:
            values = values @ weight.T.astype(np.float64) + bias.astype(np.float64)
        ratings: NDArray[np.float64] = values[:, 0]
        return ratings


def check_aesthetic_file(file: Path) -> list[str]:
    """What can be said of the file before it is loaded, a sentence for each problem; no torch."""
    if not file.is_file():
        return [f"{OPTION}={file}: no such file. {_WANTED}"]
    if file.suffix not in (".pth", ".pt", ".safetensors"):
        return [f"{OPTION}={file}: neither .pth nor .safetensors. {_WANTED}"]
    return []


def check_fits(file: Path, encoder: str | None) -> list[str]:
    """What is wrong with rating an encoder's embeddings; no torch.

    encoder  the text-image encoder as the user named it; one that is not here is complained of elsewhere
    """
    if encoder is None:
        return [f"{OPTION}={file}: rates embeddings, and no encoder is named. {_FITTING}"]
    try:
        config = json.loads((find_encoder(encoder) / "config.json").read_text(encoding="utf-8"))
    except ConfigError:
        return []
    kind, width = config["model_type"], config.get("projection_dim", 512)
    if (kind, width) == ("clip", WIDTH):
        return []
    is_ = f"a clip model with {width}" if kind == "clip" else f"a {kind} model"
    return [
        f"{OPTION}={file}: rates embeddings of CLIP ViT-L/14, which have {WIDTH} numbers; {encoder} is "
        f"{is_}. {_FITTING}"
    ]


def _read(file: Path) -> Weights:
    """ConfigError: it cannot be read without running what is in it."""
    problems = check_aesthetic_file(file)
    if problems:
        raise ConfigError(problems)
    try:
        return load_file(file) if file.suffix == ".safetensors" else _read_pickle(file)
    except (OSError, SafetensorError, ValueError, TypeError, RuntimeError, EOFError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(f"{OPTION}={file}: cannot be read ({reason}). {_WANTED}") from error


def _read_pickle(file: Path) -> Weights:
    """Tensors only: anything else in the file is refused, never run."""
    import pickle

    import torch

    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError("it holds more than weights") from error
    if not isinstance(content, dict) or not all(
        isinstance(value, torch.Tensor) for value in content.values()
    ):
        raise ValueError("it holds no table of weights")
    return {str(key): value.float().numpy() for key, value in content.items()}


def _find_problem(weights: Weights) -> str | None:
    for number, (num_out, num_in) in _LAYERS.items():
        for name, shape in (
            (f"layers.{number}.weight", (num_out, num_in)),
            (f"layers.{number}.bias", (num_out,)),
        ):
            if name not in weights:
                return f"holds no {name}"
            if weights[name].shape != shape:
                return f"its {name} has the shape {list(weights[name].shape)}, not {list(shape)}"
            if not np.isfinite(weights[name]).all():
                return f"its {name} holds what is not a number"
    return None
