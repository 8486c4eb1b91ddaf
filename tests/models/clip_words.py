"""The tokenizers of the reference numbers: the published words that their prompts need, three ways to pad."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

GOLDEN = Path(__file__).parents[1] / "golden"
PADDINGS = {"sd1": ["<|endoftext|>"], "sd2": ["!"], "sdxl": ["<|endoftext|>", "id 0"]}  # of each encoder


def clip_tokenizer(padding: str) -> CLIPTokenizer:
    """Padding with a word, which is then one token wherever it stands; or with id 0 alone (SDXL's second)."""
    end = "<|endoftext|>"
    tokenizer = CLIPTokenizer.from_pretrained(
        GOLDEN / "k_clip_words",
        model_max_length=77,
        bos_token="<|startoftext|>",
        eos_token=end,
        unk_token=end,
        pad_token=end if padding == "id 0" else padding,
    )
    if padding == "id 0":
        tokenizer.pad_token_id = 0
    return tokenizer


def clip_text_model() -> CLIPTextModel:
    """The tiny encoder of o_text_encode: 12 layers of width 8."""
    weights = load_file(GOLDEN / "o_text_encode_models.safetensors")
    words = torch.zeros(49408, 8)
    words[weights.pop("embedding_ids")] = weights.pop("embedding_rows").float()
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=12,
        num_attention_heads=2,
        bos_token_id=0,
        eos_token_id=2,
    )
    model = CLIPTextModel(config).eval()
    state = {key: weight.float() for key, weight in weights.items()}
    model.load_state_dict({**state, "embeddings.token_embedding.weight": words})
    return model
