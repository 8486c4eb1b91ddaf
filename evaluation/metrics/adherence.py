"""Does the picture show what the prompt says: CLIP-T, with trigger words stripped."""

import numpy as np

from evaluation.embedder import Embedder
from evaluation.encoders import EncoderKind
from evaluation.material import Material
from evaluation.metrics.metric import Metric
from evaluation.records import Direction, Scope
from evaluation.statistics import Value


def measure_adherence(material: Material, set_name: str, embedder: Embedder | None) -> list[Value]:
    """The cosine of each picture with its prompt, -1 to 1, as it comes from the encoder."""
    pictures = material.healthy(set_name)
    if not pictures:
        return []
    assert embedder is not None
    images = embedder.images([picture.path for picture in pictures]).astype(np.float64)
    texts = embedder.texts([material.text(picture.prompt) for picture in pictures]).astype(np.float64)
    cosines = (images * texts).sum(axis=1)
    return [
        Value(prompt_index=picture.prompt_index, seed=picture.seed, value=float(cosine))
        for picture, cosine in zip(pictures, cosines, strict=True)
    ]


ADHERENCE = Metric(
    name="adherence",
    title="Adherence to the prompt",
    direction=Direction.higher,
    scope=Scope.image,
    scale="cosine of picture and prompt (trigger words stripped), -1 to 1",
    needs=(),
    encoder=EncoderKind.text_image,
    measure=measure_adherence,
)
