"""A picture cut around the face that its file name tells of: name_<x>_<y>_<width>_<height>.png."""

import random
from dataclasses import dataclass
from pathlib import Path

from engine.data.buckets import Size

_SMALLEST_MOVED = 40  # pixels; a face from this side on is moved a little within the cut


@dataclass(kw_only=True, slots=True, frozen=True)
class Face:
    """Where a face is: its centre and its sides, in pixels of the picture."""

    x: int
    y: int
    width: int
    height: int


@dataclass(kw_only=True, slots=True, frozen=True)
class FaceCut:
    """The size that a picture is brought to, and the part of it that is seen."""

    resized: Size
    crop: tuple[int, int, int, int]  # left, top, right, bottom


def face_of(path: Path) -> Face | None:
    """The face in a file's name; None where it tells of none."""
    parts = path.stem.split("_")[-4:]
    if len(path.stem.split("_")) < 5 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    x, y, width, height = map(int, parts)
    return Face(x=x, y=y, width=width, height=height) if width and height else None


def cut_around_face(
    size: Size,
    face: Face,
    bucket: Size,
    *,
    sides: tuple[float, float],
    random_crop: bool,
    draws: random.Random,
) -> FaceCut:
    """A part of the bucket's size around the face, at a size drawn so that the face fills a share of it.

    size         width and height of the picture
    sides        the smallest and the largest shorter side of the cut, in longer sides of the face
    random_crop  the part lies anywhere, most often around the face
    A picture is never enlarged, except to cover its bucket.
    Source: kohya sd-scripts 0.10.1, train_util.BaseDataset.crop_target, which does so without buckets only.
    """
    scale = _scale(size, face, bucket, sides, draws)
    resized = tuple(max(int(side * scale + 0.5), least) for side, least in zip(size, bucket, strict=True))
    longer = int(max(face.width, face.height) * scale + 0.5)
    corner: list[int] = []
    for centre, length, wanted in zip((face.y, face.x), resized[::-1], bucket[::-1], strict=True):
        middle = int(centre * scale + 0.5)
        start = middle - wanted // 2
        if random_crop:
            reach = max(length - middle, middle, 0)
            start += draws.randint(0, reach) + draws.randint(0, reach) - reach
        elif sides[0] != sides[1] and longer > min(bucket) // 10 and longer >= _SMALLEST_MOVED:
            start += draws.randint(-(longer // 20), longer // 20)
        corner.insert(0, max(0, min(start, length - wanted)))
    left, top = corner
    return FaceCut(resized=(resized[0], resized[1]), crop=(left, top, left + bucket[0], top + bucket[1]))


def _scale(size: Size, face: Face, bucket: Size, sides: tuple[float, float], draws: random.Random) -> float:
    """Between that at which the cut is the largest and that at which it is the smallest."""
    covering = max(bucket[0] / size[0], bucket[1] / size[1])
    if covering >= 1:
        return covering
    longer = max(face.width, face.height)
    low = min(1.0, max(covering, min(bucket) / (longer * sides[1])))
    high = min(1.0, max(low, min(bucket) / (longer * sides[0])))
    return low if low >= high else draws.uniform(low, high)
