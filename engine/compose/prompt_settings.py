"""Settings that prompts of a file bring along: within their ranges, of use, and possible on the model."""

from collections.abc import Iterator
from dataclasses import replace

from engine.compose.checkpoint_fit import scale_problems
from engine.compose.family_rules import family_rule
from engine.compose.ranges import LARGEST_SEED, RANGES
from engine.compose.show import show
from engine.compose.side_rule import side_rule
from engine.config import Family, RunConfig
from engine.sampling.prompt_file import Prompt

_NUM_SHOWN = 5


def own_settings_problems(run: RunConfig, prompts: tuple[Prompt, ...], *, where: str) -> list[str]:
    """A sentence for each setting that could not be drawn with or would change nothing.

    where  how a sentence names their list: its path
    """
    found = [
        f"{where}: {prompt.own.where}: {problem}" for prompt in prompts for problem in _problems(run, prompt)
    ]
    more = len(found) - _NUM_SHOWN
    return found[:_NUM_SHOWN] + (
        [f"{where}: {more} more settings of prompts are like that."] if more > 0 else []
    )


def _problems(run: RunConfig, prompt: Prompt) -> Iterator[str]:
    given = prompt.own.given()
    out_of_range = False
    for name, value in given.items():
        if name == "seed" and isinstance(value, int) and value > LARGEST_SEED:
            yield f"seed {value}: out of range. Give at most {LARGEST_SEED}."
        elif f"sampling.{name}" in RANGES and isinstance(value, int | float):
            problem = RANGES[f"sampling.{name}"].problem(value)
            out_of_range = out_of_range or problem is not None
            if problem is not None:
                yield f"{_words(name)} {show(value)}: {problem}"
    if out_of_range:
        return
    scale = given.get("guidance_scale", run.sampling.guidance_scale)
    negative = prompt.own.negative_prompt if run.model.family is not Family.flux else None  # said below
    if negative is not None and isinstance(scale, int | float) and scale <= 1:
        yield (
            f"negative prompt {negative}: without effect at a guidance scale of {show(scale)}. "
            "Raise it (--l), or leave the negative prompt out."
        )
    own = {name: value for name, value in given.items() if name != "seed"}
    drawn = replace(run, sampling=replace(run.sampling, **own))  # type: ignore[arg-type]
    before = {*family_rule(run), *side_rule(run), *scale_problems(run)}
    for problem in (*family_rule(drawn), *side_rule(drawn), *scale_problems(drawn)):
        if problem not in before:
            yield problem.removeprefix("sampling.")


def _words(name: str) -> str:
    return name.replace("_", " ")
