"""The command line of python -m evaluation: Hydra-style key=value, checked before anything is loaded."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.compose.record import read_run_yaml
from engine.config.errors import ConfigError
from engine.config.sources import Sources
from evaluation.metrics.table import METRICS

KEYS = {
    "run": "the folder of a run",
    "encoder": "a CLIP as a folder or hub id, in place of the run's",
    "references": "a manifest of true pictures, in place of the run's",
    "cache_dir": "where embeddings are kept, in place of the run's",
    "device": "auto, cpu, cuda, cuda:1, mps",
    "metrics": "names with commas between, whose absence makes the command fail",
}
USAGE = "python -m evaluation run=RUN_DIR [key=value ...]\n" + "\n".join(
    f"  {key:<11}{text}" for key, text in KEYS.items()
)

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(kw_only=True, slots=True, frozen=True)
class Arguments:
    """What the command line asks for."""

    run: Path
    encoder: str | None = None
    references: Path | None = None
    cache_dir: Path | None = None
    device: str = "auto"
    metrics: tuple[str, ...] | None = None  # None: those whose needs are named


def parse_arguments(words: Sequence[str]) -> Arguments:
    """The arguments. ConfigError with all problems: unknown or doubled keys, no run, unknown metrics."""
    given: dict[str, str] = {}
    problems: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            problems.append(f"{word}: not of the form key=value. Did you mean run={word}?")
        elif key not in KEYS:
            problems.append(_unknown(key, tuple(KEYS), "option"))
        elif key in given:
            problems.append(f"{key}: given twice. Give it once.")
        elif not value:
            problems.append(f"{key}=: has no value. {key} is {KEYS[key]}.")
        else:
            given[key] = value
    problems += [
        _unknown(name, tuple(METRICS), "metric")
        for name in _names(given.get("metrics"))
        if name not in METRICS
    ]
    if "run" not in given and not problems:
        problems.append(f"run: missing. Usage: {USAGE}")
    if "run" in given and not Path(given["run"]).is_dir():
        problems.append(
            f"run={given['run']}: no such folder. Give the folder of a run, outputs/<name>-<run_id>."
        )
    if not _DEVICE.fullmatch(given.get("device", "auto")):
        problems.append(f"device={given['device']}: not a device. Use auto, cpu, cuda, cuda:1 or mps.")
    if problems:
        raise ConfigError(problems)
    return Arguments(
        run=Path(given["run"]),
        encoder=given.get("encoder"),
        references=Path(given["references"]) if "references" in given else None,
        cache_dir=Path(given["cache_dir"]) if "cache_dir" in given else None,
        device=given.get("device", "auto"),
        metrics=tuple(_names(given["metrics"])) if "metrics" in given else None,
    )


def sources_of(arguments: Arguments) -> tuple[Sources, Path]:
    """The sources that run.yaml recorded, changed as the command line says, and the cache folder.

    ConfigError: no run.yaml, or one that cannot be read.
    """
    record = read_run_yaml(arguments.run)
    sources = replace(
        record.sources,
        encoder=arguments.encoder or record.sources.encoder,
        manifest=arguments.references or record.sources.manifest,
    )
    return sources, arguments.cache_dir or Path(str(record.config["cache_dir"]))


def asked_for(arguments: Arguments, sources: Sources) -> tuple[str, ...]:
    """The metrics that must not be skipped: as given, or all whose needs were named."""
    if arguments.metrics is not None:
        return arguments.metrics
    return tuple(
        metric.name
        for metric in METRICS.values()
        if (metric.encoder is None or sources.encoder is not None)
        and (not metric.needs or sources.manifest is not None)
    )


def _names(value: str | None) -> list[str]:
    return [name.strip() for name in (value or "").strip("[]").split(",") if name.strip()]


def _unknown(name: str, known: Sequence[str], kind: str) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"{name}: unknown {kind} ({hint})"
