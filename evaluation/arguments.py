"""The command line of python -m evaluation: Hydra-style key=value, checked before anything is loaded."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.config.errors import ConfigError
from evaluation.metrics.table import METRICS
from evaluation.suggest import unknown_name

COMMANDS = {
    "images": "a folder of pictures, whoever made them",
    "run": "the folder of a run: its final pictures",
    "lora": "a LoRA file, whoever trained it: its pictures are drawn",
    "compare": "folders that were scored, to be set side by side: compare=[A,B]",
    "report": "all scored runs of a folder in one table; alone, or report=outputs",
}
_ALL = ("images", "run", "lora")
_DRAWN = ("run", "lora")
# key -> what it is, the commands that take it
OPTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "prompts": ("prompts: of the pictures (CSV, JSON, text), or to draw (text, JSON)", _ALL),
    "refs": ("true pictures: a folder, or a manifest that names them for each prompt", _ALL),
    "base": ("the same prompts and seeds drawn without the adapter: a folder", ("images",)),
    "training": ("the pictures that were trained on: a folder; else refs", ("images", "lora")),
    "preset": ("quick, sweep or confirm: how many prompts and seeds are drawn", _DRAWN),
    "prompt_set": ("a set of prompts that is drawn: see sampling.prompt_set", _DRAWN),
    "model": ("the model that the LoRA is for: a recipe of conf/model, as sd15", ("lora",)),
    "checkpoint": ("the base model as a diffusers folder or hub id, in place of the recipe's", ("lora",)),
    "strength": ("how strongly the LoRA acts: 1 as trained, 0 not at all", _DRAWN),
    "trigger": ("trigger words, which are taken out before a prompt is scored", _ALL),
    "class_word": ("what stands in their place", _ALL),
    "encoder": ("CLIP or SigLIP, for pictures and text: a folder or hub id", _ALL),
    "image_encoder": ("DINOv2, CLIP or SigLIP for pictures alone, or pixels; else encoder", _ALL),
    "preference": ("PickScore: a folder or hub id", _ALL),
    "aesthetic": ("the file of LAION's aesthetic head", _ALL),
    "external_scores": ("a CSV of other programs' scores: path,name[,name ...]", ("images", "run")),
    "objectives": ("metrics with commas between that must be there, or the command fails", _ALL),
    "difference": ("a difference in the objectives: how many prompts tell it from noise", _ALL),
    "out": ("where the outputs go", ("images", "lora", "compare", "report")),
    "cache_dir": ("where embeddings and base pictures are kept", _ALL),
    "device": ("auto, cpu, cuda, cuda:1, mps", _ALL),
    "batch_size": ("pictures that are encoded, or drawn, at a time: speed and memory, not the numbers", _ALL),
}
USAGE = (
    "python -m evaluation images=DIR | run=RUN_DIR | lora=FILE | compare=[A,B] | report  [key=value ...]\n"
    + "\n".join(f"  {key:<16}{text}" for key, text in COMMANDS.items())
    + "\n\n"
    + "\n".join(f"  {key:<16}{text}  ({', '.join(of)})" for key, (text, of) in OPTIONS.items())
)

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_QUOTED = r"""(?:"((?:\\"|[^"])*)"|'((?:\\'|[^'])*)')"""
_WHOLE = re.compile(_QUOTED)
_ELEMENT = re.compile(rf"\s*{_QUOTED}\s*(?=,|$)|([^,]+)")
_REPORT_ALONE = "outputs"  # where runs lie unless output_dir says otherwise


@dataclass(kw_only=True, slots=True, frozen=True)
class Arguments:
    """What the command line asks for."""

    command: str  # a key of COMMANDS
    target: str  # its value
    given: Mapping[str, str]  # the options that were typed

    def path(self, key: str) -> Path | None:
        """An option that is a path."""
        return Path(self.given[key]) if key in self.given else None

    @property
    def objectives(self) -> list[str] | None:
        """The metrics that must be there; None: not typed."""
        return None if "objectives" not in self.given else _names(self.given["objectives"])

    @property
    def folders(self) -> list[Path]:
        """The folders of compare."""
        return [Path(name) for name in _names(self.target)]

    @property
    def strength(self) -> float:
        """Of the LoRA."""
        return float(self.given.get("strength", "1"))

    @property
    def difference(self) -> float | None:
        """A difference that is wanted; None: not typed."""
        return float(self.given["difference"]) if "difference" in self.given else None

    @property
    def batch_size(self) -> int:
        """How many pictures at a time."""
        return int(self.given.get("batch_size", "32"))


def parse_arguments(words: Sequence[str]) -> Arguments:
    """The arguments. ConfigError with all problems: unknown, doubled or idle keys, no command or several."""
    given: dict[str, str] = {}
    problems: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        if word == "report":
            given[word] = _REPORT_ALONE
        elif not equals:
            problems.append(f"{word}: not of the form key=value. Did you mean images={word}?")
        elif key not in COMMANDS and key not in OPTIONS:
            problems.append(unknown_name(key, (*COMMANDS, *OPTIONS), "option"))
        elif key in given:
            problems.append(f"{key}: given twice. Give it once.")
        elif not (value := _unquoted(key, value)).strip():
            problems.append(f"{key}=: has no value. {key} is {COMMANDS.get(key) or OPTIONS[key][0]}.")
        else:
            given[key] = value
    commands = [key for key in given if key in COMMANDS]
    if len(commands) > 1:
        problems.append(f"{' and '.join(commands)}: are different things to do. Give one of them.")
    if not commands and not problems:
        problems.append(f"nothing to score: give one of {', '.join(f'{key}=' for key in COMMANDS)}\n{USAGE}")
    if len(commands) == 1:
        problems += _idle(commands[0], given)
    problems += _wrong_values(given)
    if problems:
        raise ConfigError(problems)
    return Arguments(
        command=commands[0],
        target=given[commands[0]],
        given={key: value for key, value in given.items() if key in OPTIONS},
    )


def _idle(command: str, given: Mapping[str, str]) -> list[str]:
    return [
        f"{key}={given[key]}: means nothing to {command}=. It belongs to {', '.join(OPTIONS[key][1])}."
        for key in given
        if key in OPTIONS and command not in OPTIONS[key][1]
    ]


def _wrong_values(given: Mapping[str, str]) -> list[str]:
    problems = []
    for key in ("run", "images"):
        if key in given and not _is_folder(given[key]):
            problems.append(f"{key}={given[key]}: no such folder. Give {COMMANDS[key]}.")
    if "compare" in given:
        problems += _wrong_folders(given["compare"])
    if not _DEVICE.fullmatch(given.get("device", "auto")):
        problems.append(f"device={given['device']}: not a device. Use auto, cpu, cuda, cuda:1 or mps.")
    if not re.fullmatch(r"[1-9]\d{0,4}", given.get("batch_size", "1")):
        problems.append(f"batch_size={given['batch_size']}: not a number of pictures. Give 1 to 99999.")
    if not re.fullmatch(r"\d*\.?\d+", wanted := given.get("difference", "1")) or float(wanted) == 0:
        problems.append(f"difference={wanted}: not a difference. Give a number above 0, such as 0.02.")
    if not re.fullmatch(r"-?\d+(\.\d+)?", given.get("strength", "1")):
        problems.append(f"strength={given['strength']}: not a number. Give 1, or 0.8.")
    if "external_scores" not in given:  # which may name metrics of its own
        problems += [
            unknown_name(name, tuple(METRICS), "metric")
            for name in _names(given.get("objectives"))
            if name not in METRICS
        ]
    return problems


def _wrong_folders(value: str) -> list[str]:
    """Too few folders, and those that are missing where a comma or a quote may have cut a path."""
    names = _names(value)
    if len(names) < 2:
        return [f"compare={value}: names one folder. Give two or more: compare=[A,B]."]
    may_be_cut = len(names) > 2 or '"' in value or "'" in value or _is_folder(",".join(names))
    missing = [name for name in names if may_be_cut and not _is_folder(name)]
    advice = """Put a path with a comma into quotes: 'compare=["a,b",c]'."""
    return [f"compare: {name}: no such folder. {advice}" for name in missing]


def _is_folder(name: str) -> bool:
    return os.path.isdir(name)  # noqa: PTH112  (of a name that is too long Path raises)


def _unquoted(key: str, value: str) -> str:
    """Without quotes around the whole, as Hydra takes it; those of compare may be of its one folder."""
    match = _WHOLE.fullmatch(value.strip())
    if match is None or (key == "compare" and not match[0][1:-1].startswith("[")):
        return value
    return _inside(match)


def _names(value: str | None) -> list[str]:
    """The elements of [a,b]; one with a comma stands in quotes: ["a,b",c]."""
    text = (value or "").strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    return [name for match in _ELEMENT.finditer(text) if (name := _inside(match) or (match[3] or "").strip())]


def _inside(match: re.Match[str]) -> str:
    """What stands between quotes; empty where there are none."""
    if match[1] is not None:
        return match[1].replace('\\"', '"')
    return (match[2] or "").replace("\\'", "'")
