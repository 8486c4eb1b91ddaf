"""What Stable Diffusion 1, 2 and XL have in common: a schedule of noise levels, and text that CLIP reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from engine.diffusion.schedule import NoiseSchedule
from engine.models.clip_text import TokenRows
from engine.models.cut_prompts import warn_cut
from engine.models.loaded_family import KLFamily, KLParts
from engine.models.noise_levels import training_levels

if TYPE_CHECKING:
    from diffusers import DDPMScheduler


class UNetParts(KLParts, Protocol):
    """The parts that each of these families has."""

    @property
    def scheduler(self) -> DDPMScheduler:
        """The levels that the checkpoint was trained on."""
        ...


PartsT = TypeVar("PartsT", bound=UNetParts)


class UNetFamily(KLFamily[PartsT], Generic[PartsT]):
    """The frozen parts of a checkpoint with a UNet; its text is the subclass's own."""

    def _noise_schedule(self) -> NoiseSchedule:
        return training_levels(self._parts.scheduler, self.config, device=self.device)

    def _say_cut(self, rows: TokenRows) -> None:
        warn_cut(rows.cut, self._said_cut, capacity=rows.capacity, remedy="raise model.token_length")
