"""samples/ of a run folder: sets of pictures, and samples.json, which lists them."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.data.json_file import write_json
from engine.sampling.draw import DrawSettings, Sample

SCHEMA = 1


@dataclass(kw_only=True, slots=True, frozen=True)
class SamplePlan:
    """What is drawn: every prompt with every seed."""

    prompts: list[str]
    seeds: list[int]
    settings: DrawSettings
    num_previews: int  # prompts of a preview, drawn with the first seed


class SampleFolder:
    """The pictures of one run; a set is listed only after all of it is on the disk."""

    def __init__(self, folder: Path, plan: SamplePlan) -> None:
        self.plan = plan
        self._folder = folder / "samples"
        self._index = self._folder / "samples.json"

    def has(self, name: str) -> bool:
        """Whether this set was drawn for the same prompts, seeds and settings."""
        listing = self._read()
        return listing is not None and name in listing["sets"]

    def save(self, name: str, samples: Sequence[Sample]) -> None:
        """Write the pictures of one set, then list them; sets drawn for another plan are removed."""
        listing = self._read()
        if listing is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            listing = {"schema": SCHEMA, **self._header(), "sets": {}}
        (self._folder / name).mkdir(parents=True, exist_ok=True)
        rows = []
        for sample in samples:
            file = f"{name}/p{sample.prompt_index:02d}_s{sample.seed}.png"
            sample.image.save(self._folder / file)
            place = {"prompt_index": sample.prompt_index, "prompt": sample.prompt, "seed": sample.seed}
            rows.append({**place, "file": file})
        listing["sets"][name] = rows
        write_json(self._index, listing)

    def _read(self) -> dict[str, Any] | None:
        """The listing, unless there is none for these prompts, seeds and settings."""
        try:
            listing: dict[str, Any] = json.loads(self._index.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        header = self._header()
        return listing if {key: listing.get(key) for key in header} == header else None

    def _header(self) -> dict[str, object]:
        settings = asdict(self.plan.settings)
        del settings["batch_size"]  # changes no picture
        settings["sampler"] = self.plan.settings.sampler.value
        return {"prompts": self.plan.prompts, "seeds": self.plan.seeds, "settings": settings}
