"""Refusals of the engine in the options of python -m evaluation: a run names its options otherwise."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from engine.config.errors import ConfigError
from evaluation.drawing.drawing_plan import LoRARequest, Request, RunRequest

_OPTIONS = {  # of a run -> of this command
    "sampling.prompt_file": "prompts",
    "sampling.prompt_set": "prompt_set",
    "dataset.trigger": "trigger",
    "dataset.class_word": "class_word",
}
_MODEL_OPTION = re.compile(r"model\.(\w+)=")
_GIVE_CHECKPOINT = "Give a diffusers folder: model.checkpoint=DIR"
_LONGER_PROMPTS = re.compile(r", or raise model\.\w+")  # a recipe and a run read as many tokens as they read


@contextmanager
def in_words_of_the_command(request: RunRequest | LoRARequest) -> Iterator[None]:
    """What is refused within is told in the options that this command has."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError([said_here(problem, request) for problem in error.problems]) from error


def said_here(problem: str, request: RunRequest | LoRARequest) -> str:
    """One refusal, without advice that can be followed in a run only."""
    for option, word in _OPTIONS.items():
        problem = problem.replace(option, word)
    if request.prompts is not None and problem.startswith(f"{request.prompts}: "):
        return f"prompts={problem}"
    if problem.startswith(("sampling.num_prompts=", "sampling.first_prompt=")):
        return f"{_list_asked(request)}: {_about_the_list(problem)}"
    if isinstance(request, RunRequest):
        return problem.replace(_GIVE_CHECKPOINT, f"Put the base model of run={request.run} back there")
    return _about_the_model(problem, request)


@contextmanager
def without_idle_advice() -> Iterator[None]:
    """Warnings about prompts that a model cuts do not name the option of a run."""
    log = logging.getLogger("engine.models.cut_prompts")
    log.addFilter(_cut_advice)
    try:
        yield
    finally:
        log.removeFilter(_cut_advice)


def _cut_advice(record: logging.LogRecord) -> bool:
    record.msg, record.args = _LONGER_PROMPTS.sub("", record.getMessage()), ()
    return True


def _list_asked(request: Request) -> str:
    """What says which prompts of a list are drawn."""
    if request.preset is not None:
        return f"preset={request.preset}"
    return f"prompts={request.prompts}" if request.prompts is not None else f"prompt_set={request.prompt_set}"


def _about_the_list(problem: str) -> str:
    told = re.sub(r"^sampling\.first_prompt=(\d+): ", r"passes over \1 prompts, and ", problem)
    told = re.sub(r"^sampling\.num_prompts=\d+: ", "", told)
    return told.replace("Pass over fewer.", "Give another preset, or more prompts.")


def _about_the_model(problem: str, request: LoRARequest) -> str:
    option = _MODEL_OPTION.match(problem)
    if option is not None and option[1] != "checkpoint":
        told = problem.removeprefix("model.").rpartition(". ")[0]
        return f"model={request.model}, {told}. Give the recipe of that checkpoint, or another checkpoint."
    told = problem.replace("model.checkpoint", "checkpoint")
    return re.sub(r"\bmodel\.family=\w+", f"model={request.model}", told)
