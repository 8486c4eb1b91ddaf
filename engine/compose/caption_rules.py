"""Rules on what is done to captions: no option without effect, none that a kept embedding would hide."""

from engine.compose.show import show
from engine.config import RunConfig, SubsetConfig, is_dataset_file
from engine.data.caption_changes import idle_options, varies

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
    problems = [
        f"dataset.{name}={show(getattr(dataset, name))}: without effect. It goes with dataset.{goes_with}."
        for name, goes_with in idle_options(dataset).items()
        if name != "validation_seed"  # told of where it was typed
    ]
    if dataset.token_warmup_step >= 1 and not float(dataset.token_warmup_step).is_integer():
        problems.append(
            f"dataset.token_warmup_step={dataset.token_warmup_step:g}: from 1 on it counts steps. "
            "Give a whole number, or a share below 1."
        )
    return problems
