"""Which pictures are learnt, and how they are cut and batched."""

from dataclasses import dataclass
from enum import Enum

from engine.config.subset import SubsetConfig


class Layout(Enum):
    """How the pictures are given: a folder, kohya's folders <repeats>_<words>, or kohya's dataset file."""

    folder = "folder"
    kohya = "kohya"
    kohya_toml = "kohya_toml"


@dataclass(kw_only=True, slots=True)
class DatasetConfig(SubsetConfig):
    """A folder of pictures with captions beside them, or with one class token phrase for all."""

    layout: Layout = Layout.folder  # kohya: dataset.path is the parent of folders named 10_shs dog
    path: str | None = None  # folder of pictures, sub-folders included; null = the demo's concept
    config_file: str | None = None  # kohya_toml: a dataset file (.toml or .json) in place of a path
    reg_path: str | None = None  # kohya: the parent of regularisation folders, named 1_dog
    concept: str | None = None  # demo only, without path: sks (null), night or bright
    trigger: str | None = None  # trigger words in the captions, stripped before scoring
    class_word: str | None = None  # the plain word of the concept's class; replaces the trigger in scoring
    batch_size: int = 1  # pictures in one step, all of one bucket; >= 1
    resolution: int = 512  # pixels; a bucket's area is at most its square
    enable_bucket: bool = True  # false: every picture is cut to a centred square
    min_bucket_reso: int = 256  # pixels; the shortest side of a bucket
    max_bucket_reso: int = 1024  # pixels; the longest side of a bucket
    bucket_reso_steps: int = 64  # pixels; bucket sides are multiples of it
    cache_latents: bool = True  # false: pictures are encoded at each step, so that they may vary
    cache_text_embeddings: bool = True  # false: captions are encoded at each step, so that they may vary
    bucket_no_upscale: bool = False  # true: small pictures keep their size, min and max are not used


def given_pictures(dataset: DatasetConfig) -> str | None:
    """What the user names as pictures: a folder or a dataset file; None = the demo's concept."""
    return dataset.path if dataset.config_file is None else dataset.config_file
