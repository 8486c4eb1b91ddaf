"""run.yaml: what a run was made of, so that the same command can tell whether it still is the same run."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml  # type: ignore[import-untyped, unused-ignore]
from omegaconf import OmegaConf

from engine.compose.run_id import plain_values, run_id
from engine.config import ConfigError, RunConfig
from engine.config.sources import Sources

FILE_NAME = "run.yaml"
_SCHEMA = 1
_INPUTS = {"data": "the pictures, captions or masks of", "base": "the weights of", "init": "the LoRA file"}
_ENCODERS = ("encoder", "image_encoder", "preference")  # folders or hub ids
_FILES = ("pictures", "prompts", "manifest", "aesthetic")  # the entries of Sources that are paths


@dataclass(kw_only=True, slots=True, frozen=True)
class RunRecord:
    """What run.yaml holds."""

    run_id: str
    config: dict[str, object]  # every option, resolved
    sources: Sources  # absolute paths, so that the run can be scored from anywhere
    fingerprints: dict[str, str]  # "data" and "base" -> sha256
    threads: int
    device: str


def make_record(
    run: RunConfig, sources: Sources, *, fingerprints: Mapping[str, str], threads: int, device: str
) -> RunRecord:
    """The record of a run that is about to start."""
    return RunRecord(
        run_id=run_id(run),
        config=plain_values(run),
        sources=sources,
        fingerprints=dict(fingerprints),
        threads=threads,
        device=device,
    )


def write_run_yaml(folder: Path, record: RunRecord) -> Path:
    """Write folder/run.yaml, whole or not at all."""
    content = {"schema": _SCHEMA, **asdict(record), "sources": _plain(record.sources)}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
    path = folder / FILE_NAME
    with tempfile.NamedTemporaryFile("w", dir=folder, encoding="utf-8", delete=False) as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    Path(stream.name).chmod(0o644)
    Path(stream.name).replace(path)
    return path


def read_run_yaml(folder: Path) -> RunRecord:
    """The record of a run folder; raises ConfigError where there is none, or one that can't be read."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise ConfigError(f"{path}: no such file. Give the folder of a run.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if content["schema"] != _SCHEMA:
            raise ConfigError(f"{path}: of another version (schema {content['schema']}). Run it again.")
        fields = {key: content[key] for key in RunRecord.__dataclass_fields__ if key != "sources"}
        files = {key: Path(value) for key, value in content["sources"].items() if key in _FILES and value}
        return RunRecord(sources=Sources(**{**content["sources"], **files}), **fields)
    except (KeyError, TypeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not the record of a run ({error}). Remove its folder.") from error


def run_from_record(record: RunRecord) -> RunConfig:
    """The typed run that a record holds.

    Raises ConfigError where an option of it is no longer known.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(RunConfig), record.config)
        run = OmegaConf.to_object(merged)
    except Exception as error:
        raise ConfigError(f"run {record.run_id}: {str(error).splitlines()[0]}. Run it again.") from error
    assert isinstance(run, RunConfig), "the root schema is RunConfig"
    return run


def changed_inputs(folder: Path, fingerprints: Mapping[str, str]) -> dict[str, str]:
    """What has another fingerprint than when the run in `folder` started; {} where there is no run yet.

    Sentences by the key of their fingerprint; a run goes on only if there are none, or with force=true.
    """
    if not (folder / FILE_NAME).is_file():
        return {}
    record = read_run_yaml(folder)
    places = {
        "data": str(record.sources.pictures),
        "base": _checkpoint(record.config),
        "init": _init(record.config),
    }
    return {
        key: f"{words} {places[key]} changed since {folder.name} was started "
        f"({record.fingerprints[key][:8]} -> {fingerprints[key][:8]})"
        for key, words in _INPUTS.items()
        if key in record.fingerprints
        and key in fingerprints
        and record.fingerprints[key] != fingerprints[key]
    }


def _checkpoint(config: Mapping[str, object]) -> str:
    model = config.get("model")
    return str(model.get("checkpoint")) if isinstance(model, Mapping) else "the base model"


def _init(config: Mapping[str, object]) -> str:
    network = config.get("network")
    return str(network.get("init_from")) if isinstance(network, Mapping) else ""


def _plain(sources: Sources) -> dict[str, object]:
    plain: dict[str, object] = {
        key: str(Path(value).absolute()) if key in _FILES and value is not None else value
        for key, value in asdict(sources).items()
    }
    for key in _ENCODERS:
        name = plain[key]
        if isinstance(name, str) and Path(name).exists():  # else a hub id
            plain[key] = str(Path(name).absolute())
    return plain
