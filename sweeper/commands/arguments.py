"""The command line of python -m sweeper: a command and key=value; checked before anything is opened."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.config.errors import ConfigError
from evaluation.suggest import unknown_name

COMMANDS = {
    "ls": "every study of a folder: how far it is, what is best, whether it runs",
    "status": "one study: workers, outcomes, budget, failures and their causes",
    "best": "the answer: the best settings, how sure that is, the command and the file",
    "report": "report.html and trials.csv, written anew",
    "dashboard": "optuna-dashboard on the study, until Ctrl-C",
    "stop": "its workers start nothing more; what runs goes on to its end",
    "retry": "what failed goes into the queue again, for the sweep's own command",
    "export": "export=csv, export=json, or export=dashboard (a wandb workspace)",
}
_ONE_STUDY = tuple(command for command in COMMANDS if command != "ls")
EXPORTS = ("csv", "json", "dashboard")
RETRIED = ("failed", "diverged", "out_of_memory")
_SWITCHES = ("now", "force")
# key -> what it is, the commands that take it
OPTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "study": ("its name, or its folder; may be left out where there is one", _ONE_STUDY),
    "folder": ("where the studies are, sweeps if nothing is said", tuple(COMMANDS)),
    "storage": ("the database with its password, which no file keeps", tuple(COMMANDS)),
    "copy_to": ("a folder that the winning LoRA file is copied to", ("best",)),
    "force": ("true: over a file that is there already", ("best", "export")),
    "port": ("8080, or the next that is free, if nothing is said", ("dashboard",)),
    "now": ("true: what runs on this machine is saved and ended, too", ("stop",)),
    "outcome": ("failed (also if nothing is said), diverged, out_of_memory", ("retry",)),
    "trial": ("one trial by its number", ("retry",)),
    "confirm": ("one confirmation run by its number", ("retry",)),
    "out": ("the file that is written: csv, json", ("export",)),
}
USAGE = (
    "python -m sweeper COMMAND [study=NAME] [key=value ...]\n"
    + "\n".join(f"  {name:<11}{text}" for name, text in COMMANDS.items())
    + "\n\n"
    + "\n".join(
        f"  {key:<11}{text}" + ("" if len(of) >= len(_ONE_STUDY) else f"  ({', '.join(of)})")
        for key, (text, of) in OPTIONS.items()
    )
)


@dataclass(kw_only=True, slots=True, frozen=True)
class Arguments:
    """What the command line asks for."""

    command: str  # a key of COMMANDS
    kind: str = ""  # of export: csv, json, dashboard
    given: Mapping[str, str]  # the options that were typed

    @property
    def folder(self) -> Path:
        """Where the studies are."""
        return Path(self.given.get("folder", "sweeps"))

    @property
    def storage(self) -> str | None:
        """The URL that was typed."""
        return self.given.get("storage")

    def path(self, key: str) -> Path | None:
        """An option that is a path."""
        return Path(self.given[key]) if key in self.given else None

    def number(self, key: str) -> int | None:
        """An option that is a number."""
        return int(self.given[key]) if key in self.given else None

    def is_on(self, key: str) -> bool:
        """A switch."""
        return self.given.get(key, "false").lower() == "true"


def parse_arguments(words: Sequence[str]) -> Arguments:
    """The arguments. ConfigError with all problems: unknown, doubled or idle words, no command or several."""
    commands, given, problems = _sorted_words(words)
    names = list(dict.fromkeys(command for command, _ in commands))
    if len(commands) > 1:
        several = len(names) > 1
        problems.append(
            f"{' and '.join(names)}: are different things to do. Give one of them."
            if several
            else f"{names[0]}: given twice. Give it once."
        )
    if not commands and not problems:
        problems.append(
            f"nothing to do: give one of {', '.join(COMMANDS)}. For example: python -m sweeper ls"
        )
    if len(commands) == 1:
        problems += _idle(*commands[0], given)
    problems += _wrong_values(given)
    if problems:
        raise ConfigError(problems)
    command, kind = commands[0]
    return Arguments(command=command, kind=kind, given=given)


def _sorted_words(words: Sequence[str]) -> tuple[list[tuple[str, str]], dict[str, str], list[str]]:
    """Commands with what stands behind their sign; options; problems."""
    commands: list[tuple[str, str]] = []
    given: dict[str, str] = {}
    problems: list[str] = []
    for word in words:
        key, equals, value = word.lstrip("-").partition("=")
        value = _unquoted(value)
        if key == "export" or (key in COMMANDS and not equals):
            commands.append((key, value))
        elif not equals and not commands:
            problems.append(unknown_name(word, tuple(COMMANDS), "command"))
        elif not equals:  # status demo-lora
            problems += _put(given, "study", word)
        elif key in COMMANDS:  # status=demo-lora
            commands.append((key, ""))
            problems += _put(given, "study", value)
        elif key not in OPTIONS:
            problems.append(unknown_name(key, (*COMMANDS, *OPTIONS), "option"))
        else:
            problems += _put(given, key, value)
    return commands, given, problems


def _put(given: dict[str, str], key: str, value: str) -> list[str]:
    if key in given:
        return [f"{key}: given twice ({given[key]}, {value}). Give it once."]
    if not value.strip():
        return [f"{key}=: has no value. {key} is {OPTIONS[key][0]}."]
    given[key] = value
    return []


def _idle(command: str, kind: str, given: Mapping[str, str]) -> list[str]:
    problems = [
        f"{key}={given[key]}: means nothing to {command}. It belongs to {', '.join(OPTIONS[key][1])}."
        for key in given
        if command not in OPTIONS[key][1]
    ]
    if command == "export" and kind not in EXPORTS:
        problems.append(
            f"export={unknown_name(kind, EXPORTS, 'kind')}"
            if kind
            else f"export: what? Give one of {', '.join(f'export={name}' for name in EXPORTS)}."
        )
    if kind == "dashboard":
        problems += [
            f"{key}={given[key]}: means nothing to export=dashboard, whose file lies in the study's folder."
            for key in ("out", "force")
            if key in given
        ]
    named = [key for key in ("trial", "confirm", "outcome") if key in given]
    if command == "retry" and len(named) > 1:
        problems.append(f"{' and '.join(named)}: say which in two ways. Give one of them.")
    return problems


def _wrong_values(given: Mapping[str, str]) -> list[str]:
    problems = [
        f"{key}={given[key]}: neither true nor false."
        for key in _SWITCHES
        if given.get(key, "true").lower() not in ("true", "false")
    ]
    problems += [
        f"{key}={given[key]}: not a number. Give the one that status shows."
        for key in ("trial", "confirm")
        if not re.fullmatch(r"\d{1,9}", given.get(key, "0"), re.ASCII)
    ]
    port = given.get("port", "8080")
    if not re.fullmatch(r"\d{1,5}", port, re.ASCII) or not 0 < int(port) < 65536:
        problems.append(f"port={port}: not a port. Give 1 to 65535.")
    if given.get("outcome", RETRIED[0]) not in RETRIED:
        problems.append(unknown_name(given["outcome"], RETRIED, "outcome") + ". These can be tried again.")
    return problems


def _unquoted(value: str) -> str:
    """Without quotes around the whole, as Hydra takes it."""
    stripped = value.strip()
    is_quoted = len(stripped) > 1 and stripped[0] == stripped[-1] and stripped[0] in "\"'"
    return stripped[1:-1] if is_quoted else value
