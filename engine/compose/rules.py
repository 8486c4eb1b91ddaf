"""What must hold between the options of a run, as pure functions: no disk, no torch."""

import re
from collections.abc import Callable
from pathlib import PurePath

from engine.compose.caption_rules import caption_changes_rule
from engine.compose.dataset_rules import (
    augmentation_rule,
    bucket_rule,
    captions_rule,
    layout_rule,
    pictures_rule,
)
from engine.compose.family_rules import family_rule
from engine.compose.file_rules import saves_rule
from engine.compose.memory_rules import swap_rule
from engine.compose.network_rules import layer_words_rule, network_rule
from engine.compose.prompts import prompt_set_rule
from engine.compose.ranges import out_of_range
from engine.compose.show import show
from engine.compose.side_rule import side_rule
from engine.compose.text_rules import text_lr_rule, text_rule
from engine.config import Family, MixedPrecision, RunConfig, WandbMode
from engine.config.model import TOKEN_LENGTHS
from engine.models.facts import FAMILIES

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def broken_rules(run: RunConfig) -> list[str]:
    """Every rule that the run breaks, as "path=value: what is wrong. What to do."."""
    return [problem for rule in RULES for problem in rule(run)]


def name_rule(run: RunConfig) -> list[str]:
    """The name becomes a folder and a file."""
    if run.name.strip() and PurePath(run.name).name == run.name and not set(run.name) & set('\\:*?"<>|\n'):
        return []
    return [f"name={run.name}: it names a folder and a file. Use letters, digits, dots and dashes."]


def model_rule(run: RunConfig) -> list[str]:
    """The recipe fits its family."""
    model, problems = run.model, []
    if not model.name.strip():
        problems.append("model.name=: empty. Give the recipe a name.")
    if not model.checkpoint:
        problems.append("model.checkpoint=null: no weights. Give a diffusers folder or a hub id.")
    facts = FAMILIES[model.family]
    if model.prediction not in facts.predictions:
        allowed = ", ".join(prediction.name for prediction in facts.predictions)
        problems.append(f"model.prediction={model.prediction.name}: {facts.title} predicts {allowed}.")
    if model.token_length not in TOKEN_LENGTHS:
        problems.append(
            f"model.token_length={model.token_length}: captions are read in rows of 75 tokens. "
            "Give 75, 150 or 225."
        )
    return problems


def optimizer_rule(run: RunConfig) -> list[str]:
    """The class is a dotted path, the learning rate has one place."""
    path = run.optimizer.class_path
    if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", path) is None:
        return [f"optimizer.class_path={path}: not module.Class. Write it as torch.optim.AdamW."]
    return []


def length_rule(run: RunConfig) -> list[str]:
    """One length; a warm-up inside it."""
    training, warmup, problems = run.training, run.lr_schedule.warmup, []
    if training.steps is not None and training.epochs is not None:
        problems.append(
            f"training.steps={training.steps} with training.epochs={training.epochs}: two lengths. "
            "Set one of them to null."
        )
    if warmup >= 1 and warmup != int(warmup):
        problems.append(
            f"lr_schedule.warmup={show(warmup)}: from 1 on it counts steps. Give a whole number, "
            "or a share below 1."
        )
    steps = run.model.default_steps if training.steps is None else training.steps
    if training.epochs is None and steps >= 1 and warmup >= max(1, steps):
        problems.append(
            f"lr_schedule.warmup={show(warmup)}: the run has {steps} steps, all of them warm-up. "
            "Give fewer steps, or a share below 1."
        )
    return problems


def device_rule(run: RunConfig) -> list[str]:
    """The device has a known form; half precision by fp16 needs a GPU."""
    training, problems = run.training, []
    if _DEVICE.fullmatch(training.device) is None:
        problems.append(f"training.device={training.device}: unknown. Give auto, cpu, cuda, cuda:1 or mps.")
    if training.device == "cpu" and training.mixed_precision is MixedPrecision.fp16:
        problems.append(
            "training.mixed_precision=fp16: needs a GPU, and training.device=cpu. Use bf16 or no."
        )
    return problems


def sampling_rule(run: RunConfig) -> list[str]:
    """Pictures differ by seed, and a negative prompt has an effect."""
    sampling, problems = run.sampling, []
    if not sampling.seeds:
        problems.append("sampling.seeds=[]: no seed, no picture. Give one, or sampling.num_prompts=0.")
    if any(seed < 0 for seed in sampling.seeds):
        problems.append(f"sampling.seeds={show(sampling.seeds)}: seeds are 0 or more.")
    if len(set(sampling.seeds)) < len(sampling.seeds):
        problems.append(
            f"sampling.seeds={show(sampling.seeds)}: a seed is given twice and would draw the same pictures. "
            "Give each once."
        )
    is_told = run.model.family is not Family.flux  # there it is refused at any scale
    if sampling.negative_prompt and sampling.guidance_scale <= 1 and is_told:
        problems.append(
            f"sampling.negative_prompt={sampling.negative_prompt}: without effect at "
            f"sampling.guidance_scale={show(sampling.guidance_scale)}. Raise it, or leave the prompt out."
        )
    return problems


def evaluation_rule(run: RunConfig) -> list[str]:
    """Scores need pictures; what scores need is only given where they are made."""
    evaluation, problems = run.evaluation, []
    if evaluation.enabled and run.sampling.num_prompts == 0:
        problems.append("sampling.num_prompts=0: no pictures to score. Add evaluation.enabled=false.")
    if not evaluation.enabled and evaluation.references is not None:
        problems.append(
            f"evaluation.references={evaluation.references}: of no use with evaluation.enabled=false."
        )
    return problems


def tracking_rule(run: RunConfig) -> list[str]:
    """What describes a wandb run has a wandb run to describe."""
    tracking, problems = run.tracking, []
    if not tracking.project.strip() or set(tracking.project) & set("/\\#?%:"):
        problems.append(f"tracking.project={tracking.project}: give a name without / \\ # ? % :")
    if tracking.group is not None and not tracking.group.strip():
        problems.append("tracking.group=: empty. Give a name, or null.")
    if not all(tag.strip() and len(tag) <= 64 for tag in tracking.tags):
        problems.append(f"tracking.tags={show(tracking.tags)}: a tag has 1 to 64 characters.")
    if tracking.wandb is WandbMode.disabled and (tracking.group is not None or tracking.tags):
        problems.append(
            "tracking.wandb=disabled: tracking.group and tracking.tags belong to wandb. Leave them out, "
            "or use tracking.wandb=offline."
        )
    return problems


Rule = Callable[[RunConfig], list[str]]

RULES: tuple[Rule, ...] = (
    out_of_range,
    name_rule,
    model_rule,
    family_rule,
    network_rule,
    layer_words_rule,
    text_rule,
    text_lr_rule,
    optimizer_rule,
    length_rule,
    saves_rule,
    device_rule,
    pictures_rule,
    captions_rule,
    caption_changes_rule,
    augmentation_rule,
    layout_rule,
    bucket_rule,
    side_rule,
    sampling_rule,
    prompt_set_rule,
    evaluation_rule,
    tracking_rule,
    swap_rule,
)

# Options that no rule restricts: what the type allows is what they mean.
FREE: tuple[str, ...] = (
    "dry_run",
    "force",
    "model.family",
    "files.diffusers_names",
    "model.default_sampler",
    "model.default_precision",
    "model.default_gradient_checkpointing",
    "model.default_timesteps",
    "model.weighted_captions",
    "lr_schedule.kind",
    "loss.kind",
    "loss.huber_schedule",
    "dataset.enable_bucket",
    "dataset.cache_latents",
    "dataset.cache_text_embeddings",
    "dataset.flip_aug",
    "dataset.cache_in",
    "dataset.resize_interpolation",
    "training.gradient_checkpointing",
    "memory.unload_encoders",
    "memory.vae_slicing",
    "memory.vae_tiling",
    "sampling.sampler",
    "evaluation.enabled",
    "tracking.tensorboard",
)

# Options that preflight checks against this machine and its disk.
ON_DISK: tuple[str, ...] = (
    "memory.quantize",
    "output_dir",
    "cache_dir",
    "model.checkpoint",
    "model.vae",
    "model.clip_l",
    "model.clip_g",
    "model.t5xxl",
    "model.qwen3",
    "model.tokenizers",
    "model.encoder",
    "model.image_encoder",
    "optimizer.args",
    "dataset.path",
    "dataset.reg_path",
    "dataset.config_file",
    "sampling.prompt_file",
    "evaluation.encoder",
    "evaluation.image_encoder",
    "evaluation.preference",
    "evaluation.aesthetic",
    "evaluation.objectives",
    "evaluation.references",
    "tracking.tensorboard",
    "files.copy_to",
    "network.init_from",
)
