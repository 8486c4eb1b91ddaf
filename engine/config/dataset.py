"""Which pictures are learnt, and how they are cut and batched."""

from dataclasses import dataclass
from enum import Enum

from engine.config.subset import SubsetConfig


class Layout(Enum):
    """How the pictures are given."""

    folder = "folder"  # a folder, sub-folders included
    kohya = "kohya"  # kohya's folders, <repeats>_<words>
    subsets = "subsets"  # a YAML file of datasets and their subsets
    kohya_toml = "kohya_toml"  # kohya's dataset file


class CacheIn(Enum):
    """Where latents and text embeddings are kept."""

    disk = "disk"  # in cache_dir, shared by all runs
    memory = "memory"  # by this run alone; nothing is written


@dataclass(kw_only=True, slots=True)
class DatasetConfig(SubsetConfig):
    """A folder of pictures with captions beside them, or with one class token phrase for all."""

    layout: Layout = Layout.folder  # kohya: dataset.path is the parent of folders named 10_shs dog
    path: str | None = None  # folder of pictures, sub-folders included; null = the demo's concept
    config_file: str | None = None  # subsets, kohya_toml: a file of datasets in place of a path
    reg_path: str | None = None  # kohya: the parent of regularisation folders, named 1_dog
    concept: str | None = None  # demo only, without path: sks (null), night or bright
    trigger: str | None = None  # trigger words in the captions, stripped before scoring
    class_word: str | None = None  # the plain word of the concept's class; replaces the trigger in scoring
    batch_size: int = 1  # pictures in one step, all of one bucket; >= 1
    resolution: int = 512  # pixels; a bucket's area is at most its square
    resolution_height: int | None = None  # pixels; null = resolution; else that is the width alone
    enable_bucket: bool = True  # false: every picture is cut to a centred square
    min_bucket_reso: int = 256  # pixels; the shortest side of a bucket
    max_bucket_reso: int = 1024  # pixels; the longest side of a bucket
    bucket_reso_steps: int = 64  # pixels; bucket sides are multiples of it
    cache_latents: bool = True  # false: pictures are encoded at each step, so that they may vary
    cache_text_embeddings: bool = True  # false: captions are encoded at each step, so that they may vary
    cache_in: CacheIn = CacheIn.disk  # where what is kept of pictures and captions lies
    bucket_no_upscale: bool = False  # true: small pictures keep their size, min and max are not used


def dataset_size(dataset: DatasetConfig) -> tuple[int, int]:
    """Width and height in pixels that a data set's pictures are cut to, or whose area buckets have."""
    return dataset.resolution, dataset.resolution_height or dataset.resolution


def is_dataset_file(dataset: DatasetConfig) -> bool:
    """Whether a file names the pictures, in place of a folder."""
    return dataset.layout in (Layout.subsets, Layout.kohya_toml)


def given_pictures(dataset: DatasetConfig) -> str | None:
    """What the user names as pictures: a folder or a dataset file; None = the demo's concept."""
    return dataset.path if dataset.config_file is None else dataset.config_file
