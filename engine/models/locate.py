"""Where a model's files lie on this machine; no torch, nothing is downloaded."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_LONGEST_HUB_ID = 96  # characters; the hub takes no -- and no .. in one either


def find_checkpoint(name: str) -> Path | None:
    """The folder that `name` means, or None.

    Looked up in this order: as written (from the working directory), below the project's own folder
    (so that `demo/weights` is found from anywhere), as a repository id in the local hub cache.
    """
    for candidate in (Path(name).expanduser(), PROJECT / name):
        if candidate.exists():
            return candidate.resolve()
    if not is_hub_id(name):
        return None
    for marker in ("model_index.json", "modular_model_index.json", "config.json"):
        if (found := cached_folder(name, marker)) is not None:
            return found
    return None


def cached_folder(name: str, file: str) -> Path | None:
    """The folder that a file of a hub repository lies in, in the local cache; None: it is not there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, file)
    return Path(found).parent if isinstance(found, str) else None


def hub_command(name: str) -> str:
    """What to run to get a repository, for the end of a message; "" where `name` is none."""
    return f", or run: hf download {name}" if is_hub_id(name) else ""


def is_hub_id(name: str) -> bool:
    """Whether `name` has the form owner/repository."""
    if len(name) > _LONGEST_HUB_ID or "--" in name or ".." in name or name.endswith((".", "-", ".git")):
        return False
    return _HUB_ID.fullmatch(name) is not None
