"""Prompts as CLIP text encoders read them: in rows, with weights, up to a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from engine.models.prompt_weights import WeightedText, parse_weights
from engine.models.text_chunks import RowForm, chunk_tokens, chunk_weights

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer


@dataclass(kw_only=True, slots=True, frozen=True)
class TokenRows:
    """B prompts, each in n rows of W tokens."""

    ids: Tensor  # [B, n, W] int64
    weights: Tensor  # [B, n, W] float32
    cut: list[str]  # prompts that are longer
    capacity: int  # tokens of a prompt that are read, its begin and end not counted


def read_prompts(
    prompts: Sequence[str], tokenizer: CLIPTokenizer, *, rows: int = 1, weighted: bool = False
) -> TokenRows:
    """The prompts in so many rows each, as long as the tokenizer says.

    weighted  (a:1.2) and [b] are weights of what is inside; else brackets are text
    raises    ValueError for a weight that is none
    """
    form = RowForm(
        begin=tokenizer.bos_token_id,
        end=tokenizer.eos_token_id,
        padding=tokenizer.pad_token_id,
        width=tokenizer.model_max_length,
        rows=rows,
    )
    ids, weights, cut = [], [], []
    for prompt in prompts:
        pieces = parse_weights(prompt) if weighted else [WeightedText(prompt, 1.0)]
        tokens = [tokenizer(piece.text, add_special_tokens=False).input_ids for piece in pieces]
        flat = [token for words in tokens for token in words]
        ids.append(chunk_tokens(flat, form))
        strengths = [piece.weight for piece, words in zip(pieces, tokens, strict=True) for _ in words]
        weights.append(chunk_weights(strengths, form))
        if len(flat) > form.capacity:
            cut.append(prompt)
    return TokenRows(ids=torch.tensor(ids), weights=torch.tensor(weights), cut=cut, capacity=form.capacity)


def encode_rows(rows: TokenRows, text_encoder: CLIPTextModel, *, clip_skip: int = 1) -> Tensor:
    """The text embeddings of the prompts, float32.

    clip_skip  1 takes the last layer, 2 the last but one; the final layer norm follows
    returns    [B, n (W - 2) + 2, D]
    Source: kohya's sd-scripts 0.10.1, SdTextEncodingStrategy.
    """
    ids = rows.ids.flatten(0, 1).to(text_encoder.device)
    if clip_skip == 1:
        states = text_encoder(ids).last_hidden_state
    else:
        hidden = text_encoder(ids, output_hidden_states=True).hidden_states  # the embeddings, each layer
        states = text_encoder.final_layer_norm(hidden[-clip_skip])
    return _joined(rows, states)


def encode_rows_before_last(rows: TokenRows, text_encoder: CLIPTextModel) -> Tensor:
    """The states that the last layer is given, float32; no layer norm follows.

    returns  [B, n (W - 2) + 2, D]
    Source: kohya's sd-scripts 0.10.1, SdxlTextEncodingStrategy.
    """
    ids = rows.ids.flatten(0, 1).to(text_encoder.device)
    return _joined(rows, text_encoder(ids, output_hidden_states=True).hidden_states[-2])


def encode_rows_and_pool(rows: TokenRows, text_encoder: CLIPTextModelWithProjection) -> tuple[Tensor, Tensor]:
    """The same states, and the projected state of the first row's end, both float32.

    returns  [B, n (W - 2) + 2, D] and [B, P]; weights change the first alone
    Source: kohya's sd-scripts 0.10.1, SdxlTextEncodingStrategy.
    """
    ids = rows.ids.flatten(0, 1).to(text_encoder.device)
    output = text_encoder(ids, output_hidden_states=True)
    pooled = output.text_embeds.float().unflatten(0, rows.ids.shape[:2])
    return _joined(rows, output.hidden_states[-2]), pooled[:, 0]


def join_rows(states: Tensor, weights: Tensor) -> Tensor:
    """The rows' hidden states times their weights, one after another: one begin, one end.

    states   [B, n, W, D]
    weights  [B, n, W]; the states' mean is not restored
    returns  [B, n (W - 2) + 2, D]
    """
    weighted = states * weights[..., None]
    return torch.cat([weighted[:, 0, :1], weighted[:, :, 1:-1].flatten(1, 2), weighted[:, -1, -1:]], dim=1)


def _joined(rows: TokenRows, states: Tensor) -> Tensor:
    return join_rows(states.float().unflatten(0, rows.ids.shape[:2]), rows.weights.to(states.device))
