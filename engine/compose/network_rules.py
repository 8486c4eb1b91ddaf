"""What must hold between a network's options, before the layers of its model are known."""

import re
from collections.abc import Sequence

from engine.compose.show import show
from engine.config import LoRAConfig, RunConfig
from engine.models.facts import FAMILIES
from engine.models.layer_words import AREAS, split_number
from engine.optimizers.table import adapts_lr

_ONE_RATE = (0.0, 1.0)  # factors that leave one learning rate: left out, and as it is


def network_rule(run: RunConfig) -> list[str]:
    """Layers are named once and in words that can be read; a LoRA's strength is given in one way."""
    network, problems = run.network, []
    if not network.layers:
        problems.append("network.layers=[]: nothing to train. Name at least one group, such as attention.")
    if len(set(network.layers)) < len(network.layers):
        problems.append(f"network.layers={show(network.layers)}: a group is named twice. Name each once.")
    if isinstance(network, LoRAConfig) and network.alpha is not None and network.alpha_ratio is not None:
        problems.append(
            f"network.alpha={show(network.alpha)} with network.alpha_ratio={show(network.alpha_ratio)}: "
            "two ways to say one thing. Give one of them."
        )
    return problems


def layer_words_rule(run: RunConfig) -> list[str]:
    """Areas and patterns can be read, and each of them has the number that it needs."""
    network, problems = run.network, []
    for option, words in (("include", network.include), ("exclude", network.exclude)):
        problems += _word_problems(run, option, words, words)
        if len(set(words)) < len(words):
            problems.append(f"network.{option}={show(words)}: a word is given twice. Give each once.")
    if not isinstance(network, LoRAConfig):
        return problems
    for option, entries in (("ranks", network.ranks), ("learning_rates", network.learning_rates)):
        read = {entry: split_number(entry) for entry in entries}
        problems += [
            f"network.{option}=[{entry}]: no number after a colon. Write it as {_example(run, option)}."
            for entry, found in read.items()
            if found is None
        ]
        known = {entry: found for entry, found in read.items() if found is not None}
        problems += _word_problems(run, option, list(known), [word for word, _ in known.values()])
        problems += [
            f"network.{option}=[{entry}]: {_wants(option)}."
            for entry, (_, number) in known.items()
            if not _is_right(option, number)
        ]
    return problems + _rate_problems(run, network)


def _word_problems(run: RunConfig, option: str, entries: Sequence[str], words: Sequence[str]) -> list[str]:
    """Words that mean nothing in any model: empty ones, and patterns that are no regular expressions."""
    family, problems = run.model.family, []
    groups = ", ".join(group.name for group, _ in FAMILIES[family].layer_groups)
    for entry, word in zip(entries, words, strict=True):
        if not word.strip():
            problems.append(
                f"network.{option}=[{entry}]: names no layers. Give an area ({', '.join(AREAS[family])}), "
                f"a group ({groups}) or a regular expression."
            )
            continue
        try:
            re.compile(word)
        except re.error as error:
            problems.append(f"network.{option}=[{entry}]: not a regular expression ({error}). Correct it.")
    return problems


def _is_right(option: str, number: float) -> bool:
    if option == "ranks":
        return number >= 1 and number == int(number) if abs(number) < float("inf") else False
    return 0 <= number < float("inf")


def _wants(option: str) -> str:
    if option == "ranks":
        return "not a rank. Give a whole number from 1 on"
    return "not a factor on the learning rate. Give 0, which leaves the layers out, or more"


def _rate_problems(run: RunConfig, network: LoRAConfig) -> list[str]:
    """An optimizer that finds its own step size finds one for all weights."""
    factors = {found[1] for found in map(split_number, network.learning_rates) if found is not None}
    path = run.optimizer.class_path
    if not adapts_lr(path) or factors <= set(_ONE_RATE):
        return []
    return [
        f"network.learning_rates={show(network.learning_rates)}: {path} finds one step size for all weights "
        "and takes one learning rate. Set optimizer=adamw, or give only factors of 0, which leave layers out."
    ]


def _example(run: RunConfig, option: str) -> str:
    area = next(iter(AREAS[run.model.family]))
    return f"network.{option}=[{area}:{8 if option == 'ranks' else 0.5}]"
