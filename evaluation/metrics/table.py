"""All metrics, in the order of the reports: a new one is a file beside this and a row here."""

from evaluation.metrics.adherence import ADHERENCE
from evaluation.metrics.health import HEALTH
from evaluation.metrics.likeness import LIKENESS
from evaluation.metrics.metric import Metric

METRICS: dict[str, Metric] = {metric.name: metric for metric in (LIKENESS, ADHERENCE, HEALTH)}
