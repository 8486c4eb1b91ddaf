"""Where the numbers and pictures of a run are sent beside its own folder."""

from dataclasses import dataclass, field
from enum import Enum


class WandbMode(Enum):
    """auto = online when there is a login and the model is not the demo, else offline."""

    auto = "auto"
    online = "online"
    offline = "offline"
    disabled = "disabled"


@dataclass(kw_only=True, slots=True)
class TrackingConfig:
    """wandb and tensorboard; log.csv in the run folder is always written."""

    wandb: WandbMode = WandbMode.auto
    project: str = "diffusion-sweeper"  # wandb project
    group: str | None = None  # wandb group
    tags: list[str] = field(default_factory=list)  # wandb tags
    tensorboard: bool = False  # true: event files in the run folder
