"""How people rate such a picture: a small head on the embeddings of a CLIP."""

from evaluation.material import Material
from evaluation.maths.statistics import Value
from evaluation.metrics.metric import Measured, Metric, Need
from evaluation.records import Direction, Scope
from evaluation.tools import Role, Tools


def measure_aesthetic(material: Material, set_name: str, tools: Tools) -> Measured:
    """The rating of each picture, about 1 to 10.

    Source: Schuhmann 2022, LAION's improved aesthetic predictor (v2).
    """
    pictures = material.taught(set_name)
    if not pictures:
        return Measured()
    ratings = tools.rate([picture.path for picture in pictures])
    return Measured(
        values=[
            Value(prompt_index=picture.prompt_index, seed=picture.seed, value=float(rating))
            for picture, rating in zip(pictures, ratings, strict=True)
        ]
    )


AESTHETIC = Metric(
    name="aesthetic",
    title="Aesthetic rating",
    direction=Direction.higher,
    scope=Scope.image,
    scale="predicted mean rating by people, about 1 to 10",
    needs=(Need.aesthetic,),
    role=Role.text_image,
    measure=measure_aesthetic,
)
