"""Which keys can be searched, and which values their types take."""

from collections.abc import Iterator, Mapping, Sequence

from engine.compose.options import FREE_FORM, Option, did_you_mean, find_option, is_section, type_problem
from engine.compose.register import NETWORKS
from engine.compose.sweep_options import GROUPS, WHOLE_CONFIG
from sweeper.space.conditions import Condition
from sweeper.space.overrides import shown

Groups = Mapping[str, Sequence[str]]  # name of a config group -> its choices

_OF_THE_SWEEP = (*GROUPS, "sweep", "hydra")


def bare_key(key: str) -> str:
    """A key without Hydra's plus signs: train.py puts in those that Hydra needs."""
    return key.strip().lstrip("+")


def key_problem(key: str, groups: Groups) -> str | None:
    """The sentence that refuses a key that can't be searched, or None."""
    if key.startswith("~"):
        return f"{key}: an option can't be removed. Search its values instead."
    if "@" in key:
        return f"{key}: a package can't be searched. Give the group or the option alone."
    if key.split(".")[0].split("/")[0] in _OF_THE_SWEEP:
        return f"{key}: an option of the sweep, not of a run. Leave it out of the search space."
    if key in groups:
        return None
    option = _option(key, groups)
    if isinstance(option, str):
        return option
    if is_section(option):
        return f"{key}: this is a group of options. Name one of them: {key}.option."
    if option.path == key == FREE_FORM:
        return f"{key}: this is a group of options. Name one of them: {key}.d_coef."
    return None


def value_problems(key: str, values: Sequence[object], groups: Groups) -> Iterator[str]:
    """A sentence for each value that the key does not take; the key itself is known."""
    if key in groups:
        for value in values:
            if value not in groups[key] and not (value is None and key in WHOLE_CONFIG):
                yield f"{key}={shown(value)}: unknown choice{did_you_mean(shown(value), groups[key])}"
        return
    option = _option(key, groups)
    assert not isinstance(option, str), "the key is known"
    for value in values:
        problem = type_problem(option, value)
        if problem:
            yield problem


def is_whole(key: str, groups: Groups) -> bool:
    """Whether the key takes whole numbers only: 4.5 would be refused by its type."""
    option = None if key in groups else _option(key, groups)
    if not isinstance(option, Option) or option.path == FREE_FORM:
        return False
    return type_problem(option, 4.5) is not None and type_problem(option, 4) is None


def condition_problem(condition: Condition, groups: Groups) -> str | None:
    """The sentence that refuses a condition on something that is not there, or None."""
    key, title = condition.key, f"when '{condition}'"
    if key in WHOLE_CONFIG:
        return f"{title}: a condition on {key} can't be told. Name an option that it sets."
    if key in groups:
        strange = next((value for value in condition.values if value not in groups[key]), None)
        return strange and f"{title}: {key} has no choice {strange}{did_you_mean(strange, groups[key])}"
    option = _option(key, groups)
    if isinstance(option, str):
        return f"{title}: {option}"
    if is_section(option):
        return f"{title}: {key} is a group of options. Name one of them: {key}.option=value."
    if option.path == FREE_FORM:
        return None
    problems = (type_problem(option, _typed(value)) for value in condition.values)
    problem = next((problem for problem in problems if problem), None)
    return problem and f"{title}: {problem}"


def _option(key: str, groups: Groups) -> Option | str:
    """The option under the schema of any network, or the sentence of the first one."""
    found = [find_option(key, network, groups=list(groups)) for network in NETWORKS.values()]
    return next((option for option in found if isinstance(option, Option)), found[0])


def _typed(text: str) -> object:
    return None if text == "null" else text
