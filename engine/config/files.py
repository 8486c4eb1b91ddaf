"""Where a run's files go beside its own folder."""

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class FilesConfig:
    """Copies for other programs."""

    # <name>.diffusers.safetensors beside the other, with diffusers' names; null = for SD3 and Anima, of which
    # diffusers passes over files in kohya's names
    diffusers_names: bool | None = None
    copy_to: str | None = None  # folder that also gets <name>.safetensors, such as ComfyUI/models/loras
