"""TensorBoard event files in the run folder, for tracking.tensorboard=true."""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.config.outcome import Outcome
from engine.training.tracker import FinalScores, TrackedPicture, TrackedRun, picture_group, value_name

FOLDER = "tensorboard"


class TensorBoardTracker:
    """Numbers and pictures by step, under the names that wandb gets too."""

    def __init__(self, run: TrackedRun) -> None:
        """Open a new event file; on resume what an earlier one holds after the resumed step is hidden."""
        from torch.utils.tensorboard import SummaryWriter

        purge_step = None if run.resumed_step is None else run.resumed_step + 1
        self._folder = run.folder / FOLDER
        self._writer = SummaryWriter(str(self._folder), purge_step=purge_step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One scalar a name."""
        for name, value in values.items():
            self._writer.add_scalar(value_name(name), value, step)

    def pictures(self, step: int, set_name: str, samples: Sequence[TrackedPicture]) -> None:
        """One picture a prompt and seed, so that its slider moves through the training."""
        for sample in samples:
            name = f"samples_{picture_group(set_name)}/p{sample.prompt_index:02d}_s{sample.seed}"
            pixels = np.asarray(sample.image.convert("RGB"))
            self._writer.add_images(name, pixels[None], step, dataformats="NHWC")
            self._writer.add_text(f"{name}/prompt", sample.prompt, step)

    def scores(self, step: int, scores: FinalScores) -> None:
        """One scalar a score, at the last step; those of single pictures are in per_image.csv."""
        for name, value in scores.values.items():
            self._writer.add_scalar(f"eval/{name}", value, step)

    def finish(self, outcome: Outcome) -> str | None:
        """Write out and close; returns the command that shows the curves."""
        self._writer.add_text("outcome", outcome.value)
        self._writer.close()
        return f"tensorboard --logdir {self._folder}"
