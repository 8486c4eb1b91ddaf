"""Prompts as T5 encoders read them: rows of one length, padded, cut where they are longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, T5EncoderModel

LONGEST = 512  # tokens that T5 was trained on


@dataclass(kw_only=True, slots=True, frozen=True)
class T5Tokens:
    """B prompts of L tokens each."""

    ids: Tensor  # [B, L] int64
    mask: Tensor  # [B, L] int64: 1 for words and their end, 0 for padding
    cut: list[str]  # prompts that are longer

    @property
    def capacity(self) -> int:
        """Tokens of a prompt that are read, its end not counted."""
        return self.ids.shape[1] - 1

    @property
    def remedy(self) -> str | None:
        """What a user may do about cut prompts, beside shortening them."""
        return "raise model.t5_token_length" if self.ids.shape[1] < LONGEST else None


def read_t5_prompts(prompts: Sequence[str], tokenizer: PreTrainedTokenizerBase, *, length: int) -> T5Tokens:
    """The prompts as token ids, each with its end and padded to a length.

    length  tokens of a row, its end counted
    """
    fitted = tokenizer(
        list(prompts), padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    )
    whole = tokenizer(list(prompts), verbose=False).input_ids
    return T5Tokens(
        ids=fitted.input_ids,
        mask=fitted.attention_mask,
        cut=[prompt for prompt, tokens in zip(prompts, whole, strict=True) if len(tokens) > length],
    )


def encode_t5(tokens: T5Tokens, text_encoder: T5EncoderModel, *, masked: bool = False) -> Tensor:
    """The encoder's last states [B, L, D], float32.

    masked  words do not see the padding, and the padding's own states become zeros; else padding is read
            like words, as diffusers' pipelines have it
    """
    device = text_encoder.device
    ids, mask = tokens.ids.to(device), tokens.mask.to(device)
    if not masked:
        states: Tensor = text_encoder(ids).last_hidden_state
        return states.float()
    states = text_encoder(ids, attention_mask=mask).last_hidden_state
    return states.float() * mask[..., None]
