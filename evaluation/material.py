"""What is scored: the sets of pictures, their prompts, and what is known beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.sampling.prompt_file import Prompt
from evaluation.prompts import strip_trigger

if TYPE_CHECKING:
    from evaluation.reading.external_scores import ExternalScores
    from evaluation.reading.losses_file import Losses

BASE = "base"
FINAL = "final"
REAL = "real"
SETS = (BASE, FINAL, REAL)
PLAIN = "plain"


@dataclass(kw_only=True, slots=True, frozen=True)
class ScoredPicture:
    """One picture and where it belongs."""

    set_name: str
    prompt_index: int
    prompt: str  # "" where none is known
    seed: int  # of a true picture: its place among its prompt's references
    path: Path
    file: str  # as seen from the scored folder: how the outputs name it


@dataclass(kw_only=True, slots=True, frozen=True)
class Material:
    """Everything that a metric may read."""

    pictures: Mapping[str, list[ScoredPicture]]  # set -> pictures by (prompt, seed), the faulty ones too
    prompts: Mapping[str, Prompt] = field(default_factory=dict)  # prompt -> what is known about it
    references: Sequence[Path] = ()  # true pictures of no particular prompt
    held_out: Sequence[Path] = ()  # true pictures that were not trained on: what the best could score
    training: Sequence[Path] = ()  # pictures that were trained on: what a copy would be a copy of
    losses: "Losses | None" = None  # the fixed validation losses of a run
    external: Mapping[str, "ExternalScores"] = field(
        default_factory=dict
    )  # what other programs gave, by name
    faults: Mapping[Path, str] = field(default_factory=dict)  # faulty pictures and why
    trigger: str | None = None
    class_word: str | None = None
    notices: tuple[str, ...] = ()  # what a reader of the scores must know

    def healthy(self, set_name: str) -> list[ScoredPicture]:
        """The pictures of a set that metrics look at."""
        return [picture for picture in self.pictures.get(set_name, []) if picture.path not in self.faults]

    def taught(self, set_name: str) -> list[ScoredPicture]:
        """The healthy pictures whose prompts ask for what was taught, or may."""
        return [picture for picture in self.healthy(set_name) if not self.is_plain(picture.prompt)]

    def sound(self, paths: Sequence[Path]) -> list[Path]:
        """Those of some true pictures that are not faulty."""
        return [path for path in paths if path not in self.faults]

    def text(self, prompt: str) -> str:
        """What an encoder is asked about a prompt: without trigger words."""
        return strip_trigger(prompt, self.trigger, self.class_word)

    def is_plain(self, prompt: str) -> bool:
        """Whether a prompt has nothing to do with what was taught."""
        return prompt in self.prompts and self.prompts[prompt].kind == PLAIN

    def tone(self, prompt: str) -> str | None:
        """ "dark" or "bright" where a prompt asks for it."""
        return self.prompts[prompt].tone if prompt in self.prompts else None

    def types(self) -> dict[int, str]:
        """Prompt index -> type of the prompt, of those that have one."""
        known = {
            picture.prompt_index: picture.prompt for of_set in self.pictures.values() for picture in of_set
        }
        return {
            index: kind
            for index, prompt in sorted(known.items())
            if prompt in self.prompts and (kind := self.prompts[prompt].type) is not None
        }

    def every_path(self) -> list[Path]:
        """Every picture that is looked at, once."""
        of_sets = [picture.path for of_set in self.pictures.values() for picture in of_set]
        return list(dict.fromkeys([*of_sets, *self.references, *self.held_out, *self.training]))
