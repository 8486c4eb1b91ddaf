"""The line that uploads what a sweep left offline."""

import shlex
from pathlib import Path

_PLACES = ("wandb", "trials/*/wandb", "confirm/*/wandb")
_PART = "offline-run-*"


def sync_all_command(folder: Path) -> str | None:
    """One line for all runs of a study, for a shell that expands stars; None: nothing is offline.

    folder  sweeps/<study>
    """
    found = [place for place in _PLACES if any(folder.glob(f"{place}/{_PART}"))]
    if not found:
        return None
    root = shlex.quote(folder.as_posix())
    return "wandb sync " + " ".join(f"{root}/{place}/{_PART}" for place in found)
