"""Stable Diffusion 3 and 3.5 checkpoints small enough to be made by a test."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from demo.folder import WEIGHTS
from tests.models.tiny_t5 import tiny_t5_encoder, tiny_t5_tokenizer

_T5_WIDTH = 64
_CLIP_WIDTHS = (16, 32)  # together narrower than T5, as the published ones are


def write_tiny_sd3(folder: Path, *, with_t5: bool = True, is_35: bool = False) -> None:
    """A Stable Diffusion 3 pipeline of random weights as diffusers writes it; the demo's words.

    is_35  queries and keys are normalised, and the first block attends twice, as in 3.5 Medium
    """
    torch.manual_seed(0)
    transformer = SD3Transformer2DModel(
        sample_size=8,
        num_layers=3,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=_T5_WIDTH,
        caption_projection_dim=16,
        pooled_projection_dim=sum(_CLIP_WIDTHS),
        pos_embed_max_size=12,
        dual_attention_layers=(0,) if is_35 else (),
        qk_norm="rms_norm" if is_35 else None,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        latent_channels=16,
        scaling_factor=1.5305,
        shift_factor=0.0609,
        use_quant_conv=False,
        use_post_quant_conv=False,
        sample_size=64,
    )
    StableDiffusion3Pipeline(
        transformer=transformer,
        vae=vae,
        text_encoder=_clip(_CLIP_WIDTHS[0]),
        tokenizer=CLIPTokenizer.from_pretrained(WEIGHTS / "tokenizer", model_max_length=77),
        text_encoder_2=_clip(_CLIP_WIDTHS[1]),
        tokenizer_2=CLIPTokenizer.from_pretrained(WEIGHTS / "tokenizer", model_max_length=77, pad_token="!"),
        text_encoder_3=tiny_t5_encoder(_T5_WIDTH) if with_t5 else None,
        tokenizer_3=tiny_t5_tokenizer() if with_t5 else None,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    ).save_pretrained(folder)


def _clip(width: int) -> CLIPTextModelWithProjection:
    return CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=700,
            hidden_size=width,
            intermediate_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            max_position_embeddings=77,
            projection_dim=width,
            bos_token_id=698,
            eos_token_id=699,
        )
    )
