"""Rules on the pictures: where they come from, how they are cut, what is done to them."""

import re

from engine.compose.show import show
from engine.config import DEMO_CONCEPTS, DatasetConfig, Layout, RunConfig, given_pictures, is_demo


def pictures_rule(run: RunConfig) -> list[str]:
    """Where the pictures come from: a folder, or a concept that only the demo has."""
    dataset, demo, problems = run.dataset, is_demo(run.model), []
    if dataset.layout is Layout.kohya_toml:
        return []  # a rule of its own
    if dataset.path is None and not demo:
        problems.append(
            f"dataset.path=null: the demo's concepts belong to model=demo, this is {run.model.name}. "
            "Give a folder of pictures: dataset.path=photos/."
        )
    if dataset.concept is not None and dataset.path is not None:
        problems.append(
            f"dataset.concept={dataset.concept} with dataset.path={dataset.path}: two sources of pictures. "
            "Give one of them."
        )
    elif dataset.concept is not None and not demo:
        problems.append(f"dataset.concept={dataset.concept}: only model=demo has any. Give dataset.path.")
    elif dataset.concept is not None and dataset.concept not in DEMO_CONCEPTS:
        problems.append(f"dataset.concept={dataset.concept}: unknown. Use {', '.join(DEMO_CONCEPTS)}.")
    return problems


def captions_rule(run: RunConfig) -> list[str]:
    """Words that are given are words, and are used."""
    dataset, problems = run.dataset, []
    for key, text in (
        ("trigger", dataset.trigger),
        ("class_word", dataset.class_word),
        ("class_tokens", dataset.class_tokens),
    ):
        if text is not None and not text.strip():
            problems.append(f"dataset.{key}=: empty. Give words, or null.")
    if given_pictures(dataset) is None and dataset.class_tokens is not None:
        problems.append(
            f"dataset.class_tokens={dataset.class_tokens}: the demo's pictures have captions. Leave it out."
        )
    if given_pictures(dataset) is not None and dataset.class_word is not None and dataset.trigger is None:
        problems.append(
            f"dataset.class_word={dataset.class_word}: it stands in for dataset.trigger, and there is none. "
            "Give dataset.trigger too."
        )
    endings = dataset.caption_extension
    if not endings or not all(re.fullmatch(r"\.[\w.-]+", ending) for ending in endings):
        problems.append(
            f"dataset.caption_extension={show(endings)}: endings start with a dot. "
            "Write dataset.caption_extension=[.caption,.txt]."
        )
    if len(set(endings)) < len(endings):
        problems.append(f"dataset.caption_extension={show(endings)}: one is named twice. Name each once.")
    return problems


def layout_rule(run: RunConfig) -> list[str]:
    """kohya's folder names say repeats and words; only that layout has regularisation pictures."""
    dataset, problems = run.dataset, []
    if dataset.layout is Layout.kohya_toml:
        problems += _file_problems(dataset)
    elif dataset.config_file is not None:
        problems.append(
            f"dataset.config_file={dataset.config_file}: a dataset file goes with dataset=kohya_toml."
        )
    elif dataset.layout is Layout.folder:
        if dataset.reg_path is not None:
            problems.append(
                f"dataset.reg_path={dataset.reg_path}: regularisation pictures go with dataset=kohya_folder."
            )
    elif dataset.path is None:
        problems.append(
            "dataset.path=null: dataset=kohya_folder needs the parent of folders like 10_shs dog. Give it."
        )
    else:
        for name, is_given in (
            ("class_tokens", dataset.class_tokens is not None),
            ("num_repeats", dataset.num_repeats != 1),
        ):
            if is_given:
                problems.append(f"dataset.{name}: kohya's folder names say it. Leave it out.")
    has_reg = dataset.reg_path is not None or dataset.layout is Layout.kohya_toml
    if run.loss.prior_loss_weight != 1 and not has_reg:
        problems.append(
            f"loss.prior_loss_weight={run.loss.prior_loss_weight:g}: there are no regularisation pictures. "
            "Give dataset.reg_path, or leave it out."
        )
    return problems


def _file_problems(dataset: DatasetConfig) -> list[str]:
    problems = []
    if dataset.config_file is None:
        problems.append(
            "dataset.config_file=null: dataset=kohya_toml needs a dataset file of kohya's scripts. Give it."
        )
    for name, value in (
        ("path", dataset.path),
        ("reg_path", dataset.reg_path),
        ("concept", dataset.concept),
    ):
        if value is not None:
            problems.append(f"dataset.{name}={value}: the dataset file names its own folders. Leave it out.")
    return problems


def augmentation_rule(run: RunConfig) -> list[str]:
    """Pictures that vary in more than two ways are not kept as latents."""
    return [
        f"dataset.{name}=true: pictures vary, and dataset.cache_latents=true keeps one view of each. "
        "Set dataset.cache_latents=false, or leave this out."
        for name, is_on in (
            ("random_crop", run.dataset.random_crop),
            ("color_aug", run.dataset.color_aug),
        )
        if is_on and run.dataset.cache_latents
    ]


def bucket_rule(run: RunConfig) -> list[str]:
    """Bucket sides are multiples of the step, around the resolution."""
    dataset, problems = run.dataset, []
    step, low, high = dataset.bucket_reso_steps, dataset.min_bucket_reso, dataset.max_bucket_reso
    if not dataset.enable_bucket:
        if dataset.bucket_no_upscale:
            problems.append(
                "dataset.bucket_no_upscale=true: there are no buckets with dataset.enable_bucket=false. "
                "Leave one of them out."
            )
        return problems
    if 0 < dataset.resolution < step:
        problems.append(
            f"dataset.resolution={dataset.resolution}: smaller than dataset.bucket_reso_steps={step}. "
            "Raise it, or lower the step."
        )
    if dataset.bucket_no_upscale or step < 1:
        return problems
    for key, side in (("min_bucket_reso", low), ("max_bucket_reso", high)):
        if side % step and side > 0:
            near = max(1, round(side / step)) * step
            problems.append(
                f"dataset.{key}={side}: not a multiple of dataset.bucket_reso_steps={step}. "
                f"Give {near}, for example."
            )
    if low > high:
        problems.append(f"dataset.min_bucket_reso={low}: above dataset.max_bucket_reso={high}. Lower it.")
    elif not low <= dataset.resolution <= high:
        problems.append(
            f"dataset.resolution={dataset.resolution}: outside of dataset.min_bucket_reso={low} and "
            f"dataset.max_bucket_reso={high}. Change one of them."
        )
    return problems
