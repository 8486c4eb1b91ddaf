"""SigLIP through transformers, and SigLIP 2 of a fixed resolution: pictures and texts in one space."""

import json
import re
import string
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
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_PUNCTUATION = str.maketrans("", "", string.punctuation)


class SiglipEncoder(FolderEncoder):
    """SigLIP from a folder as transformers writes it (google/siglip-so400m-patch14-384)."""

    kinds = frozenset(EncoderKind)

    def load(self, folder: Path, use_safetensors: bool) -> tuple["PreTrainedModel", Sequence[str]]:
        """The model and the names of weights that its files lack."""
        from transformers import SiglipModel

        return load_whole(SiglipModel, folder, use_safetensors)

    def image_features(self, pixels: "Tensor") -> "Tensor":
        """[N, 3, H, W] -> [N, D], pooled by attention."""
        return self.model.vision_model(pixel_values=pixels).pooler_output

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """[N, D] float32; a text that is too long loses its last words, never its end token.

        Always padded to the whole length and never masked: it was trained so, and reads the last place.
        """
        import torch

        tokens = torch.tensor([self._fit(self._tokens(text)) for text in texts])
        with exact():
            output = self.model.text_model(input_ids=tokens.to(self.model.device))
            return normalise(output.pooler_output.cpu().numpy())

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts are longer than the encoder reads."""
        return sum(len(self._tokens(text)) > self._max_length for text in texts)

    def logit_scale(self) -> float:
        """exp(logit_scale); from the file alone where that can be."""
        found = read_logit_scale(weight_files(self.origin.folder))
        return float(self.model.logit_scale.exp()) if found is None else found

    @cached_property
    def _tokenizer(self) -> "PreTrainedTokenizerFast":
        """From tokenizer.json, which needs no sentencepiece."""
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast.from_pretrained(self.origin.folder, local_files_only=True)

    @cached_property
    def _is_first(self) -> bool:
        """Whether texts are made ready as the first SigLIP's are; SigLIP 2 keeps punctuation."""
        file = self.origin.folder / "tokenizer_config.json"
        if not file.is_file():
            return True
        name = str(json.loads(file.read_text(encoding="utf-8")).get("tokenizer_class", "Siglip"))
        return name.startswith("Siglip") and not name.startswith("Siglip2")

    def _canonical(self, text: str) -> str:
        """Small letters; for the first SigLIP no punctuation and single spaces, as its own tokenizer does."""
        text = text.lower()
        return re.sub(r"\s+", " ", text.translate(_PUNCTUATION)).strip() if self._is_first else text

    def _tokens(self, text: str) -> list[int]:
        """With the end token, which not every tokenizer.json adds itself."""
        tokens: list[int] = self._tokenizer(self._canonical(text), truncation=False, verbose=False)[
            "input_ids"
        ]
        end = self._tokenizer.eos_token_id
        return tokens if tokens and tokens[-1] == end else [*tokens, end]

    def _fit(self, tokens: list[int]) -> list[int]:
        """Cut before its end, or padded, to the length that is read."""
        length = self._max_length
        if len(tokens) > length:
            return [*tokens[: length - 1], tokens[-1]]
        return tokens + [self._tokenizer.pad_token_id] * (length - len(tokens))

    @property
    def _max_length(self) -> int:
        length: int = self.model.config.text_config.max_position_embeddings
        return length
