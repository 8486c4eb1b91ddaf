"""Rules on what is done to captions: no option without effect, none that a kept embedding would hide."""

from engine.compose.show import show
from engine.config import RunConfig, SubsetConfig, is_dataset_file
from engine.data.caption_changes import varies

_WORDS = (
    "caption_prefix",
    "caption_suffix",
    "caption_separator",
    "secondary_separator",
    "keep_tokens_separator",
)
_VARYING = (
    "shuffle_caption",
    "enable_wildcard",
    "caption_dropout_rate",
    "caption_dropout_every_n_epochs",
    "caption_tag_dropout_rate",
    "token_warmup_step",
)
_TAGS = "dataset.shuffle_caption, caption_tag_dropout_rate or token_warmup_step"


def caption_changes_rule(run: RunConfig) -> list[str]:
    """Captions that vary are not kept as one embedding; what acts on tags goes with what needs tags."""
    dataset = run.dataset
    if is_dataset_file(dataset):  # its subsets are looked at one by one, when the file is read
        return _empty_words(dataset)
    return [*_empty_words(dataset), *_kept_embeddings(run), *_without_effect(dataset)]


def _empty_words(dataset: SubsetConfig) -> list[str]:
    return [f"dataset.{name}=: empty. Give text, or null." for name in _WORDS if getattr(dataset, name) == ""]


def _kept_embeddings(run: RunConfig) -> list[str]:
    if not (run.dataset.cache_text_embeddings and varies(run.dataset)):
        return []
    plain, problems = SubsetConfig(), []
    for name in _VARYING:
        value = getattr(run.dataset, name)
        if value != getattr(plain, name):
            problems.append(
                f"dataset.{name}={show(value)}: captions vary, and dataset.cache_text_embeddings=true keeps "
                "one embedding of each. Set dataset.cache_text_embeddings=false, or leave this out."
            )
    return problems


def _without_effect(dataset: SubsetConfig) -> list[str]:
    plain, problems = SubsetConfig(), []
    in_tags = dataset.shuffle_caption or dataset.caption_tag_dropout_rate > 0 or dataset.token_warmup_step > 0
    for name in ("keep_tokens", "keep_tokens_separator"):
        if getattr(dataset, name) != getattr(plain, name) and not in_tags:
            problems.append(
                f"dataset.{name}={show(getattr(dataset, name))}: without effect. It goes with {_TAGS}."
            )
    if dataset.caption_separator != plain.caption_separator and not (in_tags or dataset.secondary_separator):
        problems.append(
            f"dataset.caption_separator={dataset.caption_separator}: without effect. It goes with {_TAGS}, "
            "or secondary_separator."
        )
    if dataset.token_warmup_min != plain.token_warmup_min and dataset.token_warmup_step == 0:
        problems.append(
            f"dataset.token_warmup_min={dataset.token_warmup_min}: without effect. "
            "It goes with dataset.token_warmup_step."
        )
    if dataset.token_warmup_step >= 1 and not float(dataset.token_warmup_step).is_integer():
        problems.append(
            f"dataset.token_warmup_step={dataset.token_warmup_step:g}: from 1 on it counts steps. "
            "Give a whole number, or a share below 1."
        )
    return problems
