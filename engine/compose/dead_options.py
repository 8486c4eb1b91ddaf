"""Options that were typed and would do nothing beside the others: refused, where others ignore them."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields
from operator import attrgetter

from omegaconf import DictConfig, OmegaConf

from engine.compose.prompts import has_plain_prompts, is_templates
from engine.compose.show import show
from engine.config import (
    DatasetConfig,
    HuberSchedule,
    LoRAConfig,
    LossKind,
    RunConfig,
    WandbMode,
    is_dataset_file,
)
from engine.data.subset_scan import stated_options

_REFERENCE = re.compile(r"\$\{(model\.\w+)\}")
_RECIPE_VALUES = (  # what a recipe recommends; they count only where another option takes them
    "model.resolution",
    "model.bucket_step",
    "model.default_lr",
    "model.default_layers",
    "model.default_alpha_ratio",
    "model.default_batch_size",
    "model.default_guidance",
    "model.encoder",
    "model.image_encoder",
)
_OF_TEMPLATES = ("dataset.trigger", "dataset.class_word")  # prompt sets are made of them
_OF_SCORES = ("evaluation.", "dataset.trigger", "dataset.class_word", "model.encoder", "model.image_encoder")


@dataclass(kw_only=True, slots=True, frozen=True)
class Dead:
    """Options without effect while a condition holds."""

    options: tuple[str, ...]  # paths; a trailing dot means all of a section
    condition: Callable[[RunConfig], bool]
    because: str  # what to change, in the words of the command line

    def covers(self, path: str) -> bool:
        """Whether the option is one of these."""
        return any(path.startswith(entry) if entry.endswith(".") else path == entry for entry in self.options)


DEAD: tuple[Dead, ...] = (
    Dead(
        options=("inspect",),
        condition=lambda run: run.dry_run,
        because="dry_run=true ends after the plan",
    ),
    Dead(
        options=("model.default_steps",),
        condition=lambda run: run.training.steps is not None or run.training.epochs is not None,
        because="the length is given by training.steps or training.epochs",
    ),
    Dead(
        options=("model.default_alpha_ratio",),
        condition=lambda run: isinstance(run.network, LoRAConfig) and run.network.alpha is not None,
        because="network.alpha is given",
    ),
    Dead(
        options=(
            "dataset.min_bucket_reso",
            "dataset.max_bucket_reso",
            "dataset.bucket_reso_steps",
            "dataset.bucket_no_upscale",
        ),
        condition=lambda run: not (run.dataset.enable_bucket or is_dataset_file(run.dataset)),
        because="dataset.enable_bucket=false makes no buckets",
    ),
    Dead(
        options=("dataset.min_bucket_reso", "dataset.max_bucket_reso"),
        condition=lambda run: run.dataset.enable_bucket and run.dataset.bucket_no_upscale,
        because="dataset.bucket_no_upscale=true leaves small pictures their size",
    ),
    Dead(
        options=("dataset.validation_seed",),
        condition=lambda run: run.dataset.validation_split == 0 and not is_dataset_file(run.dataset),
        because="dataset.validation_split=0 holds nothing out",
    ),
    Dead(
        options=("dataset.cache_in",),
        condition=lambda run: not (run.dataset.cache_latents or run.dataset.cache_text_embeddings),
        because="nothing is kept with cache_latents=false and cache_text_embeddings=false",
    ),
    Dead(
        options=("loss.huber_c", "loss.huber_schedule", "loss.huber_scale"),
        condition=lambda run: run.loss.kind is LossKind.l2,
        because="loss.kind=l2 is the plain square; they go with loss.kind=huber and smooth_l1",
    ),
    Dead(
        options=("loss.huber_scale",),
        condition=lambda run: run.loss.huber_schedule is HuberSchedule.snr,
        because="loss.huber_schedule=snr has no scale; it goes with constant and exponential",
    ),
    Dead(
        options=("sampling.preview_prompts",),
        condition=lambda run: run.sampling.preview_every == 0,
        because="sampling.preview_every=0 draws no previews",
    ),
    Dead(
        options=("sampling.", *_OF_SCORES),
        condition=lambda run: run.sampling.num_prompts == 0,
        because="sampling.num_prompts=0 draws no pictures",
    ),
    Dead(
        options=tuple(option for option in _OF_SCORES if option not in _OF_TEMPLATES),
        condition=lambda run: not run.evaluation.enabled,
        because="evaluation.enabled=false makes no scores",
    ),
    Dead(
        options=_OF_TEMPLATES,
        condition=lambda run: not (run.evaluation.enabled or is_templates(run)),
        because="evaluation.enabled=false makes no scores",
    ),
    Dead(
        options=("sampling.num_plain_prompts",),
        condition=lambda run: run.sampling.num_plain_prompts > 0 and not has_plain_prompts(run),
        because="no list of prompts is given that marks some as plain: sampling.prompt_set has some, and a "
        "prompts.json may",
    ),
    Dead(
        options=("tracking.project",),  # group and tags have a rule: files set them too
        condition=lambda run: run.tracking.wandb is WandbMode.disabled,
        because="tracking.wandb=disabled sends nothing to wandb",
    ),
)
_OF_DATA = frozenset(field.name for field in fields(DatasetConfig))
_SWITCHES = ("evaluation.enabled", "sampling.num_prompts")  # what makes others dead is not dead itself


def dead_options(typed: Collection[str], run: RunConfig, config: DictConfig) -> list[str]:
    """A sentence for each option of the command line that would change nothing.

    typed   paths of the options that were typed, not those that a file sets
    run     the run that they give
    config  the same, composed but not resolved: its references show which recipe values are taken
    """
    taken = set(_REFERENCE.findall(str(OmegaConf.to_container(config, resolve=False))))
    return [
        f"{path}={show(attrgetter(path)(run))}: without effect, since {because}. Leave one out."
        for path in typed
        if (because := next(_reasons(path, run, taken), None)) is not None
    ]


def _reasons(path: str, run: RunConfig, taken: Collection[str]) -> Iterator[str]:
    if path in _RECIPE_VALUES and path not in taken:
        yield "the option that would take it has a value of its own"
    if path in _SWITCHES:
        return
    if is_dataset_file(run.dataset):
        section, _, name = path.partition(".")
        stated = stated_options(run.dataset) if section == "dataset" and name in _OF_DATA else ()
        if name.replace("resolution_height", "resolution") in stated:
            yield f"{run.dataset.config_file} says it"
    for dead in DEAD:
        if dead.covers(path) and dead.condition(run):
            yield dead.because
