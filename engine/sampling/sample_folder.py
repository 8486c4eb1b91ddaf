"""samples/ of a run folder: sets of pictures, and samples.json, which lists them."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from engine.data.json_file import write_json
from engine.sampling.draw import DrawSettings, Sample, Wanted, list_wanted, to_png
from engine.sampling.prompt_file import Prompt

SCHEMA = 2
_OLD_SCHEMA = 1  # prompts are texts alone


@dataclass(kw_only=True, slots=True, frozen=True)
class SamplePlan:
    """What is drawn: every prompt with every seed."""

    prompts: list[str]
    seeds: list[int]
    settings: DrawSettings
    num_previews: int  # prompts of a preview, drawn with the first seed
    known: tuple[Prompt, ...] = ()  # what is known of the prompts, in their order; empty: nothing
    made_by: Mapping[str, str] = field(default_factory=dict)  # fingerprints, where not the folder tells

    def wanted(self) -> list[Wanted]:
        """Every picture of a set."""
        return list_wanted(self.prompts, self.seeds, [prompt.own for prompt in self.known])

    def previewed(self) -> list[Wanted]:
        """Those of a preview."""
        own = [prompt.own for prompt in self.known[: self.num_previews]]
        return list_wanted(self.prompts[: self.num_previews], self.seeds[:1], own)


@dataclass(kw_only=True, slots=True, frozen=True)
class ListedPicture:
    """A picture of a set; its pixels are read when they are asked for."""

    prompt_index: int
    prompt: str
    seed: int
    path: Path

    @property
    def image(self) -> Image.Image:
        """The picture, from its file."""
        with Image.open(self.path) as file:
            return file.convert("RGB")


class Filling:
    """A set on its way to the disk."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.files: list[tuple[Wanted, str]] = []  # each as it was added, and its file below samples/

    def add(self, wanted: Wanted, content: bytes) -> None:
        """Write the file of one picture, in any order; a file of its name is replaced."""
        name = f"p{wanted.prompt_index:02d}_s{wanted.seed}.png"
        partial = self._folder / f".{name}.partial"
        partial.write_bytes(content)
        partial.replace(self._folder / name)
        # a place of its own: a Sample would keep its pixels
        place = Wanted(prompt_index=wanted.prompt_index, prompt=wanted.prompt, seed=wanted.seed)
        self.files.append((place, f"{self._folder.name}/{name}"))


class SampleFolder:
    """The pictures of one run; a set is listed only after all of it is on the disk."""

    def __init__(self, folder: Path, plan: SamplePlan) -> None:
        self.plan = plan
        self._folder = folder / "samples"
        self._index = self._folder / "samples.json"

    def has(self, name: str) -> bool:
        """Whether this set was drawn for the same prompts, seeds and settings, and is all there.

        What is known of the prompts beside their text is listed anew where it changed: no picture does.
        """
        listing = self._read()
        rows = None if listing is None else listing["sets"].get(name)
        if listing is None or rows is None or not all((self._folder / row["file"]).is_file() for row in rows):
            return False
        if (listing["schema"], listing["prompts"]) != (SCHEMA, self._prompts()):
            write_json(self._index, {**listing, "schema": SCHEMA, "prompts": self._prompts()})
        return True

    def save(self, name: str, samples: Iterable[Sample]) -> None:
        """Write the pictures of one set, then list them; sets drawn for another plan are removed."""
        with self.filling(name) as filling:
            for sample in samples:
                filling.add(sample, to_png(sample.image))

    @contextmanager
    def filling(self, name: str) -> Iterator["Filling"]:
        """Write a set picture by picture; it is listed when the block has ended without an error.

        Sets that were drawn for another plan are removed first.
        """
        if self._read() is None:
            shutil.rmtree(self._folder, ignore_errors=True)
        filling = Filling(self._folder / name)
        yield filling
        earlier = self._read() or {"sets": {}}
        header = {key: value for key, value in self._header().items() if value is not None}
        listing = {"schema": SCHEMA, "prompts": self._prompts(), **header, "sets": earlier["sets"]}
        order = {seed: place for place, seed in enumerate(self.plan.seeds)}
        listing["sets"][name] = [
            {"prompt_index": one.prompt_index, "prompt": one.prompt, "seed": one.seed, "file": file}
            for one, file in sorted(
                filling.files, key=lambda row: (row[0].prompt_index, order.get(row[0].seed, len(order)))
            )
        ]
        write_json(self._index, listing)

    def pictures(self, name: str) -> list[ListedPicture]:
        """The pictures of a set that was drawn, prompt by prompt."""
        listing = self._read()
        assert listing is not None, "has() comes first"
        return [
            ListedPicture(
                prompt_index=row["prompt_index"],
                prompt=row["prompt"],
                seed=row["seed"],
                path=self._folder / row["file"],
            )
            for row in listing["sets"][name]
        ]

    def _read(self) -> dict[str, Any] | None:
        """The listing, unless there is none for these prompts, seeds and settings."""
        try:
            listing: dict[str, Any] = json.loads(self._index.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        header = self._header()
        is_same = _texts(listing) == self.plan.prompts and {key: listing.get(key) for key in header} == header
        return listing if is_same else None

    def _prompts(self) -> list[dict[str, str | None]]:
        known = self.plan.known or [Prompt(text=text) for text in self.plan.prompts]
        return [{"prompt": one.text, "kind": one.kind, "tone": one.tone, "type": one.type} for one in known]

    def _header(self) -> dict[str, object]:
        settings = asdict(self.plan.settings)
        del settings["batch_size"]  # changes no picture
        settings["sampler"] = self.plan.settings.sampler.value
        made_by = {"made_by": dict(self.plan.made_by)} if self.plan.made_by else {}
        own = [prompt.own.given() for prompt in self.plan.known]
        return {
            "seeds": self.plan.seeds,
            "settings": settings,
            "own_settings": own if any(own) else None,  # by prompt
            **made_by,
        }


def _texts(listing: dict[str, Any]) -> list[str] | None:
    """The texts of the prompts of a listing of either schema; None where they cannot be told."""
    prompts, schema = listing.get("prompts"), listing.get("schema")
    if not isinstance(prompts, list) or schema not in (_OLD_SCHEMA, SCHEMA):
        return None
    if schema == _OLD_SCHEMA:
        return prompts
    return [row["prompt"] for row in prompts if isinstance(row, dict) and "prompt" in row]
