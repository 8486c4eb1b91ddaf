"""A T5 encoder and tokenizer small enough to be made by a test, without a network."""

import torch
from transformers import T5Config, T5EncoderModel, T5Tokenizer

# The whole vocabulary: whole words, then letters; a score is a log probability, so that words win.
_SPECIAL = ("<pad>", "</s>", "<unk>")  # ids 0, 1, 2, as T5 has them
_WORDS = "a the in of and on with red blue star heart circle square sks creature background middle photo ugly"
_LETTERS = "▁abcdefghijklmnopqrstuvwxyz0123456789,.:()[]-'"
_VOCABULARY = (
    [(token, 0.0) for token in _SPECIAL]
    + [(f"▁{word}", -3.0) for word in _WORDS.split()]
    + [(letter, -9.0) for letter in _LETTERS]
)


def tiny_t5_tokenizer() -> T5Tokenizer:
    """The fixed vocabulary above; made anew, it is the same."""
    return T5Tokenizer(vocab=_VOCABULARY, extra_ids=0, model_max_length=512)


def tiny_t5_encoder(width: int = 32) -> T5EncoderModel:
    """Two layers of random weights, T5 1.1's gated feed-forward, in eval mode.

    width  of its states
    """
    config = T5Config(
        vocab_size=len(_VOCABULARY),
        d_model=width,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=2,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=16,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    return T5EncoderModel(config).eval()
