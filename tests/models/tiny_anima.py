"""An Anima checkpoint small enough to be made by a test, without a network."""

from pathlib import Path

import torch
from diffusers import (
    AnimaAutoBlocks,
    AnimaTextConditioner,
    AutoencoderKLQwenImage,
    CosmosTransformer3DModel,
    FlowMatchEulerDiscreteScheduler,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3Model

from tests.models.tiny_t5 import tiny_t5_tokenizer

LENGTH = 32  # tokens of a text; 512 in the published model
_WIDTH = 16  # of Qwen3's states and of what the denoiser is told
_END = "<|endoftext|>"
_MERGES = (
    ("r", "e"),
    ("re", "d"),
    ("Ġ", "re"),
    ("Ġre", "d"),
    ("s", "t"),
    ("a", "r"),
    ("st", "ar"),
    ("Ġ", "star"),
)


def tiny_qwen_tokenizer() -> Qwen2Tokenizer:
    """Every byte, eight merges, the end; made anew, it is the same."""
    words = [*sorted(ByteLevel.alphabet()), *("".join(pair) for pair in _MERGES), _END]
    return Qwen2Tokenizer(
        vocab={word: index for index, word in enumerate(words)},
        merges=list(_MERGES),
        model_max_length=LENGTH,
    )


def write_tiny_anima(folder: Path) -> None:
    """A pipeline of random weights as diffusers writes it: two blocks of each kind, the VAE's own four."""
    torch.manual_seed(0)
    tokenizer, t5_tokenizer = tiny_qwen_tokenizer(), tiny_t5_tokenizer()
    transformer = CosmosTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,  # divided among time, height and width, each in pairs
        num_layers=2,
        mlp_ratio=2.0,
        text_embed_dim=_WIDTH,
        adaln_lora_dim=8,
        max_size=(4, 32, 32),
        rope_scale=(1.0, 4.0, 4.0),
        extra_pos_embed_type=None,
    )
    conditioner = AnimaTextConditioner(
        source_dim=_WIDTH,
        target_dim=_WIDTH,
        model_dim=_WIDTH,
        num_layers=2,
        num_attention_heads=2,
        target_vocab_size=len(t5_tokenizer),
        min_sequence_length=LENGTH,
    )
    text = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=_WIDTH,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=64,
    )
    pipeline = AnimaAutoBlocks().init_pipeline()
    pipeline.update_components(
        text_encoder=Qwen3Model(text),
        tokenizer=tokenizer,
        t5_tokenizer=t5_tokenizer,
        text_conditioner=conditioner,
        transformer=transformer,
        vae=AutoencoderKLQwenImage(base_dim=4, num_res_blocks=1),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )
    pipeline.save_pretrained(str(folder), overwrite_modular_index=True)
