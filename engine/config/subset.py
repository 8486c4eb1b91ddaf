"""What holds for a set of pictures that are treated alike."""

from dataclasses import dataclass, field
from enum import Enum


class Interpolation(Enum):
    """How pixels are made when a picture changes its size; cubic, linear are bicubic, bilinear."""

    area = "area"
    bicubic = "bicubic"
    bilinear = "bilinear"
    box = "box"
    cubic = "cubic"
    lanczos = "lanczos"
    linear = "linear"
    nearest = "nearest"


@dataclass(kw_only=True, slots=True)
class SubsetConfig:
    """How often its pictures are seen, and what is done to them and to their captions."""

    class_tokens: str | None = None  # caption of pictures that have no caption file
    caption_extension: list[str] = field(default_factory=lambda: [".caption", ".txt"])  # first found is read
    metadata_file: str | None = None  # JSON of captions and tags by picture, in place of caption files
    num_repeats: int = 1  # times that each picture is seen in an epoch; >= 1
    caption_prefix: str | None = None  # put before each caption, with a blank
    caption_suffix: str | None = None  # put behind each caption, with a blank
    caption_separator: str = ","  # between the tags of a caption
    secondary_separator: str | None = None  # joins tags into one; becomes caption_separator at the very end
    shuffle_caption: bool = False  # tags in another order each time
    keep_tokens: int = 0  # the first tags, that stay in front; with shuffling, tag dropout or warm-up
    keep_tokens_separator: str | None = None  # tags before it stay in front, those behind a second one last
    enable_wildcard: bool = False  # {a|b} stands for a or b; of several lines one is drawn each time
    caption_dropout_rate: float = 0.0  # share of times that the caption is empty, 0 <= rate <= 1
    caption_dropout_every_n_epochs: int = 0  # empty captions in every n-th epoch; 0 = never
    caption_tag_dropout_rate: float = 0.0  # share of the tags left out each time, 0 <= rate <= 1
    token_warmup_min: int = 1  # tags shown at the first step, with token_warmup_step
    flip_aug: bool = False  # every other time mirrored; the cache keeps both sides
    random_crop: bool = False  # another part each time where a picture is larger than its bucket
    color_aug: bool = False  # a third of the times a little other hue or gamma
    token_warmup_step: float = 0.0  # steps until all tags are shown; below 1: share of all; 0 = off
    face_crop_aug_range: list[float] | None = None  # cut around the face: smallest, largest side in faces
    resize_interpolation: Interpolation | None = None  # null = area where a picture shrinks, else lanczos
    alpha_mask: bool = False  # the loss counts where the picture is opaque
    mask_dir: str | None = None  # folder of masks named as the pictures: the loss counts where they are white
    validation_split: float = 0.0  # share of the pictures that is not trained on, 0 <= share < 1
    validation_seed: int = 0  # which of the pictures those are
