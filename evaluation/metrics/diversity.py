"""Does one prompt give more than one picture: how many different pictures its seeds are worth."""

from evaluation.material import BASE, FINAL, Material
from evaluation.maths.statistics import Value
from evaluation.maths.vendi import vendi_score
from evaluation.metrics.by_prompt import by_prompt
from evaluation.metrics.metric import Measured, Metric, Need
from evaluation.records import Direction, Scope
from evaluation.tools import Role, Tools


def measure_diversity(material: Material, set_name: str, tools: Tools) -> Measured:
    """The Vendi score of each prompt that has at least two healthy pictures."""
    groups = {
        index: [picture.path for picture in pictures]
        for index, pictures in by_prompt(material.taught(set_name)).items()
        if len(pictures) > 1 and pictures[0].prompt
    }
    return Measured(
        values=[
            Value(prompt_index=index, seed=None, value=vendi_score(tools.embedder(Role.image).images(paths)))
            for index, paths in groups.items()
        ]
    )


DIVERSITY = Metric(
    name="diversity",
    title="Diversity of a prompt's pictures",
    direction=Direction.higher,
    scope=Scope.prompt,
    scale="effective number of different pictures of a prompt (Vendi score), 1 to its number of pictures",
    needs=(Need.prompts,),
    role=Role.image,
    measure=measure_diversity,
    sets=(BASE, FINAL),
    min_seeds=2,
)
