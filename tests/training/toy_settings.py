"""A program: train.py as it is, with a toy's settings in the place of those that are shipped for its family.

Usage: python toy_settings.py CONFIGS OPTION=VALUE ...    (CONFIGS holds a folder a layout)
A single file has no settings of its own; the shipped ones are of the published sizes.
"""

import runpy
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def main(configs: Path, options: list[str]) -> None:
    """What `python train.py OPTION=VALUE ...` does."""
    sys.path.insert(0, str(PROJECT))
    from engine.models import places

    places.CONFIGS = configs
    sys.argv = [str(PROJECT / "train.py"), *options]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
