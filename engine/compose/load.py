"""From Hydra's config to the typed run."""

from collections.abc import Iterable, Iterator

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from engine.compose.show import show
from engine.config import ConfigError, RunConfig


def load(config: DictConfig) -> RunConfig:
    """The run that a composed config means.

    Raises ConfigError with one line for each value whose ${...} leads nowhere or to a wrong type.
    """
    problems = list(_unresolved(config, ""))
    if problems:
        raise ConfigError(problems)
    run = OmegaConf.to_object(config)
    assert isinstance(run, RunConfig), "the root schema is /schema/run"
    return run


def _unresolved(node: DictConfig | ListConfig, prefix: str) -> Iterator[str]:
    written = OmegaConf.to_container(node)
    rows: Iterable[tuple[object, object]]
    rows = written.items() if isinstance(written, dict) else enumerate(written or [])
    for key, text in rows:
        path = prefix + str(key)
        try:
            value = node[key]  # type: ignore[index]
        except OmegaConfBaseException as error:
            yield f"{path}={show(text)}: {_reason(error)}"
            continue
        if isinstance(value, DictConfig | ListConfig):
            yield from _unresolved(value, f"{path}.")


def _reason(error: OmegaConfBaseException) -> str:
    """Why an interpolation failed, without OmegaConf's several lines."""
    first = str(error).splitlines()[0]
    if "Interpolation key" in first:
        return f"there is no option {first.split(chr(39))[1]}. Correct the name between ${{ and }}."
    if "Unsupported interpolation type" in first:
        return f"there is no function {first.rsplit(' ', 1)[-1]}. Correct the name between ${{ and }}."
    if "???" in first or "Missing" in first:
        return "it has no value. Give one."
    return "what it refers to does not fit this option. Give a value."
