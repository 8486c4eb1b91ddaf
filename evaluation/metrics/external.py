"""Scores that another program gave, as metrics like our own."""

from evaluation.material import Material
from evaluation.maths.statistics import Value
from evaluation.metrics.metric import Measured, Metric
from evaluation.reading.external_scores import ExternalScores
from evaluation.records import Scope
from evaluation.tools import Tools


def external_metric(scores: ExternalScores) -> Metric:
    """The row of one column of an external_scores file."""

    def measure(material: Material, set_name: str, tools: Tools) -> Measured:
        return Measured(
            values=[
                Value(
                    prompt_index=picture.prompt_index,
                    seed=picture.seed,
                    value=scores.by_path[picture.path],
                )
                for picture in material.healthy(set_name)
                if picture.path in scores.by_path
            ]
        )

    return Metric(
        name=scores.name,
        title=scores.name,
        direction=scores.direction,
        scope=Scope.image,
        scale="as another program gave it",
        needs=(),
        role=None,
        measure=measure,
    )
