"""`key=a|b`: the condition under which a dimension of a search space exists."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.config import ConfigError
from sweeper.space.overrides import shown


@dataclass(kw_only=True, slots=True, frozen=True)
class Condition:
    """One entry of `when`, taken apart."""

    key: str  # optimizer, model.prediction
    values: tuple[str, ...]  # any of them, as texts

    def holds(self, value: object) -> bool:
        """Whether a setting, or a composed value as text, is one of the values."""
        return any(same(value, own) for own in self.values)

    def excludes(self, other: "Condition") -> bool:
        """Whether both can never hold together, whatever is composed."""
        return self.key == other.key and not any(other.holds(value) for value in self.values)

    def __str__(self) -> str:
        return f"{self.key}={'|'.join(self.values)}"


def read_condition(text: str) -> Condition:
    """`optimizer=adamw|prodigy`; ConfigError where the form is another."""
    key, sign, rest = text.partition("=")
    values = [value.strip() for value in rest.split("|")]
    key = key.strip().lstrip("+")
    if not sign or not key or not all(values) or key.startswith("~"):
        raise ConfigError(f"when '{text}': not a condition. Write key=value, or key=a|b for either of two.")
    return Condition(key=key, values=tuple(dict.fromkeys(values)))


def same(left: object, right: object) -> bool:
    """Whether two values are one once they are texts: 1e-3 and 0.001, True and true, [a,b] and ['a', 'b']."""
    first, second = _plain(left), _plain(right)
    if first == second:
        return True
    try:
        return float(first) == float(second)
    except ValueError:
        return False


def one_of(value: object, choices: Sequence[object]) -> int | None:
    """The place of a value, or of its text, among choices; None where it is none of them."""
    for place, choice in enumerate(choices):
        if type(choice) is type(value) and choice == value:
            return place
    return next((place for place, choice in enumerate(choices) if same(choice, value)), None)


def _plain(value: object) -> str:
    text = shown(value).strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    if text in ("None", "null"):
        return "null"
    if text.startswith("["):
        return text.replace(" ", "").replace("'", "").replace('"', "")
    return text
