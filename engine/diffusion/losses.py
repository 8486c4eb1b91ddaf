"""The distance between prediction and target, one number per picture."""

from torch import Tensor


def mean_squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean over channels and pixels of the squared difference.

    prediction, target  [B, C, H, W]
    returns             [B] float32
    """
    return (prediction.float() - target.float()).square().flatten(1).mean(dim=1)
