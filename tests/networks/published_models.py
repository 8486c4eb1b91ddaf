"""Published models at their real size on the meta device: their layers, without memory for weights."""

import torch
from diffusers import (
    CosmosTransformer3DModel,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
)


def sd15_unet() -> nn.Module:
    with torch.device("meta"):
        return UNet2DConditionModel(sample_size=64, cross_attention_dim=768).requires_grad_(False)


def sd21_unet() -> nn.Module:
    with torch.device("meta"):
        return UNet2DConditionModel(
            sample_size=96,
            cross_attention_dim=1024,
            attention_head_dim=(5, 10, 20, 20),
            use_linear_projection=True,
        ).requires_grad_(False)


def sdxl_unet() -> nn.Module:
    with torch.device("meta"):
        return UNet2DConditionModel(
            sample_size=128,
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        ).requires_grad_(False)


def sd3_transformer(num_layers: int, dual_layers: int = 0) -> nn.Module:
    """24 layers: SD3-medium; 24 of which 13 attend twice: SD3.5-medium; 38: SD3.5-large."""
    with torch.device("meta"):
        return SD3Transformer2DModel(
            sample_size=128,
            num_layers=num_layers,
            num_attention_heads=num_layers,
            attention_head_dim=64,
            caption_projection_dim=64 * num_layers,
            pooled_projection_dim=2048,
            joint_attention_dim=4096,
            pos_embed_max_size=192,
            dual_attention_layers=tuple(range(dual_layers)),
        ).requires_grad_(False)


def flux_transformer() -> nn.Module:
    with torch.device("meta"):
        return FluxTransformer2DModel(guidance_embeds=True).requires_grad_(False)


def anima_transformer() -> nn.Module:
    with torch.device("meta"):
        return CosmosTransformer3DModel(
            in_channels=16,
            out_channels=16,
            num_attention_heads=16,
            attention_head_dim=128,
            num_layers=28,
            mlp_ratio=4.0,
            text_embed_dim=1024,
            adaln_lora_dim=256,
            concat_padding_mask=True,
        ).requires_grad_(False)


def clip_l(*, projected: bool = False) -> nn.Module:
    """The smaller CLIP; projected, as in SD3."""
    config = CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12
    )
    with torch.device("meta"):
        kind = CLIPTextModelWithProjection if projected else CLIPTextModel
        return kind(config).requires_grad_(False)


def open_clip_h() -> nn.Module:
    """Stable Diffusion 2's text encoder."""
    config = CLIPTextConfig(
        hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16
    )
    with torch.device("meta"):
        return CLIPTextModel(config).requires_grad_(False)


def open_clip_g() -> nn.Module:
    """The second text encoder of SDXL and SD3."""
    config = CLIPTextConfig(
        hidden_size=1280,
        intermediate_size=5120,
        num_hidden_layers=32,
        num_attention_heads=20,
        projection_dim=1280,
    )
    with torch.device("meta"):
        return CLIPTextModelWithProjection(config).requires_grad_(False)


def t5_xxl() -> nn.Module:
    config = T5Config(
        d_model=4096, d_ff=10240, d_kv=64, num_heads=64, num_layers=24, feed_forward_proj="gated-gelu"
    )
    with torch.device("meta"):
        return T5EncoderModel(config).requires_grad_(False)


def qwen3() -> nn.Module:
    """Anima's text encoder, Qwen3 0.6B."""
    config = Qwen3Config(
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
    )
    with torch.device("meta"):
        return Qwen3Model(config).requires_grad_(False)
