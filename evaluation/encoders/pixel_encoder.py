"""The pixels themselves as an encoder, without a model: it sees composition and colour, not what is shown."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from engine.config.evaluation import PIXELS
from evaluation.encoders.encoder import EncoderKind, Vectors
from evaluation.encoders.encoder_model import normalise
from evaluation.encoders.pictures import Pixels, to_rgb
from evaluation.encoders.pictures_only import PicturesOnly

SIDE = 32  # pixels that a picture is reduced to


class PixelEncoder(PicturesOnly):
    """A picture at 32 x 32 in RGB, minus its mean, at length 1: a cosine is the correlation of pixels."""

    kinds = frozenset({EncoderKind.image})

    def __init__(self, *, option: str) -> None:
        self.name = PIXELS
        self.option = option
        self.fingerprint = f"{PIXELS}, no model: {SIDE} x {SIDE} RGB, area average, minus the mean, length 1"
        self.preprocessing = f"box {SIDE}"

    def prepare(self, picture: Image.Image) -> Pixels:
        """[3072] float32 of whole numbers: width by width, channels last."""
        small = to_rgb(picture).resize((SIDE, SIDE), Image.Resampling.BOX)
        return np.asarray(small, dtype=np.float32).reshape(-1)

    def embed_prepared(self, prepared: Sequence[Pixels]) -> Vectors:
        """[N, 3072] float32; a picture of one grey is zero."""
        values = np.stack(prepared).astype(np.float64)
        centred = values - values.mean(axis=1, keepdims=True)
        return normalise(centred.astype(np.float32))

    def embed_images(self, pictures: Sequence[Image.Image]) -> Vectors:
        """[N, 3072] float32, in the order given."""
        return self.embed_prepared([self.prepare(picture) for picture in pictures])
