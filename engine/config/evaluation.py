"""How the final pictures are scored."""

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class EvaluationConfig:
    """What the scores need beyond the pictures themselves."""

    enabled: bool = True  # false: the run ends after its final pictures
    encoder: str | None = None  # CLIP as a local folder or hub id; null with model=demo: the demo's own
    references: str | None = None  # manifest (prompts.json) that names true pictures of each prompt
