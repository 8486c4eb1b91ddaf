"""Rules on the pictures: where they come from, how they are cut, what is done to them."""

import re

from engine.compose.show import show
from engine.config import (
    DEMO_CONCEPTS,
    DatasetConfig,
    Layout,
    RunConfig,
    SubsetConfig,
    given_pictures,
    is_dataset_file,
    is_demo,
)
from engine.data.bucket_rules import bucket_problems


def pictures_rule(run: RunConfig) -> list[str]:
    """Where the pictures come from: a folder, or a concept that only the demo has."""
    dataset, demo, problems = run.dataset, is_demo(run.model), []
    if is_dataset_file(dataset):
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
    """Each way to give pictures has options of its own."""
    dataset, problems = run.dataset, []
    if is_dataset_file(dataset):
        problems += _file_problems(dataset)
    else:
        problems += _folder_problems(dataset)
    has_reg = dataset.reg_path is not None or is_dataset_file(dataset)
    if run.loss.prior_loss_weight != 1 and not has_reg:
        problems.append(
            f"loss.prior_loss_weight={run.loss.prior_loss_weight:g}: there are no regularisation pictures. "
            "Give dataset.reg_path, or leave it out."
        )
    return problems


def _folder_problems(dataset: DatasetConfig) -> list[str]:
    problems = []
    if dataset.config_file is not None:
        problems.append(
            f"dataset.config_file={dataset.config_file}: a dataset file goes with dataset=subsets (YAML) or "
            "dataset=kohya_toml."
        )
    if dataset.layout is Layout.folder:
        if dataset.reg_path is not None:
            problems.append(
                f"dataset.reg_path={dataset.reg_path}: regularisation pictures go with dataset=kohya_folder."
            )
        return problems + _metadata_problems(dataset)
    if dataset.path is None:
        problems.append(
            "dataset.path=null: dataset=kohya_folder needs the parent of folders like 10_shs dog. Give it."
        )
    for name, is_given in (
        ("class_tokens", dataset.class_tokens is not None),
        ("num_repeats", dataset.num_repeats != 1),
    ):
        if is_given and dataset.path is not None:
            problems.append(f"dataset.{name}: kohya's folder names say it. Leave it out.")
    for name in ("metadata_file", "mask_dir"):
        if getattr(dataset, name) is not None:
            problems.append(
                f"dataset.{name}={getattr(dataset, name)}: it goes with one folder. Use dataset=folder, or a "
                "dataset file with a line for each folder."
            )
    return problems


def _metadata_problems(dataset: DatasetConfig) -> list[str]:
    """Captions come from one place, and masks belong to pictures that are given."""
    problems = []
    for name in ("metadata_file", "mask_dir"):
        value = getattr(dataset, name)
        if value is not None and dataset.path is None:
            problems.append(f"dataset.{name}={value}: the demo's pictures have none. Give dataset.path too.")
    if dataset.metadata_file is None:
        return problems
    plain = SubsetConfig()
    for name in ("class_tokens", "caption_extension"):
        if getattr(dataset, name) != getattr(plain, name):
            problems.append(
                f"dataset.{name}={show(getattr(dataset, name))}: dataset.metadata_file holds the captions. "
                "Leave one of them out."
            )
    return problems


def _file_problems(dataset: DatasetConfig) -> list[str]:
    problems = []
    if dataset.config_file is None:
        name, what = (
            ("kohya_toml", "a dataset file of kohya's scripts")
            if dataset.layout is Layout.kohya_toml
            else ("subsets", "a YAML file of datasets")
        )
        problems.append(f"dataset.config_file=null: dataset={name} needs {what}. Give it.")
    for name in ("path", "reg_path", "concept", "metadata_file", "mask_dir"):
        value = getattr(dataset, name)
        if value is not None:
            problems.append(f"dataset.{name}={value}: the dataset file names its own folders. Leave it out.")
    if dataset.alpha_mask:
        problems.append("dataset.alpha_mask=true: the dataset file says it of its subsets. Leave it out.")
    return problems


def augmentation_rule(run: RunConfig) -> list[str]:
    """Pictures that vary in more than two ways are not kept as latents."""
    dataset, problems = run.dataset, []
    for name in ("random_crop", "color_aug", "face_crop_aug_range"):
        value = getattr(dataset, name)
        if value and dataset.cache_latents:
            problems.append(
                f"dataset.{name}={show(value)}: pictures vary, and dataset.cache_latents=true keeps one view "
                "of each. Set dataset.cache_latents=false, or leave this out."
            )
    sides = dataset.face_crop_aug_range
    if sides is not None and not (len(sides) == 2 and 0 < sides[0] <= sides[1]):
        problems.append(
            f"dataset.face_crop_aug_range={show(sides)}: the smallest and the largest side of the cut, in "
            "sizes of the face. Write dataset.face_crop_aug_range=[1.0,3.0]."
        )
    if dataset.alpha_mask and dataset.mask_dir is not None:
        problems.append(
            f"dataset.alpha_mask=true with dataset.mask_dir={dataset.mask_dir}: two masks for one picture. "
            "Give one of them."
        )
    return problems


def bucket_rule(run: RunConfig) -> list[str]:
    """Bucket sides are multiples of the step, around the resolution; a file's are looked at one by one."""
    return [] if is_dataset_file(run.dataset) else bucket_problems(run.dataset, "dataset.")
