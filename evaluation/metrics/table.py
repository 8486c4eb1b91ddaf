"""All metrics, in the order of the reports: a new one is a file beside this and a row here."""

from evaluation.material import Material
from evaluation.metrics.adherence import ADHERENCE, PREFERENCE
from evaluation.metrics.aesthetic import AESTHETIC
from evaluation.metrics.distribution import DISTRIBUTIONS
from evaluation.metrics.diversity import DIVERSITY
from evaluation.metrics.external import external_metric
from evaluation.metrics.health import HEALTH
from evaluation.metrics.likeness import CENTROID_DISTANCE, LIKENESS
from evaluation.metrics.luminance import LUMINANCES
from evaluation.metrics.memorisation import COPIES, MEMORISATION
from evaluation.metrics.metric import Metric
from evaluation.metrics.preservation import PRESERVATION
from evaluation.metrics.val_loss import VAL_LOSSES

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        LIKENESS,
        ADHERENCE,
        HEALTH,
        PRESERVATION,
        MEMORISATION,
        COPIES,
        DIVERSITY,
        CENTROID_DISTANCE,
        *DISTRIBUTIONS,
        *LUMINANCES,
        AESTHETIC,
        PREFERENCE,
        *VAL_LOSSES,
    )
}


def metrics_of(material: Material) -> list[Metric]:
    """All metrics that a report has rows for: ours, and those whose scores another program gave."""
    return [*METRICS.values(), *(external_metric(scores) for scores in material.external.values())]
