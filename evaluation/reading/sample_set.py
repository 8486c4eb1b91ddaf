"""One set of a run's samples as a folder of its own: what samples.json beside it says of its pictures."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from engine.sampling.prompt_file import KINDS, TONES, Prompt
from evaluation.reading.picture_text import PictureText

LISTING = "samples.json"  # of a run's samples folder


@dataclass(kw_only=True, slots=True, frozen=True)
class SampleSet:
    """What is known of the pictures; nothing for a folder that is no such set."""

    texts: dict[str, PictureText] = field(default_factory=dict)  # by the picture's name in its folder
    prompts: dict[str, Prompt] = field(default_factory=dict)  # by text; of a listing that knows kind and tone


def read_sample_set(folder: Path) -> SampleSet:
    """The pictures and prompts of a folder such as RUN/samples/final."""
    path = folder.absolute().parent / LISTING
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = content["sets"][folder.absolute().name]
        texts = {
            PurePosixPath(row["file"]).name: PictureText(prompt=str(row["prompt"]), seed=int(row["seed"]))
            for row in rows
        }
        known = [_prompt(row) for row in content["prompts"] if isinstance(row, Mapping)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # another program's file of that name
        return SampleSet()
    return SampleSet(texts=texts, prompts={prompt.text: prompt for prompt in known})


def _prompt(row: Mapping[str, object]) -> Prompt:
    kind, tone, of_type = row.get("kind"), row.get("tone"), row.get("type")
    return Prompt(
        text=str(row["prompt"]),
        kind=str(kind) if kind in KINDS else KINDS[0],
        tone=str(tone) if tone in TONES else None,
        type=of_type if isinstance(of_type, str) else None,
    )
