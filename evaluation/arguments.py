"""The command line of python -m evaluation: Hydra-style key=value, checked before anything is loaded."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from engine.config.errors import ConfigError
from engine.config.sources import Sources
from evaluation.metrics.table import METRICS

KEYS = {
    "run": "the folder of a run",
    "encoder": "a CLIP as a folder or hub id, in place of the run's",
    "references": "a manifest of true pictures, in place of the run's",
    "cache_dir": "where embeddings are kept, in place of the run's",
    "device": "auto, cpu, cuda, cuda:1 ...",
    "metrics": "names with commas between, whose absence makes the command fail",
}
USAGE = "python -m evaluation run=RUN_DIR [key=value ...]\n" + "\n".join(
    f"  {key:<11}{text}" for key, text in KEYS.items()
)


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


def sources_of(arguments: Arguments) -> tuple[Sources, Path | None]:
    """The sources that run.yaml recorded, changed as the command line says, and the cache folder."""
    sources, cache_dir = _recorded(arguments.run)
    return (
        replace(
            sources,
            encoder=arguments.encoder or sources.encoder,
            manifest=arguments.references or sources.manifest,
        ),
        arguments.cache_dir or cache_dir,
    )


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


def _recorded(run: Path) -> tuple[Sources, Path | None]:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError  # type: ignore[import-untyped, unused-ignore]

    path = run / "run.yaml"
    if not path.is_file():
        raise ConfigError(f"run={run}: holds no run.yaml. Give the folder of a run, outputs/<name>-<run_id>.")
    try:
        record = cast("dict[str, object]", OmegaConf.to_container(OmegaConf.load(path)))
        sources = cast("dict[str, str | None]", record["sources"])
        config = cast("dict[str, object]", record.get("config", record))
        recorded = Sources(
            pictures=Path(sources["pictures"] or run),
            trigger=sources.get("trigger"),
            class_word=sources.get("class_word"),
            prompts=_path(sources.get("prompts")),
            manifest=_path(sources.get("manifest")),
            encoder=sources.get("encoder"),
        )
    except (OSError, KeyError, TypeError, AttributeError, YAMLError, OmegaConfBaseException) as error:
        raise ConfigError(f"{path}: cannot be read ({error}). Repeat the run with force=true.") from error
    return recorded, _path(cast("str | None", config.get("cache_dir")))


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value)


def _names(value: str | None) -> list[str]:
    return [name.strip() for name in (value or "").strip("[]").split(",") if name.strip()]


def _unknown(name: str, known: Sequence[str], kind: str) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"{name}: unknown {kind} ({hint})"
