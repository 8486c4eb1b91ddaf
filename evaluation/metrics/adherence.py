"""Does the picture show what the prompt says: CLIP-T, with trigger words stripped."""

import numpy as np

from evaluation.material import Material
from evaluation.maths.statistics import Value
from evaluation.metrics.metric import Measured, Metric, Need
from evaluation.records import Direction, Scope
from evaluation.tools import Role, Tools


def measure_adherence(material: Material, set_name: str, tools: Tools) -> Measured:
    """The cosine of each picture with its prompt, -1 to 1, as it comes from the encoder."""
    return _cosines(material, set_name, tools, role=Role.text_image, scale=1.0)


def measure_preference(material: Material, set_name: str, tools: Tools) -> Measured:
    """PickScore: the cosine in the space of a CLIP trained on people's choices, times its own scale.

    Source: Kirstain et al. 2023, "Pick-a-Pic". Two pictures of a prompt that differ by 1 are chosen about
    73 to 27. Only prompts with text count; pictures of other prompts cannot be compared.
    """
    return _cosines(
        material, set_name, tools, role=Role.preference, scale=tools.embedder(Role.preference).logit_scale()
    )


def _cosines(material: Material, set_name: str, tools: Tools, *, role: Role, scale: float) -> Measured:
    pictures = [picture for picture in material.taught(set_name) if picture.prompt]
    if not pictures:
        return Measured()
    embedder = tools.embedder(role)
    images = embedder.images([picture.path for picture in pictures]).astype(np.float64)
    texts = embedder.texts([material.text(picture.prompt) for picture in pictures]).astype(np.float64)
    cosines = scale * (images * texts).sum(axis=1)
    return Measured(
        values=[
            Value(prompt_index=picture.prompt_index, seed=picture.seed, value=float(cosine))
            for picture, cosine in zip(pictures, cosines, strict=True)
        ]
    )


ADHERENCE = Metric(
    name="adherence",
    title="Adherence to the prompt",
    direction=Direction.higher,
    scope=Scope.image,
    scale="cosine of picture and prompt (trigger words stripped), -1 to 1",
    needs=(Need.prompts,),
    role=Role.text_image,
    measure=measure_adherence,
    anchored=True,
)
PREFERENCE = Metric(
    name="preference",
    title="What people prefer",
    direction=Direction.higher,
    scope=Scope.image,
    scale="PickScore: scaled cosine of picture and prompt, about 15 to 25",
    needs=(Need.prompts,),
    role=Role.preference,
    measure=measure_preference,
)
