"""How the final pictures are scored."""

from dataclasses import dataclass

PIXELS = "pixels"  # an encoder that needs no model


@dataclass(kw_only=True, slots=True)
class EvaluationConfig:
    """What the scores need beyond the pictures themselves."""

    enabled: bool = True  # false: the run ends after its final pictures
    encoder: str | None = None  # CLIP or SigLIP, folder or hub id; null with model=demo: the demo's own
    image_encoder: str | None = None  # DINOv2, CLIP, SigLIP or pixels; null: the pictures' side of encoder
    preference: str | None = None  # PickScore as a folder or hub id; null: not measured
    aesthetic: str | None = None  # file of the LAION head, on a CLIP ViT-L/14 as encoder; null: not measured
    references: str | None = None  # true pictures: a folder, or a manifest that names them by prompt
    objectives: list[str] | None = None  # metrics that must be there; null: likeness, adherence
