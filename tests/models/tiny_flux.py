"""A FLUX.1 checkpoint, dev or schnell, small enough to be made by a test."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from demo.folder import WEIGHTS
from tests.models.tiny_t5 import tiny_t5_encoder, tiny_t5_tokenizer


def write_tiny_flux(folder: Path, *, is_dev: bool = True) -> None:
    """A FLUX.1 pipeline of random weights as diffusers writes it; the demo's words for CLIP.

    is_dev  the transformer is told its guidance, and the schedule is shifted by the size of the picture
    """
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        in_channels=64,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        guidance_embeds=is_dev,
        axes_dims_rope=(4, 6, 6),
    )
    FluxPipeline(
        transformer=transformer,
        vae=_vae(),
        text_encoder=_clip(),
        tokenizer=CLIPTokenizer.from_pretrained(WEIGHTS / "tokenizer", model_max_length=77),
        text_encoder_2=tiny_t5_encoder(),
        tokenizer_2=tiny_t5_tokenizer(),
        scheduler=FlowMatchEulerDiscreteScheduler(  # as the two are published
            shift=3.0 if is_dev else 1.0, use_dynamic_shifting=is_dev, base_shift=0.5, max_shift=1.15
        ),
    ).save_pretrained(folder)


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        latent_channels=16,
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        sample_size=64,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def _clip() -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=700,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=698,
        eos_token_id=699,
    )
    return CLIPTextModel(config)
