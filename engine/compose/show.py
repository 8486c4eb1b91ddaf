"""How a value of the config is written in a message: as the command line takes it."""

from enum import Enum


def show(value: object) -> str:
    """null, true, [1, 2], sks: the way that Hydra's command line writes the value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, list | tuple):
        return f"[{','.join(show(entry) for entry in value)}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{show(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
