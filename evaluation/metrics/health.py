"""Is it a picture at all: black, white, one colour, burnt out; looked at before any encoder runs."""

from evaluation.material import Material
from evaluation.maths.statistics import Value
from evaluation.metrics.metric import Measured, Metric
from evaluation.records import Direction, Scope
from evaluation.tools import Tools


def measure_health(material: Material, set_name: str, tools: Tools) -> Measured:
    """1 for each healthy picture, 0 for each faulty one."""
    return Measured(
        values=[
            Value(
                prompt_index=picture.prompt_index,
                seed=picture.seed,
                value=0.0 if picture.path in material.faults else 1.0,
            )
            for picture in material.pictures.get(set_name, [])
        ]
    )


HEALTH = Metric(
    name="health",
    title="Healthy pictures",
    direction=Direction.higher,
    scope=Scope.image,
    scale="share of pictures that are not black, white, flat or saturated, 0 to 1",
    needs=(),
    role=None,
    measure=measure_health,
)
