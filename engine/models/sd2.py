"""Stable Diffusion 2 and 2.1: the code of Stable Diffusion 1 around another text encoder and other heads.

What differs stands in the checkpoint's own files: OpenCLIP's ViT-H, of whose 24 layers a diffusers folder
holds the 23 that the UNet was trained on; a tokenizer that pads with "!" (id 0); as many attention heads a
block as make them 64 wide; linear projections; epsilon (base, 512 pixels) or v (768 pixels).
"""

import torch

from engine.config import ModelConfig
from engine.models.fingerprint import Fingerprints
from engine.models.parts import PartsSource
from engine.models.sd1 import StableDiffusion1, load_sd1


def load_sd2(
    config: ModelConfig,
    source: PartsSource,
    *,
    fingerprints: Fingerprints,
    device: torch.device,
    dtype: torch.dtype,
) -> StableDiffusion1:
    """Read a Stable Diffusion 2 checkpoint.

    dtype   of the UNet and the text encoder; the VAE is always float32
    raises  ConfigError when weights are missing from it
    """
    assert config.clip_skip == 1, "a rule refuses it: the folder's last layer is the one that is read"
    return load_sd1(config, source, fingerprints=fingerprints, device=device, dtype=dtype)
