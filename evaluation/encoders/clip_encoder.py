"""CLIP through transformers: pictures and texts in one space."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.encoders.encoder import EncoderKind, Vectors
from evaluation.encoders.encoder_folder import weight_files
from evaluation.encoders.encoder_model import FolderEncoder, exact, load_whole, normalise
from evaluation.encoders.logit_scale import read_logit_scale

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import CLIPTokenizer, PreTrainedModel


class ClipEncoder(FolderEncoder):
    """CLIP from a folder as transformers writes it; openai/clip-vit-large-patch14, PickScore."""

    kinds = frozenset(EncoderKind)

    def load(self, folder: Path, use_safetensors: bool) -> tuple["PreTrainedModel", Sequence[str]]:
        """The model and the names of weights that its files lack."""
        from transformers import CLIPModel

        return load_whole(CLIPModel, folder, use_safetensors)

    def image_features(self, pixels: "Tensor") -> "Tensor":
        """[N, 3, H, W] -> [N, D], projected into the space of the texts."""
        return self.model.visual_projection(self.model.vision_model(pixel_values=pixels).pooler_output)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """[N, D] float32; a text that is too long loses its last words, never its end token."""
        tokens = self._tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=self._max_length,
            return_tensors="pt",
        ).to(self.model.device)
        with exact():
            # No mask: attention is causal, so the end token never sees the padding behind it.
            output = self.model.text_model(input_ids=tokens["input_ids"])
            return normalise(self.model.text_projection(output.pooler_output).cpu().numpy())

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the encoder reads."""
        lengths = [len(self._tokenizer(text, truncation=False, verbose=False)["input_ids"]) for text in texts]
        return sum(length > self._max_length for length in lengths)

    def logit_scale(self) -> float:
        """exp(logit_scale): 100 for the published ones; from the file alone where that can be."""
        found = read_logit_scale(weight_files(self.origin.folder))
        return float(self.model.logit_scale.exp()) if found is None else found

    @cached_property
    def _tokenizer(self) -> "CLIPTokenizer":
        from transformers import CLIPTokenizer

        return CLIPTokenizer.from_pretrained(self.origin.folder, local_files_only=True)

    @property
    def _max_length(self) -> int:
        length: int = self.model.config.text_config.max_position_embeddings
        return length
