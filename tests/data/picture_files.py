"""Makes small picture files for tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def noise_picture(width: int, height: int, *, seed: int = 0) -> Image.Image:
    """RGB noise, the same for the same seed."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def write_picture(path: Path, size: tuple[int, int] = (64, 64), *, caption: str | None = None) -> Path:
    """Noise that differs from file name to file name, with a .txt beside it where a caption is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise_picture(*size, seed=sum(path.name.encode())).save(path)
    if caption is not None:
        path.with_suffix(".txt").write_text(caption, encoding="utf-8")
    return path
