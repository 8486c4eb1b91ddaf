"""DINOv2 through transformers: pictures among each other, by what is in them rather than by words."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.encoders.encoder import EncoderKind
from evaluation.encoders.encoder_model import FolderEncoder, load_whole
from evaluation.encoders.pictures_only import PicturesOnly

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


class DinoEncoder(PicturesOnly, FolderEncoder):
    """DINOv2 from a folder as transformers writes it (facebook/dinov2-base, facebook/dinov2-large)."""

    kinds = frozenset({EncoderKind.image})

    def load(self, folder: Path, use_safetensors: bool) -> tuple["PreTrainedModel", Sequence[str]]:
        """The model and the names of weights that its files lack."""
        from transformers import Dinov2Model

        return load_whole(Dinov2Model, folder, use_safetensors)

    def image_features(self, pixels: "Tensor") -> "Tensor":
        """[N, 3, H, W] -> [N, D]: the class token after the last layer norm."""
        return self.model(pixel_values=pixels).pooler_output
