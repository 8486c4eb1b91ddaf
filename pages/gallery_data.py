"""What the gallery, the comparison and the report show, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BASE, FINAL = "base", "final"  # the sets of pictures of a gallery
HIGHER, LOWER = "higher", "lower"  # which way a score is better


@dataclass(kw_only=True, slots=True, frozen=True)
class Number:
    """A measured value and how sure it is."""

    value: float
    spread: float | None = None  # half-width of its 95 % interval; None: there is none
    n: int = 0  # values that it is made of
    num_prompts: int = 0


@dataclass(kw_only=True, slots=True, frozen=True)
class Change:
    """A paired difference: same prompts, same seeds."""

    value: float
    low: float | None = None  # of its 95 % interval; None: there is none
    high: float | None = None
    verdict: str = "one_prompt"  # better, worse, within_noise, unchanged, one_prompt

    @property
    def is_separated(self) -> bool:
        """Whether its interval leaves 0 out."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(kw_only=True, slots=True, frozen=True)
class MetricFacts:
    """What a metric is."""

    name: str  # the key of its scores: adherence
    title: str  # as a reader sees it
    direction: str = HIGHER  # higher, lower
    scale: str = ""  # what the numbers are, in words
    is_objective: bool = False  # the first objective of a page also decides which pictures it shows
    is_constraint: bool = False


@dataclass(kw_only=True, slots=True, frozen=True)
class MetricRow:
    """One metric of a scored folder; None where it was not measured."""

    facts: MetricFacts
    final: Number | None = None
    base: Number | None = None
    real: Number | None = None  # what true pictures score
    change: Change | None = None  # final minus base
    anchored: Number | None = None  # 0 = base, 1 = true pictures
    skipped: str | None = None  # why there is no value
    note: str | None = None  # what a reader of the number must know


@dataclass(kw_only=True, slots=True, frozen=True)
class GalleryPicture:
    """One picture; `file` is how texts name it, `path` where its pixels are."""

    set_name: str  # base, final
    seed: int
    path: Path
    file: str
    fault: str | None = None  # why it counts as broken
    scores: Mapping[str, float] = field(default_factory=dict)  # metric name -> value


@dataclass(kw_only=True, slots=True, frozen=True)
class GalleryPrompt:
    """A row of the gallery."""

    index: int
    text: str  # "" = none known
    kind: str | None = None  # concept, plain
    tone: str | None = None  # dark, bright
    type: str | None = None  # of a protocol
    references: Sequence[Path] = ()  # true pictures of it
    pictures: Sequence[GalleryPicture] = ()


@dataclass(kw_only=True, slots=True, frozen=True)
class CombinedNumber:
    """The harmonic mean of the anchored objectives, or why there is none."""

    number: Number | None = None
    reason: str | None = None


@dataclass(kw_only=True, slots=True)
class GalleryPage:
    """The page of one scored folder. All texts are plain; the page escapes them."""

    title: str
    lead: str = ""  # a sentence under the title
    link: tuple[str, str] | None = None  # words and relative path: of a run's gallery, the page of the run
    notices: Sequence[str] = ()
    metrics: Sequence[MetricRow] = ()
    combined: CombinedNumber | None = None
    prompts: Sequence[GalleryPrompt] = ()  # all of them: the page chooses what it shows
    references: Sequence[Path] = ()  # true pictures of no particular prompt
    noise: Sequence[str] = ()  # sentences: where the noise comes from, how many pictures a difference needs
    environment: Sequence[tuple[str, str]] = ()  # encoders, versions


@dataclass(kw_only=True, slots=True, frozen=True)
class ComparedRun:
    """One of the folders of a comparison."""

    name: str  # no two are equal
    link: str | None = None  # relative path of its own page


@dataclass(kw_only=True, slots=True, frozen=True)
class RankStep:
    """Two neighbours in the ranking by a metric."""

    better: str  # name of a run
    worse: str
    difference: Change  # better minus worse, paired


@dataclass(kw_only=True, slots=True, frozen=True)
class ComparedScores:
    """One metric over the runs of a comparison."""

    facts: MetricFacts
    numbers: Mapping[str, Number]  # name of the run -> value over the pairs that all have
    steps: Sequence[RankStep] = ()  # the best pair first
    missing: Mapping[str, str] = field(default_factory=dict)  # name of the run -> why there is no value


@dataclass(kw_only=True, slots=True, frozen=True)
class ComparedPrompt:
    """A row of the pictures of a comparison."""

    index: int
    text: str
    kind: str | None = None
    tone: str | None = None
    type: str | None = None
    references: Sequence[Path] = ()
    pictures: Mapping[str, Sequence[GalleryPicture]] = field(
        default_factory=dict
    )  # name of the run -> pictures


@dataclass(kw_only=True, slots=True)
class ComparePage:
    """Two or more scored folders side by side."""

    title: str
    lead: str = ""
    notices: Sequence[str] = ()
    runs: Sequence[ComparedRun] = ()  # in the order in which they were given
    metrics: Sequence[ComparedScores] = ()
    prompts: Sequence[ComparedPrompt] = ()
    axes: tuple[str, str] | None = None  # metrics of the scatter: across, up


@dataclass(kw_only=True, slots=True, frozen=True)
class ReportRun:
    """A run in a report."""

    name: str
    link: str | None = None  # relative path of its page
    outcome: str | None = None  # completed, diverged ...
    numbers: Mapping[str, Number] = field(default_factory=dict)  # metric name -> value
    options: Mapping[str, str] = field(default_factory=dict)  # what sets it apart: option -> value
    note: str | None = None  # why it has no numbers


@dataclass(kw_only=True, slots=True)
class ReportPage:
    """Many runs in one table, and what they give for what."""

    title: str
    lead: str = ""
    notices: Sequence[str] = ()
    metrics: Sequence[MetricFacts] = ()  # columns, in this order
    runs: Sequence[ReportRun] = ()
    axes: tuple[str, str] | None = None  # metrics of the scatter: across, up
