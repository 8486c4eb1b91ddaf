"""What the report of a sweep shows, as plain data; all texts are plain, the page escapes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pages.gallery_data import HIGHER, LOWER, Change, Number

COMPLETE, PRUNED, FAILED, RUNNING, WAITING = "complete", "pruned", "failed", "running", "waiting"
WINNER, DEFAULT = "winner", "default"  # the roles that a trial can have


@dataclass(kw_only=True, slots=True, frozen=True)
class SweepObjective:
    """One of the scores that the sweep was after."""

    name: str  # the key of its values
    title: str  # as a reader sees it
    direction: str = HIGHER  # higher, lower
    base: float | None = None  # the base model without adapter
    real: float | None = None  # true pictures
    places: int = 3  # decimals of its values, the same on the whole page

    @property
    def is_lower(self) -> bool:
        """Whether less is better."""
        return self.direction == LOWER

    def gain(self, value: float) -> float:
        """The value so that more is better."""
        return -value if self.is_lower else value


@dataclass(kw_only=True, slots=True, frozen=True)
class SweepValue:
    """The value of one setting: as text, and as a number where it is one."""

    text: str
    number: float | None = None


@dataclass(kw_only=True, slots=True, frozen=True)
class SweepDimension:
    """One key that was searched."""

    key: str
    label: str  # its short name
    choices: Sequence[SweepValue] | None = None  # in order; None: an interval
    low: float | None = None
    high: float | None = None
    is_log: bool = False
    when: str | None = None  # exists only there; None = always


@dataclass(kw_only=True, slots=True, frozen=True)
class SweepTrial:
    """One trial of the search."""

    number: int
    state: str = COMPLETE  # complete, pruned, failed, running, waiting
    outcome: str = ""  # words of its badge: completed, out of memory; "" = the state
    cause: str = ""  # why it did not complete
    link: str | None = None  # relative path of its own page
    settings: Mapping[str, SweepValue] = field(default_factory=dict)  # of what was searched
    values: Mapping[str, float] = field(default_factory=dict)  # objective -> value
    spreads: Mapping[str, float] = field(default_factory=dict)  # objective -> half of a 95 % interval
    rank: int | None = None  # 1 = the best; None: it takes no part
    is_front: bool = False  # no other is at least as good everywhere and better somewhere
    roles: Sequence[str] = ()  # winner, default
    steps_done: int = 0
    total_steps: int = 0
    seconds: float = 0.0
    reports: Sequence[tuple[int, float]] = ()  # (step, what pruning looks at)
    notes: Sequence[str] = ()  # what a reader of its numbers must know


@dataclass(kw_only=True, slots=True, frozen=True)
class SweepMeasure:
    """What the winner comes to in one objective, beside what there was before."""

    objective: str  # its name
    winner: Number | None = None
    default: Number | None = None
    change: Change | None = None  # winner minus default
    base: float | None = None  # on the same prompts as the winner's number
    real: float | None = None


@dataclass(kw_only=True, slots=True, frozen=True)
class SweepSetting:
    """A searched key of the winner."""

    key: str
    value: str
    default: str | None = None  # None: the default does not use it

    @property
    def is_changed(self) -> bool:
        """Whether the winner differs from the default here."""
        return self.value != self.default


@dataclass(kw_only=True, slots=True, frozen=True)
class SweepWinner:
    """The best that was found."""

    number: int
    link: str | None = None
    sentence: str = ""  # how it was chosen and how sure it is
    settings: Sequence[SweepSetting] = ()
    measures: Sequence[SweepMeasure] = ()
    numbers_of: str = ""  # what the numbers are: "means of 3 fresh training seeds"
    command: str = ""
    experiment: str = ""  # the command that uses best.yaml
    files: Sequence[tuple[str, str]] = ()  # (what it is, relative path)


@dataclass(kw_only=True, slots=True, frozen=True)
class SweepImportances:
    """How much of the differences each key decides."""

    title: str  # of what: "what decides the winner", an objective
    shares: Mapping[str, float] = field(default_factory=dict)  # key -> share, largest first
    num_trials: int = 0
    reason: str | None = None  # why there are none


@dataclass(kw_only=True, slots=True, frozen=True)
class SheetPicture:
    """A cell of the contact sheet."""

    path: Path
    link: str | None = None  # relative path of the file itself
    score: float | None = None


@dataclass(kw_only=True, slots=True, frozen=True)
class SheetRow:
    """A row of the contact sheet."""

    title: str
    note: str = ""  # its settings
    number: int | None = None  # of the trial; None: base model, true pictures
    link: str | None = None
    pictures: Mapping[str, SheetPicture] = field(default_factory=dict)  # prompt -> its first seed


@dataclass(kw_only=True, slots=True, frozen=True)
class SweepSheet:
    """Trials by prompts."""

    prompts: Sequence[str] = ()
    rows: Sequence[SheetRow] = ()  # in the order in which they are shown
    score: str = ""  # what the numbers beneath the pictures are
    left_out: Sequence[str] = ()  # trials that are named, not shown


@dataclass(kw_only=True, slots=True, frozen=True)
class SignalRow:
    """How well the pruning signal ordered the trials at one step."""

    objective: str  # title
    step: int
    correlation: float | None  # 1 = the same order
    n: int
    is_last: bool = False
    reason: str | None = None


@dataclass(kw_only=True, slots=True, frozen=True)
class SweepPruning:
    """What was stopped early, and whether that was wise."""

    signal: str | None = None  # what was looked at; None: nothing was pruned
    rule: str = ""  # the pruner
    stopped: Sequence[tuple[int, int]] = ()  # (trial, step)
    saved_steps: int = 0
    saved_seconds: float = 0.0
    share_of_steps: float = 0.0  # of all steps that the search would have trained
    checks: Sequence[SignalRow] = ()


@dataclass(kw_only=True, slots=True, frozen=True)
class SweepConfirmed:
    """A setting that was trained again with fresh seeds."""

    of: int  # the search trial
    settings: str  # in short
    roles: Sequence[str] = ()
    seeds: Sequence[int] = ()
    num_missing: int = 0
    num_failed: int = 0
    values: Mapping[str, Sequence[float]] = field(default_factory=dict)  # objective -> one a seed
    numbers: Mapping[str, Number] = field(default_factory=dict)  # objective -> mean over seeds
    changes: Mapping[str, Change] = field(default_factory=dict)  # objective -> minus the default's
    optimism: Mapping[str, float] = field(default_factory=dict)  # how much better the search had shown it
    links: Sequence[tuple[str, str]] = ()  # (words, relative path) of its runs


@dataclass(kw_only=True, slots=True, frozen=True)
class SweepPage:
    """The report of a study as it stands."""

    title: str  # the study
    sentence: str  # the answer
    tone: str = "none"  # of its badge: good, wait, bad, none
    verdict: str = ""  # two words for the badge
    details: Sequence[str] = ()  # further sentences
    ran: Sequence[tuple[str, str]] = ()  # what ran: (name, words)
    notices: Sequence[str] = ()
    winner: SweepWinner | None = None
    objectives: Sequence[SweepObjective] = ()
    dimensions: Sequence[SweepDimension] = ()
    trials: Sequence[SweepTrial] = ()
    importances: Sequence[SweepImportances] = ()
    sheet: SweepSheet = field(default_factory=SweepSheet)
    pruning: SweepPruning = field(default_factory=SweepPruning)
    confirmed: Sequence[SweepConfirmed] = ()
    confirm_note: str = ""  # why there is no confirmation
    facts: Sequence[tuple[str, str]] = ()  # how it was made: command, sampler, storage
