"""What a build of the demo's model is told: its stages, their lengths, where it lies; no torch."""

from dataclasses import dataclass
from pathlib import Path

from demo.folder import WEIGHTS

STAGES = ("tokenizer", "text", "vae", "unet", "creatures", "decoder", "scorer", "judge", "figures")


@dataclass(frozen=True, slots=True)
class Steps:
    """Optimizer steps a stage."""

    text: int = 600
    vae: int = 4500
    unet: int = 4000
    creatures: int = 1400
    decoder: int = 1200
    scorer: int = 2600
    judge: int = 2500


@dataclass(frozen=True, slots=True)
class Build:
    """Where the build lies; `folder` holds checkpoints and is not committed, `weights` is."""

    folder: Path = Path(".cache/demo-build")
    weights: Path = WEIGHTS
    stage: str = "all"
    threads: int = 0  # 0 = torch's own choice
    steps: Steps = Steps()
