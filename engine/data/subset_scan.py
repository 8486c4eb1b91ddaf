"""The pictures of a file of datasets: each subset's folder, treated as the file says."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

from engine.config import ConfigError, DatasetConfig, Interpolation, Layout, SubsetConfig, dataset_size
from engine.data.bucket_rules import bucket_problems, bucket_side, off_grid
from engine.data.caption_changes import idle_options, varies
from engine.data.dataset_file import FileDataset, FileSubset, read_dataset_file
from engine.data.file_keys import KOHYA, OWN, Dialect
from engine.data.indexes import Indexes
from engine.data.metadata import scan_metadata
from engine.data.scan import Scan, Subset, scan_subset

_SUBSET_OPTIONS = tuple(field.name for field in fields(SubsetConfig))
_DATASET_OPTIONS = (
    "resolution",
    "batch_size",
    "enable_bucket",
    "min_bucket_reso",
    "max_bucket_reso",
    "bucket_reso_steps",
    "bucket_no_upscale",
)
VAE_STEP = 8  # pixels that a latent stands for
_OF_A_FOLDER = ("metadata_file", "mask_dir", "alpha_mask")  # a file states them of its subsets alone


def dialect_of(config: DatasetConfig) -> Dialect:
    """How the run's dataset file is written."""
    return KOHYA if config.layout is Layout.kohya_toml else OWN


def scan_dataset_file(
    config: DatasetConfig, file: Path, indexes: Indexes, *, side_step: int = VAE_STEP
) -> list[Scan]:
    """The pictures of all subsets; what the file leaves open is as the run says.

    side_step  pixels; sides of pictures are multiples of it: of a latent, or of a transformer's token
    """
    whole = Scan(folder=file.parent, source=f"dataset.config_file={file}", config=config)
    try:
        content = read_dataset_file(file, dialect_of(config), defaults=_defaults(config))
    except ConfigError as error:
        whole.problems += error.problems
        return [whole]
    whole.notes += content.notes
    parts = [whole]
    for number, table in enumerate(content.datasets):
        own = _dataset_config(config, table)
        whole.problems += [f"{table.source}: {problem}" for problem in _table_problems(own, table, side_step)]
        parts += [
            _scan_subset(_subset(own, subset, number), subset, config, indexes) for subset in table.subsets
        ]
    whole.problems += _idle_everywhere(config, parts)
    return parts


def stated_options(config: DatasetConfig) -> frozenset[str]:
    """The options of a data set that the run's file states; none where it cannot be read."""
    if config.config_file is None:
        return frozenset()
    try:
        return read_dataset_file(
            Path(config.config_file), dialect_of(config), defaults={"resolution": 512}
        ).stated
    except ConfigError:
        return frozenset()


def _defaults(config: DatasetConfig) -> Mapping[str, object]:
    values = {name: getattr(config, name) for name in (*_SUBSET_OPTIONS, *_DATASET_OPTIONS)}
    how = config.resize_interpolation
    height = config.resolution_height
    return {
        **{name: value for name, value in values.items() if name not in _OF_A_FOLDER},
        "resize_interpolation": None if how is None else how.name,
        "resolution": config.resolution if height is None else [config.resolution, height],
    }


def _dataset_config(config: DatasetConfig, table: FileDataset) -> DatasetConfig:
    """The run's options with those of one dataset of the file in their place."""
    width, height = table.resolution
    step = table.bucket_reso_steps
    own = replace(
        config,
        **{name: getattr(table, name) for name in _DATASET_OPTIONS},
    )
    own = replace(own, resolution=width, resolution_height=None if height == width else height)
    if config.layout is Layout.kohya_toml:  # sides are moved outwards onto the step, as there
        low, high = own.min_bucket_reso // step * step, -(-own.max_bucket_reso // step) * step
        return replace(own, min_bucket_reso=max(low, step), max_bucket_reso=high)
    is_stated = table.stated & {"min_bucket_reso", "max_bucket_reso"}
    if "resolution" in table.stated and not is_stated and _sides(config) == _sides_around(config):
        low, high = _sides_around(own)
        return replace(own, min_bucket_reso=low, max_bucket_reso=high)
    return own


def _sides(dataset: DatasetConfig) -> tuple[int, int]:
    return dataset.min_bucket_reso, dataset.max_bucket_reso


def _sides_around(dataset: DatasetConfig) -> tuple[int, int]:
    """Half and twice of its resolution: what the sides are where nobody says anything."""
    size, step = dataset_size(dataset), dataset.bucket_reso_steps
    return bucket_side(0.5, min(size), step), bucket_side(2, max(size), step)


def _table_problems(own: DatasetConfig, table: FileDataset, side_step: int) -> list[str]:
    problems = bucket_problems(own, "")
    of = "8" if side_step == VAE_STEP else f"{side_step}, the pixels that the model reads at a time"
    if own.enable_bucket:
        problems += off_grid("bucket_reso_steps", (own.bucket_reso_steps,), side_step, of)
    else:
        problems += off_grid("resolution", table.resolution, side_step, of)
    if table.network_multiplier != 1.0:
        problems.append(f"network_multiplier={table.network_multiplier:g}: not taken. Leave it out.")
    return problems


def _subset(dataset: DatasetConfig, subset: FileSubset, number: int) -> Subset:
    values = {name: getattr(subset, name) for name in _SUBSET_OPTIONS}
    how, metadata = subset.resize_interpolation, subset.metadata_file
    folder = subset.image_dir or (metadata or Path()).parent
    own = replace(
        dataset,
        **{
            **values,
            "caption_extension": list(subset.caption_extension),
            "metadata_file": None if metadata is None else str(metadata),
            "mask_dir": None if subset.mask_dir is None else str(subset.mask_dir),
            "face_crop_aug_range": list(subset.face_crop_aug_range) if subset.face_crop_aug_range else None,
            "resize_interpolation": None if how is None else Interpolation[how],
            "validation_seed": subset.validation_seed or 0,
        },
        path=str(folder),
    )
    return Subset(
        source=subset.source, folder=folder, config=own, options="", dataset=number, is_reg=subset.is_reg
    )


def _scan_subset(one: Subset, subset: FileSubset, run: DatasetConfig, indexes: Indexes) -> Scan:
    if subset.metadata_file is None:
        scan = scan_subset(one, run, indexes)
    else:
        scan = scan_metadata(one, run, subset.image_dir, indexes)
    scan.problems += [f"{one.source}: {problem}" for problem in _subset_problems(one, subset)]
    idle = [
        f"{one.source}: {name}: without effect. It goes with {goes_with}, in the same subset."
        for name, goes_with in idle_options(one.config).items()
        if name in subset.stated
    ]
    if run.layout is Layout.kohya_toml:  # which is taken as it is
        scan.notes += idle
    else:
        scan.problems += idle
    if "class_tokens" in subset.stated and scan.pictures and all(one.caption_file for one in scan.pictures):
        scan.notes.append("class_tokens is not used: every picture has a caption of its own")
    return scan


def _idle_everywhere(config: DatasetConfig, parts: Sequence[Scan]) -> list[str]:
    """Options of the run that no subset makes use of."""
    idle = [idle_options(subset.config) for part in parts for subset in part.subsets]
    problems = [
        f"dataset.{name}={getattr(config, name)}: without effect in every subset. It goes with {goes_with}."
        for name, goes_with in idle_options(config).items()
        if idle and all(name in one for one in idle)
    ]
    pictures = [picture for part in parts for picture in part.pictures]
    tokens = config.class_tokens
    used = any(one.caption_file is None and one.subset.config.class_tokens == tokens for one in pictures)
    if tokens is not None and pictures and not used:
        problems.append(f"dataset.class_tokens={tokens}: no picture of the file takes it. Leave it out.")
    return problems


def _subset_problems(one: Subset, subset: FileSubset) -> list[str]:
    """What a subset asks for and cannot have."""
    own, problems = one.config, []
    if subset.custom_attributes:
        problems.append("custom_attributes: not taken. Leave it out.")
    if own.cache_text_embeddings and varies(own):
        problems.append(
            "its captions vary, and dataset.cache_text_embeddings=true keeps one embedding of each. "
            "Set dataset.cache_text_embeddings=false."
        )
    if own.cache_latents and (own.random_crop or own.color_aug or own.face_crop_aug_range):
        problems.append(
            "its pictures vary, and dataset.cache_latents=true keeps one view of each. "
            "Set dataset.cache_latents=false."
        )
    if own.alpha_mask and own.mask_dir is not None:
        problems.append("alpha_mask and a folder of masks: two masks for one picture. Give one of them.")
    if own.validation_split >= 1:
        problems.append(f"validation_split={own.validation_split:g}: nothing is left to train on. Lower it.")
    return problems
