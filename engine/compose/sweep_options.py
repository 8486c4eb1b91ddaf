"""Options of hydra.sweeper and values that are searched: checked before Hydra composes them."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import IntervalSweep, Override, QuotedString, ValueType
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine.compose.options import Option, describe, did_you_mean, type_problem
from engine.compose.show import show

SECTION = "hydra.sweeper"
GROUPS = {"sampler": f"{SECTION}.sampler.", "pruner": f"{SECTION}.pruner."}  # groups that are parts of it
WHOLE_CONFIG = ("experiment", "sweep")  # groups whose files hold options of the whole config
BY_NAME = ("objectives", "constraints")  # mappings of metrics, which a command line adds to
SPACE = ("params", "when")  # what is searched, as a file of conf/sweep/ states it
_NODE = ("hydra/sweeper", "diffusion.yaml")  # where the plugin registers its type


def sweeper_schema() -> type | None:
    """The dataclass behind hydra.sweeper; None until Hydra has loaded its plugins."""
    group, name = _NODE
    try:
        node = ConfigStore.instance().load(f"{group}/{name}").node
    except OSError:
        return None
    found = OmegaConf.get_type(node)
    return found if is_dataclass(found) and isinstance(found, type) else None


def sweeper_problems(path: str, value: object) -> Iterator[str]:
    """A sentence for each part of an option of hydra.sweeper that it does not have, or of another type.

    path   below hydra.sweeper: "budget.trials", or "" for all of it
    value  as YAML or the command line gives it
    """
    owner: Any = sweeper_schema()
    assert owner is not None, "Hydra's plugins are loaded"
    walked: list[str] = []
    for name in path.split(".") if path else []:
        if not is_dataclass(owner) and walked[0] in BY_NAME:
            return  # objectives.likeness: names are checked when the sweep is planned
        if not is_dataclass(owner):
            yield f"{SECTION}.{path}: {'.'.join(walked)} is given as a whole; type the key itself."
            return
        problem = _unknown(owner, name, walked)
        if problem:
            yield problem
            return
        walked.append(name)
        owner = _part(owner, name)
    if is_dataclass(owner) and isinstance(value, Mapping):
        for name, inner in value.items():
            yield from sweeper_problems(".".join([*walked, str(name)]), inner)
    elif walked:
        yield from _wrong_value(walked, value)


def misplaced(key: str) -> str | None:
    """The sentence for sampler.seed, an option of the sweep that is typed as one of a run; None of others."""
    group, dot, name = key.partition(".")
    return f"{key}: an option of the sweep. Write {GROUPS[group]}{name}." if dot and group in GROUPS else None


def searched_problem(option: Option, override: Override) -> str | None:
    """What is wrong with the values of an option that is searched; None: nothing that its type tells."""
    for value in searched_values(override):
        problem = type_problem(option, value)
        if problem:
            return problem
    return None


def searched_values(override: Override) -> list[object]:
    """The choices of a sweep, both ends of an interval, the one value of anything else; none of a glob."""
    if not override.is_sweep_override():
        return [override.value()]
    if override.is_interval_sweep():
        sweep = override.value()
        assert isinstance(sweep, IntervalSweep)
        return [_whole(sweep.start), _whole(sweep.end)]
    if override.value_type is ValueType.GLOB_CHOICE_SWEEP:
        return []
    return list(override.sweep_iterator(transformer=_plain_value))


def _whole(end: float | None) -> object:
    """Hydra reads the ends of an interval as floats, those of whole numbers too."""
    return int(end) if isinstance(end, float) and end.is_integer() else end


def _plain_value(value: Any) -> Any:
    return value.text if isinstance(value, QuotedString) else value


def _unknown(owner: Any, name: str, walked: list[str]) -> str | None:
    own = [field.name for field in fields(owner) if not field.name.startswith("_")]
    if name in own:
        return None
    title = ".".join([SECTION, *walked, name])
    return f"{title}: unknown option of a sweep{did_you_mean(name, own)}"


def _part(owner: Any, name: str) -> Any:
    hint = get_type_hints(owner)[name]
    inner = [part for part in getattr(hint, "__args__", ()) if is_dataclass(part)]
    return inner[0] if inner else hint


def _wrong_value(walked: list[str], value: object) -> Iterator[str]:
    if "${" in str(value):
        return
    owner: Any = sweeper_schema()
    for name in walked[:-1]:
        owner = _part(owner, name)
    hint = get_type_hints(owner)[walked[-1]]
    try:
        OmegaConf.update(OmegaConf.structured(owner), walked[-1], value, merge=False)
    except OmegaConfBaseException:
        yield f"{SECTION}.{'.'.join(walked)}={show(value)}: not {describe(hint)}."
