"""Settings in words: short names of keys, and values as a person writes them."""

from collections.abc import Mapping, Sequence


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """key -> its shortest ending that no other key of these shares: network.rank -> rank."""
    return {key: _shortest(key, [other for other in keys if other != key]) for key in keys}


def show_value(value: object) -> str:
    """A setting's value: 3e-3 for small numbers, no more digits than tell trials apart."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(show_value(entry) for entry in value)}]"
    return str(value)


def settings_words(params: Mapping[str, object], names: Mapping[str, str]) -> str:
    """'rank 16, lr 3e-3'; 'the defaults' where nothing was searched."""
    return ", ".join(f"{names.get(key, key)} {show_value(value)}" for key, value in params.items()) or (
        "the defaults"
    )


def _shortest(key: str, others: Sequence[str]) -> str:
    parts = key.split(".")
    for count in range(1, len(parts)):
        ending = ".".join(parts[-count:])
        if not any(other == ending or other.endswith(f".{ending}") for other in others):
            return ending
    return key


def _number(value: float) -> str:
    """Three digits that count; below 0.01 and from a million on as 3e-3."""
    if value == 0:
        return "0"
    if 0.01 <= abs(value) < 1e6:
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    digits, _, power = f"{value:.2e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
