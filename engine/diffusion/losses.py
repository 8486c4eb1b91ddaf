"""The distance between prediction and target, one number per picture."""

from torch import Tensor


def mean_squared_error(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean over channels and pixels of the squared difference.

    prediction, target  [B, C, H, W]
    mask                [B, 1, H, W]  0 to 1: how much a pixel counts. The mean is taken over all pixels, so
                        that a picture of which little counts weighs less. Source: kohya sd-scripts 0.10.1,
                        custom_train_functions.apply_masked_loss.
    returns             [B] float32
    """
    error = (prediction.float() - target.float()).square()
    return (error if mask is None else error * mask).flatten(1).mean(dim=1)
