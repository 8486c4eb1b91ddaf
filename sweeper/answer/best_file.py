"""The winner as files: a config that is composed like any experiment, and its LoRA file beside it."""

import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.answer.answer import winner_of
from sweeper.answer.records import Answer
from sweeper.study.records import StudyRecord, TrialRecord

_GROUP_OF_WHOLE_RUNS = "experiment"
_NOT_OF_THE_RUN = ("hydra", "sweep", "sampler", "pruner")  # they say how to search, not what to train


@dataclass(kw_only=True, slots=True, frozen=True)
class BestFiles:
    """What was written, and the line that uses it."""

    best: Path  # <study folder>/best.yaml
    experiment: Path  # the same where Hydra finds it: <study folder>/conf/experiment/<study>-best.yaml
    command: str  # python train.py --config-dir=... experiment=...


def write_best(record: StudyRecord, answer: Answer, groups: Sequence[str]) -> BestFiles | None:
    """Write best.yaml; None, and nothing written, where the study has no winner.

    groups  the config groups of conf/: the options that pick a file
    Your own conf/ is left alone: copy best.yaml to conf/experiment/<study>-best.yaml to use it without
    --config-dir.
    """
    trial = winner_of(record, answer)
    if trial is None:
        return None
    files = best_files(record)
    comments = _comments(record, answer, trial, files.experiment.stem)
    head = ("# @package _global_", f"# {files.command}", *comments)
    text = "\n".join((*head, best_yaml(_overrides(record, trial), groups)))
    for path in (files.best, files.experiment):
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, text)
    return files


def best_files(record: StudyRecord) -> BestFiles:
    """Where the files of the winner lie once they are written."""
    name, folder = f"{_plain(record.name)}-best", record.folder
    place = shlex.quote(f"--config-dir={_near(folder / 'conf')}")
    return BestFiles(
        best=folder / "best.yaml",
        experiment=folder / "conf" / _GROUP_OF_WHOLE_RUNS / f"{name}.yaml",
        command=f"python train.py {place} experiment={name}",
    )


def best_yaml(overrides: Sequence[str], groups: Sequence[str]) -> str:
    """Overrides of a command line as the body of an experiment file."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    picks: list[object] = []
    values: dict[str, object] = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key, value = override.key_or_group, override.value()
        if key.split(".")[0] in _NOT_OF_THE_RUN:
            continue
        if key == _GROUP_OF_WHOLE_RUNS:
            picks.insert(0, value)  # its options come first, ours win over them
        elif key in groups:
            picks.append({f"override /{key}": value})
        else:
            _put(values, key.split("."), value)
    return OmegaConf.to_yaml(OmegaConf.create({"defaults": [*picks, "_self_"], **values}))


def copy_winner(record: StudyRecord, answer: Answer) -> Path | None:
    """Copy the winner's LoRA file to <study>-best.safetensors; None where there is none to copy."""
    if answer.weights is None or not answer.weights.is_file():
        return None
    target = record.folder / f"{record.name}-best.safetensors"
    part = target.with_name(f"{target.name}.part")
    shutil.copyfile(answer.weights, part)
    part.replace(target)
    return target


def _overrides(record: StudyRecord, trial: TrialRecord) -> list[str]:
    """The trial's, with the threads and the device that its bits depend on."""
    given = {text.lstrip("+").partition("=")[0] for text in trial.overrides}
    facts = {"training.threads": record.threads, "training.device": record.device}
    missing = [f"{key}={value}" for key, value in facts.items() if value is not None and key not in given]
    return [*trial.overrides, *missing]


def _comments(record: StudyRecord, answer: Answer, trial: TrialRecord, name: str) -> list[str]:
    return [
        f"# Trial {trial.number} of {record.name}. {' '.join(answer.sentence.split())}",
        f"# The same in one line: {trial.command}",
        f"# Copied to conf/{_GROUP_OF_WHOLE_RUNS}/{name}.yaml it needs no --config-dir.",
    ]


def _put(values: dict[str, object], path: Sequence[str], value: object) -> None:
    """Set a value at a path of nested mappings."""
    for part in path[:-1]:
        inner = values.setdefault(part, {})
        assert isinstance(inner, dict), "an option has options of its own, or a value"
        values = inner
    held = values.get(path[-1])
    merges = isinstance(held, dict) and isinstance(value, Mapping)
    values[path[-1]] = {**held, **value} if merges else value  # type: ignore[dict-item]


def _near(folder: Path) -> str:
    """The folder as one types it: from the working directory where it lies in it."""
    here = Path.cwd()
    return (folder.relative_to(here) if folder.is_relative_to(here) else folder).as_posix()


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _plain(name: str) -> str:
    """A study's name as a config file can be called on a command line without quotes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)
