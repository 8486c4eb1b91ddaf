"""The legal range of every option that is a number, one row each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from math import isfinite

from engine.compose.show import show
from engine.config import RunConfig

LARGEST_SEED = 2**63 - 1


@dataclass(kw_only=True, slots=True, frozen=True)
class Range:
    """Bounds of a number; an open bound is not itself allowed."""

    low: float
    high: float = float("inf")
    low_open: bool = False
    high_open: bool = False
    multiple_of: int = 1

    def problem(self, value: float) -> str | None:
        """What is wrong with a value, and what to do; None: nothing."""
        too_low = value <= self.low if self.low_open else value < self.low
        too_high = value >= self.high if self.high_open else value > self.high
        if too_low or too_high:
            return f"out of range. Give {self._bounds()}."
        if self.multiple_of > 1 and value % self.multiple_of:
            near = max(self.multiple_of, round(value / self.multiple_of) * self.multiple_of)
            return f"not a multiple of {self.multiple_of}. Give {near}, for example."
        return None

    def _bounds(self) -> str:
        low = f"{'more than' if self.low_open else 'at least'} {self.low:g}"
        if self.high == float("inf"):
            return low
        return f"{low} and {'less than' if self.high_open else 'at most'} {self.high:g}"


_COUNT = Range(low=1)
_COUNT_OR_NONE = Range(low=0)
_SHARE = Range(low=0, high=1)
_POSITIVE = Range(low=0, low_open=True)
_SIDE = Range(low=8, high=8192, multiple_of=8)  # a VAE halves the sides up to three times

RANGES: dict[str, Range] = {
    "inspect": Range(low=0, high=1000),
    "seed": Range(low=0, high=LARGEST_SEED),
    "model.clip_skip": Range(low=1, high=12),  # layers of the published text encoder
    "model.resolution": _SIDE,
    "model.bucket_step": _SIDE,
    "model.default_lr": _POSITIVE,
    "model.default_steps": _COUNT,
    "model.default_alpha_ratio": _POSITIVE,
    "model.default_batch_size": _COUNT,
    "model.default_guidance": Range(low=1, high=100),
    "model.default_sampling_steps": _COUNT,
    "model.default_timestep_shift": _POSITIVE,
    "model.guidance": Range(low=0, high=100),
    "model.clip_l_dropout": _SHARE,
    "model.clip_g_dropout": _SHARE,
    "model.t5_dropout": _SHARE,
    "model.t5_token_length": Range(low=8, high=512),  # T5 was trained on 512
    "network.rank": _COUNT,
    "network.alpha": _POSITIVE,
    "network.alpha_ratio": _POSITIVE,
    "network.dropout": Range(low=0, high=1, high_open=True),
    "optimizer.lr": _POSITIVE,
    "optimizer.text_lr": _POSITIVE,
    "lr_schedule.warmup": _COUNT_OR_NONE,
    "dataset.num_repeats": _COUNT,
    "dataset.keep_tokens": _COUNT_OR_NONE,
    "dataset.caption_dropout_rate": _SHARE,
    "dataset.caption_dropout_every_n_epochs": _COUNT_OR_NONE,
    "dataset.caption_tag_dropout_rate": _SHARE,
    "dataset.token_warmup_min": Range(low=0, high=10_000),
    "dataset.token_warmup_step": _COUNT_OR_NONE,
    "dataset.validation_split": Range(low=0, high=1, high_open=True),
    "dataset.validation_seed": _COUNT_OR_NONE,
    "dataset.batch_size": _COUNT,
    "dataset.resolution": _SIDE,
    "dataset.resolution_height": _SIDE,
    "dataset.min_bucket_reso": Range(low=8, high=65536),
    "dataset.max_bucket_reso": Range(low=8, high=65536),
    "dataset.bucket_reso_steps": _SIDE,
    "noise.offset": Range(low=0, high=1),
    "noise.timestep_scale": _POSITIVE,
    "noise.timestep_mean": Range(low=-10, high=10),  # beyond it every draw is at one end
    "noise.mode_scale": Range(low=-1, high=1.75),  # beyond it, 2 / (pi - 2) = 1.7519, draws are not in order
    "noise.timestep_shift": _POSITIVE,
    "loss.huber_c": _POSITIVE,
    "loss.huber_scale": _POSITIVE,
    "loss.prior_loss_weight": _POSITIVE,
    "loss.min_snr_gamma": _POSITIVE,
    "training.steps": _COUNT,
    "training.epochs": _COUNT,
    "training.gradient_accumulation": _COUNT,
    "training.max_grad_norm": _COUNT_OR_NONE,
    "training.threads": Range(low=1, high=1024),
    "training.workers": Range(low=0, high=256),
    "training.validate_every": _COUNT_OR_NONE,
    "training.validation_images": _COUNT,
    "training.validation_timesteps": Range(low=1, high=1000),
    "training.checkpoint_every": _COUNT_OR_NONE,
    "training.save_every": _COUNT_OR_NONE,
    "memory.blocks_to_swap": _COUNT_OR_NONE,
    "training.save_every_epochs": _COUNT_OR_NONE,
    "training.keep_saves": _COUNT,
    "sampling.num_prompts": _COUNT_OR_NONE,
    "sampling.first_prompt": _COUNT_OR_NONE,
    "sampling.num_plain_prompts": _COUNT_OR_NONE,
    "sampling.steps": Range(low=1, high=1000),
    "sampling.guidance_scale": Range(low=1, high=100),
    "sampling.width": _SIDE,
    "sampling.height": _SIDE,
    "sampling.preview_every": _COUNT_OR_NONE,
    "sampling.preview_prompts": _COUNT,
    "sampling.batch_size": _COUNT,
}


def out_of_range(run: RunConfig) -> list[str]:
    """Numbers outside their range, and every number anywhere that is not finite."""
    problems = []
    for path, value in leaves(run):
        if isinstance(value, float) and not isfinite(value):
            problems.append(f"{path}={show(value)}: not a finite number. Give an ordinary one.")
        elif path in RANGES and isinstance(value, int | float) and (found := RANGES[path].problem(value)):
            problems.append(f"{path}={show(value)}: {found}")
    return problems


def leaves(node: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """(path, value) of every option of a run; entries of lists and mappings one by one, too."""
    if is_dataclass(node):
        for field in fields(node):
            yield from leaves(getattr(node, field.name), f"{prefix}.{field.name}" if prefix else field.name)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from leaves(value, f"{prefix}.{key}")
    else:
        yield prefix, node
        if isinstance(node, list):
            for value in node:
                yield from leaves(value, prefix)
