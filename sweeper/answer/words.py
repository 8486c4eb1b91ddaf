"""Numbers, differences and counts as a sentence says them."""

from collections.abc import Mapping, Sequence
from math import floor, log10

from sweeper.answer.names import settings_words
from sweeper.answer.records import ConfirmedDifference, Importances, Verdict

_FEW_KEYS = 3  # so many are all named; of more only those that differ from the defaults
_LABELS = {
    "optimizer.lr": "the learning rate",
    "optimizer": "the optimizer",
    "network": "the kind of network",
    "network.rank": "the rank",
    "network.alpha": "alpha",
    "network.alpha_ratio": "the alpha ratio",
    "noise.offset": "the noise offset",
}


def number_words(value: float, spread: float | None = None, *, is_signed: bool = False) -> str:
    """0.170 ± 0.020: three decimals, more where they would hide a small value."""
    size = max(abs(value), spread or 0.0)
    decimals = 3 if size == 0 or size >= 0.01 else 2 - floor(log10(size))
    text = f"{value:+.{decimals}f}" if is_signed else f"{value:.{decimals}f}"
    return text if spread is None else f"{text} ± {spread:.{decimals}f}"


def change_words(name: str, difference: ConfirmedDifference) -> str:
    """likeness +0.010 ± 0.030."""
    return f"{name} {number_words(difference.value, difference.half_width, is_signed=True)}"


def verdict_words(name: str, difference: ConfirmedDifference) -> str:
    """likeness +0.010 ± 0.030 over 3 seeds: within the noise."""
    said = (
        "a single seed has no interval" if difference.verdict is Verdict.unknown else difference.verdict.value
    )
    return f"{change_words(name, difference)} over {seeds_words(difference.num_seeds)}: {said}"


def seeds_words(count: int) -> str:
    """3 seeds."""
    return f"{count} seed{'s' * (count != 1)}"


def trials_words(count: int) -> str:
    """18 trials."""
    return f"{count} trial{'s' * (count != 1)}"


def runs_words(count: int) -> str:
    """3 confirmation runs."""
    return f"{count} confirmation run{'s' * (count != 1)}"


def counts_words(counts: Mapping[str, int]) -> str:
    """3 diverged, 2 failed."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)


def seconds_words(seconds: float) -> str:
    """40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def listed(parts: Sequence[str]) -> str:
    """a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def told_apart(
    params: Mapping[str, object], defaults: Mapping[str, object], names: Mapping[str, str]
) -> tuple[str, str]:
    """The settings and the defaults in words: of many keys only those that differ."""
    keys = list(params)
    if len(keys) > _FEW_KEYS:
        keys = [key for key in keys if params[key] != defaults.get(key)] or keys
    own = settings_words({key: params[key] for key in keys}, names)
    return own, settings_words({key: defaults[key] for key in keys if key in defaults}, names)


def importance_words(importances: Importances, names: Mapping[str, str]) -> str:
    """', mostly the learning rate (61 %)'; '' where nothing is known."""
    shares = [(key, share) for key, share in importances.shares.items() if share >= 0.005]
    if not shares:
        return ""
    parts = [f"{_LABELS.get(key, names.get(key, key))} ({100 * share:.0f} %)" for key, share in shares[:2]]
    return f", mostly {parts[0]}" if shares[0][1] >= 0.5 else f", above all {listed(parts)}"
