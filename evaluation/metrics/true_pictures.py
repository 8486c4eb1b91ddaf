"""The true pictures that a set as a whole is compared with."""

from pathlib import Path

from evaluation.material import REAL, Material


def true_paths(material: Material) -> list[Path]:
    """Those of the scored prompts where a manifest names them, else the references of no prompt."""
    paired = [picture.path for picture in material.taught(REAL)]
    return paired or material.sound(material.references)
