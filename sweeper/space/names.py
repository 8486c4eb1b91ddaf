"""What the parameters of a study are called in Optuna."""

from collections.abc import Sequence

from sweeper.study.records import Dimension


def parameter_names(dimensions: Sequence[Dimension]) -> list[str]:
    """One name a dimension: its key, and its condition behind it where an earlier one has the key."""
    names: list[str] = []
    for dimension in dimensions:
        names.append(f"{dimension.key}@{dimension.when}" if dimension.key in names else dimension.key)
    return names
