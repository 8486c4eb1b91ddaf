"""A program: train.py as it is, with a toy's settings in the place of those that are shipped for its family.

Usage: python toy_settings.py CONFIGS IS_COPIED OPTION=VALUE ...    (CONFIGS holds a folder a layout)
A single file has no settings of its own; the shipped ones are of the published sizes.
IS_COPIED is 1 where each weight is to be copied to memory of its own, and 0 where it stays in its file's.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

PROJECT = Path(__file__).resolve().parents[2]


def main(configs: Path, is_copied: bool, options: list[str]) -> None:
    """What `python train.py OPTION=VALUE ...` does."""
    sys.path.insert(0, str(PROJECT))
    from engine.models import places

    places.CONFIGS = configs
    if is_copied:
        _copy_weights()
    sys.argv = [str(PROJECT / "train.py"), *options]
    runpy.run_path(sys.argv[0], run_name="__main__")


def _copy_weights() -> None:
    """What is loaded begins where torch begins a tensor, and not where it happens to lie in a file."""
    from engine.models.parts import PartsFolder
    from engine.models.single_file import SingleFile

    for source in (PartsFolder, SingleFile):
        source.model = _copying(source.model)  # type: ignore[method-assign]


def _copying(load: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """A source's way to load a part, with its weights copied."""

    def loaded(*given: object, **named: object) -> nn.Module:
        part = load(*given, **named)
        for tensor in (*part.parameters(), *part.buffers()):
            tensor.data = tensor.data.clone()
        return part

    return loaded


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "1", sys.argv[3:])
