"""What SDXL is told of a picture's size: its own, where it was cut, and what it has become; no torch."""

from engine.data.buckets import BucketChoice, letterbox
from engine.data.scan import Picture

Sizes = tuple[float, float, float, float, float, float]


def size_of(picture: Picture, choice: BucketChoice, *, is_mirrored: bool = False) -> Sizes:
    """Height and width of the file; top and left of the cut; height and width of the bucket, in pixels.

    The cut is where the whole picture would lie inside its bucket, whatever was really cut off.
    Source: Podell et al. 2023, section 2.2; kohya's sd-scripts 0.10.1, BaseDataset.__getitem__.
    """
    left, top, right, _ = letterbox(picture.width, picture.height, choice.bucket)
    if is_mirrored:
        left = choice.bucket[0] - right
    width, height = choice.bucket
    return (float(picture.height), float(picture.width), top, left, float(height), float(width))
