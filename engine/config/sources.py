"""Where a run's inputs lie, after the demo's pictures were drawn."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(kw_only=True, slots=True, frozen=True)
class Sources:
    """The folders and files that a run reads; a RunConfig says what the user wrote, this what it means."""

    pictures: Path  # folder that is trained on
    trigger: str | None = None  # dataset.trigger, or the demo's
    class_word: str | None = None  # dataset.class_word, or the demo's
    prompts: Path | None = None  # sampling.prompt_file, or the demo's; None = captions of the data set
    manifest: Path | None = (
        None  # evaluation.references, or the demo's: a manifest, or a folder of true pictures
    )
    encoder: str | None = None  # evaluation.encoder, or the demo's own CLIP
    image_encoder: str | None = None  # evaluation.image_encoder; None = the pictures' side of encoder
    preference: str | None = None  # evaluation.preference
    aesthetic: Path | None = None  # evaluation.aesthetic
    objectives: list[str] | None = None  # evaluation.objectives
