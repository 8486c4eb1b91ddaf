"""A model of transformers as an encoder: loaded whole or refused, float32, vectors of length 1."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from engine.compose.device import visible_device
from engine.config.errors import ConfigError
from evaluation.encoders.encoder import Vectors
from evaluation.encoders.pictures import Pixels, Preprocessing, prepare, read_preprocessing

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(kw_only=True, slots=True, frozen=True)
class Origin:
    """Where an encoder comes from and where it computes."""

    folder: Path
    name: str  # as the user named it
    option: str  # where the user named it
    device: str  # as the user named it: "auto" is looked up when the weights are loaded
    fingerprint: str


def load_whole(
    model_class: type["PreTrainedModel"], folder: Path, use_safetensors: bool
) -> tuple["PreTrainedModel", Sequence[str]]:
    """A model in float32, and the names of weights that its files lack."""
    import torch

    model, loading = model_class.from_pretrained(
        folder,
        local_files_only=True,
        use_safetensors=use_safetensors,
        dtype=torch.float32,
        output_loading_info=True,
    )
    return model, sorted(loading["missing_keys"])


class FolderEncoder(ABC):
    """The pictures' side of an encoder from a folder; weights are loaded with the first batch."""

    def __init__(self, origin: Origin) -> None:
        self.name = origin.name
        self.option = origin.option
        self.fingerprint = origin.fingerprint
        self.origin = origin
        self._settings: Preprocessing = read_preprocessing(origin.folder, option=f"{self.option}={self.name}")
        self.preprocessing = self._settings.id

    def prepare(self, picture: Image.Image) -> Pixels:
        """An RGB picture as the encoder reads it; called by several threads."""
        return prepare(picture, self._settings)

    def embed_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        """[N, D] float32, in the order given."""
        return self.embed_prepared([self.prepare(picture) for picture in pictures])

    def embed_prepared(self, prepared: Sequence[Pixels]) -> Vectors:
        """[N, D] float32, in the order given."""
        import torch

        pixels = torch.from_numpy(np.stack(prepared))
        with exact():
            return normalise(self.image_features(pixels.to(self.model.device)).cpu().numpy())

    @cached_property
    def model(self) -> "PreTrainedModel":
        """The loaded model. ConfigError: weights are missing or of other shapes."""
        return load_model(self.load, self.origin)

    @abstractmethod
    def load(self, folder: Path, use_safetensors: bool) -> tuple["PreTrainedModel", Sequence[str]]:
        """The model and the names of weights that its files lack."""

    @abstractmethod
    def image_features(self, pixels: "Tensor") -> "Tensor":
        """[N, 3, H, W] -> [N, D], of any length."""


def load_model(
    load: Callable[[Path, bool], tuple["PreTrainedModel", Sequence[str]]], origin: Origin
) -> "PreTrainedModel":
    """A model in float32 on its device. ConfigError: weights missing or of other shapes, no such device."""
    from engine.models.quiet import quiet_loading

    quiet_loading()
    device = visible_device(origin.device)
    if device is None:
        raise ConfigError(f"device={origin.device}: not on this machine. Use device=auto or device=cpu.")
    use_safetensors = any(origin.folder.glob("*.safetensors"))
    try:
        model, missing = load(origin.folder, use_safetensors)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: shapes unlike config.json's
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(
            f"{origin.option}={origin.name}: cannot be loaded ({reason}). Use a whole folder as "
            "save_pretrained writes it."
        ) from error
    if missing:
        raise ConfigError(
            f"{origin.option}={origin.name}: {len(missing)} weights are missing (first: {missing[0]}), and "
            "random ones would give scores without a meaning. Use a complete model."
        )
    model.to(device).eval().requires_grad_(False)
    return model


@contextmanager
def exact() -> Iterator[None]:
    """Without gradients and without TF32, whose ten bits would let the batch size change a score."""
    import torch

    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    try:
        cudnn.allow_tf32 = matmul.allow_tf32 = False
        with torch.inference_mode():
            yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before


def normalise(vectors: Vectors) -> Vectors:
    """[N, D] at length 1; zero stays zero."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)
