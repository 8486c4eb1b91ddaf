"""Changes to the Gaussian noise that a model is trained on."""

from torch import Tensor


def offset_noise(noise: Tensor, strength: Tensor, shift: Tensor) -> Tensor:
    """Shift each channel of the noise by one random constant per picture.

    noise     [B, C, H, W]  unit Gaussian
    strength  [B]           0 = off; 0.03-0.1 usual (std of the shift)
    shift     [B, C]        unit Gaussian, one draw per picture and channel
    returns   [B, C, H, W]
    Source: crosslabs.org, "Diffusion with Offset Noise".
    """
    return noise + (strength[:, None] * shift)[..., None, None]
