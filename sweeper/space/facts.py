"""A search space as JSON, and the difference between two of them in words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sweeper.space.grammar import grammar_of
from sweeper.space.names import parameter_names
from sweeper.space.overrides import overrides_of, text_of
from sweeper.study.records import Dimension


def space_facts(
    dimensions: Sequence[Dimension], fixed: Mapping[str, object], start: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    """What study.json keeps of a space."""
    return {
        "dimensions": [asdict(dimension) for dimension in dimensions],
        "fixed": {key: text_of(value) for key, value in fixed.items()},
        "start": [overrides_of(settings) for settings in start],
    }


def dimensions_of(facts: Mapping[str, object]) -> tuple[Dimension, ...]:
    """The dimensions that were kept, also after a way through JSON."""
    rows = facts["dimensions"]
    assert isinstance(rows, list), "space_facts wrote a list"
    return tuple(Dimension(**{**row, "choices": row["choices"] and tuple(row["choices"])}) for row in rows)


def differences(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    """One line for each thing that is another: `network.rank: choice(4, 8) -> choice(4, 8, 16)`."""
    lines = _changed(_searched(old), _searched(new))
    lines += _changed(_texts(old["fixed"]), _texts(new["fixed"]))
    if old["start"] != new["start"]:
        lines.append(f"start: {_start(old['start'])} -> {_start(new['start'])}")
    return lines


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    lines = []
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            lines.append(f"{name}: gone")
        elif name not in old:
            lines.append(f"{name}: new")
        elif old[name] != new[name]:
            lines.append(f"{name}: {old[name]} -> {new[name]}")
    return lines


def _searched(facts: Mapping[str, object]) -> dict[str, str]:
    """Grammar by key; a key that several conditions bring into being stands under each of them."""
    dimensions = dimensions_of(facts)
    keys = [dimension.key for dimension in dimensions]
    found = {}
    for dimension in dimensions:
        when = f" when {dimension.when}" if dimension.when else ""
        several = keys.count(dimension.key) > 1
        name, rest = (dimension.key + when, "") if several else (dimension.key, when)
        found[name] = grammar_of(dimension) + rest
    return found


def _texts(facts: object) -> dict[str, str]:
    assert isinstance(facts, Mapping), "space_facts wrote a mapping"
    return {key: f"{text}, not searched" for key, text in facts.items()}


def _start(rows: object) -> str:
    assert isinstance(rows, list), "space_facts wrote a list"
    return "; ".join(" ".join(row) or "the defaults" for row in rows) or "nothing"


def cannot_extend(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    """A sentence for each parameter that is too different for one study: Optuna fixes choices and scale."""
    before = dict(_named(dimensions_of(old)))
    lines = []
    for name, dimension in _named(dimensions_of(new)):
        if name in before and _kind(before[name]) != _kind(dimension):
            was, now = grammar_of(before[name]), grammar_of(dimension)
            lines.append(
                f"{dimension.key}: {was} -> {now}: one study can't hold both. "
                "Only the ends of intervals can be extended; take hydra.sweeper.on_change=fork."
            )
    return lines


def _named(dimensions: tuple[Dimension, ...]) -> list[tuple[str, Dimension]]:
    return list(zip(parameter_names(dimensions), dimensions, strict=True))


def _kind(dimension: Dimension) -> tuple[object, ...]:
    choices = dimension.choices and tuple(text_of(value) for value in dimension.choices)
    return (choices, dimension.log, dimension.integer)
