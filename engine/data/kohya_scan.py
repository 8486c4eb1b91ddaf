"""The pictures of a kohya dataset file: each subset's folder, treated as the file says."""

from dataclasses import fields, replace
from pathlib import Path

from engine.config import ConfigError, DatasetConfig, SubsetConfig
from engine.data.caption_changes import varies
from engine.data.kohya_dataset import KohyaDatasetTable, KohyaSubset, read_kohya_dataset
from engine.data.kohya_fallbacks import KohyaKind
from engine.data.scan import Picture, Scan, scan_folder
from engine.data.scan_parts import balance, join

_SUBSET_OPTIONS = tuple(field.name for field in fields(SubsetConfig))
_DATASET_OPTIONS = (
    "batch_size",
    "enable_bucket",
    "min_bucket_reso",
    "max_bucket_reso",
    "bucket_reso_steps",
    "bucket_no_upscale",
)
_BUCKET_SIDES = ("min_bucket_reso", "max_bucket_reso", "bucket_reso_steps")
_NOT_YET = (  # of a subset or its dataset, while they differ from what does nothing
    ("face_crop_aug_range", None),
    ("alpha_mask", False),
    ("resize_interpolation", None),
    ("validation_split", 0.0),
    ("custom_attributes", None),
)


def scan_kohya_file(config: DatasetConfig, file: Path) -> Scan:
    """The pictures of all subsets. What the file says of the whole data set must be what the run says."""
    whole = Scan(folder=file.parent, source=f"dataset.config_file={file}")
    defaults = {name: getattr(config, name) for name in (*_SUBSET_OPTIONS, *_DATASET_OPTIONS)}
    try:
        content = read_kohya_dataset(file, defaults={**defaults, "resolution": config.resolution})
    except ConfigError as error:
        whole.problems += error.problems
        return whole
    whole.notes += content.notes
    if len(content.datasets) > 1:
        whole.problems.append(
            f"{file}: holds {len(content.datasets)} [[datasets]], and one is taken so far. "
            "Keep one, with all subsets in it."
        )
        return whole
    (table,) = content.datasets
    whole.problems += _differences(config, table)
    parts = [(subset, _scan_subset(whole, config, subset)) for subset in table.subsets]
    learnt = [picture for subset, found in parts if not subset.is_reg for picture in found]
    reg = [picture for subset, found in parts if subset.is_reg for picture in found]
    whole.pictures = learnt + reg
    balance(whole, reg)
    return whole


def stated_options(file: Path) -> frozenset[str]:
    """The options of a data set that the file states, by their names here; none where it cannot be read."""
    try:
        return read_kohya_dataset(file, defaults={"resolution": 512}).stated
    except ConfigError:
        return frozenset()


def _differences(config: DatasetConfig, table: KohyaDatasetTable) -> list[str]:
    source, problems = table.source, []
    if table.kind is not KohyaKind.dreambooth:
        problems.append(f"{source}: {table.kind.value} subsets are not taken yet. Give captions in files.")
    if table.resolution != (config.resolution, config.resolution):
        width, height = table.resolution
        advice = f"Set dataset.resolution={width}." if width == height else "Squares are taken so far."
        problems.append(
            f"{source}: resolution is {width}x{height}, the run's is {config.resolution}. {advice}"
        )
    for name in _DATASET_OPTIONS:
        value, own = _shown(getattr(table, name)), _shown(getattr(config, name))
        if value != own and (table.enable_bucket or name not in _BUCKET_SIDES):
            problems.append(f"{source}: {name} is {value}, the run's is {own}. Set dataset.{name}={value}.")
    if table.network_multiplier != 1.0:
        problems.append(f"{source}: network_multiplier is not taken. Leave it out.")
    return problems


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _scan_subset(whole: Scan, config: DatasetConfig, subset: KohyaSubset) -> list[Picture]:
    """The pictures of one subset, its problems and notes being added to the whole."""
    for name, nothing in _NOT_YET:
        if getattr(subset, name) != nothing:
            whole.problems.append(f"{subset.source}: {name} is not taken yet. Leave it out.")
    if subset.image_dir is None:
        return []
    values = {name: getattr(subset, name) for name in _SUBSET_OPTIONS}
    treated = SubsetConfig(**{**values, "caption_extension": list(subset.caption_extension)})
    own = replace(
        config,
        config_file=None,
        path=str(subset.image_dir),
        **{name: getattr(treated, name) for name in _SUBSET_OPTIONS},
    )
    part = scan_folder(own, subset.image_dir)
    part.problems = [
        problem.replace("dataset.class_tokens", "class_tokens").replace(part.source, f"{subset.source}")
        for problem in part.problems
        if not problem.startswith("dataset.class_tokens=")
    ]
    whole.problems += _kept(config, treated, subset.source)
    pictures = [replace(picture, treated=treated) for picture in part.pictures]
    part.pictures = []  # both sides are put in order by the caller
    join(whole, part)
    return pictures


def _kept(config: DatasetConfig, subset: SubsetConfig, source: str) -> list[str]:
    problems = []
    if config.cache_text_embeddings and varies(subset):
        problems.append(
            f"{source}: its captions vary, and dataset.cache_text_embeddings=true keeps one "
            "embedding of each. Set dataset.cache_text_embeddings=false."
        )
    if config.cache_latents and (subset.random_crop or subset.color_aug):
        problems.append(
            f"{source}: its pictures vary, and dataset.cache_latents=true keeps one view of each. "
            "Set dataset.cache_latents=false."
        )
    return problems
