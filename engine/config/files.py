"""Where a run's files go beside its own folder."""

from dataclasses import dataclass


@dataclass(kw_only=True, slots=True)
class FilesConfig:
    """Copies for other programs."""

    copy_to: str | None = None  # folder that also gets <name>.safetensors, such as ComfyUI/models/loras
