"""A Stable Diffusion XL checkpoint small enough to be made by a test."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from demo.folder import WEIGHTS

WIDTHS = (16, 24)  # of the text encoders: with equal ones a loader could take one for the other unnoticed
POOLED = 20  # numbers of the second's projection
SIZE_CHANNELS = 256  # numbers that each of the six sizes becomes, as published


def write_tiny_sdxl(
    folder: Path,
    *,
    prediction: str = "epsilon",
    zero_terminal_snr: bool = False,
    says_so: bool = True,
    num_resnets: int = 1,
) -> None:
    """A Stable Diffusion XL pipeline of random weights as diffusers writes it; the demo's words.

    zero_terminal_snr  the last timestep is pure noise
    says_so            whether its scheduler tells; some checkpoints' do not
    num_resnets        a level has; published models have 2, and kohya's names count on it
    """
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=num_resnets,
        transformer_layers_per_block=(1, 2),
        cross_attention_dim=sum(WIDTHS),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=SIZE_CHANNELS,
        projection_class_embeddings_input_dim=6 * SIZE_CHANNELS + POOLED,
        norm_num_groups=8,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=4,
        sample_size=64,
        scaling_factor=0.13025,
        force_upcast=True,
    )
    words = WEIGHTS / "tokenizer"
    StableDiffusionXLPipeline(
        unet=unet,
        vae=vae,
        text_encoder=CLIPTextModel(_text_config(WIDTHS[0], "quick_gelu", layers=3)),
        text_encoder_2=CLIPTextModelWithProjection(_text_config(WIDTHS[1], "gelu", layers=2)),
        tokenizer=CLIPTokenizer.from_pretrained(words, model_max_length=77),
        tokenizer_2=CLIPTokenizer.from_pretrained(words, model_max_length=77, pad_token="!"),
        scheduler=DDIMScheduler(
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
            prediction_type=prediction,
            rescale_betas_zero_snr=zero_terminal_snr and says_so,
            timestep_spacing="trailing" if zero_terminal_snr and says_so else "leading",
        ),
        add_watermarker=False,
    ).save_pretrained(folder)


def _text_config(width: int, activation: str, *, layers: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=700,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=77,
        hidden_act=activation,
        projection_dim=POOLED,
        bos_token_id=698,
        eos_token_id=699,
    )
