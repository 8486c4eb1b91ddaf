"""Settings that a sweep may come to, composed and held against the rules of a run; nothing is loaded."""

from collections.abc import Mapping, Sequence

from engine.compose.dead_options import dead_options
from engine.compose.load import load
from engine.compose.rules import broken_rules
from engine.config import ConfigError
from sweeper.answer.names import settings_words, short_names
from sweeper.work.composer import Composer


def candidate_problems(
    composer: Composer, candidates: Sequence[Mapping[str, object]], *, is_whole: bool = True
) -> list[str]:
    """Each problem once, with the first settings that show it where its own value does not tell all.

    is_whole  false: a part of the space could not be read, and may be what gives another part an effect
    """
    shown: dict[str, Mapping[str, object]] = {}
    for settings in candidates:
        for problem in _problems(composer, settings, is_whole=is_whole):
            shown.setdefault(problem, settings)
    return [
        with_settings(problem, _needed(composer, problem, settings)) for problem, settings in shown.items()
    ]


def with_settings(problem: str, settings: Mapping[str, object]) -> str:
    """The problem, with those of the settings that it does not begin with itself."""
    others = {key: value for key, value in settings.items() if not problem.startswith(f"{key}=")}
    if not others or len(others) == len(settings) == 0:
        return problem
    return f"{problem} (with {settings_words(others, short_names(list(others)))})"


def _needed(composer: Composer, problem: str, settings: Mapping[str, object]) -> Mapping[str, object]:
    """The settings without those that have no part in the problem, where it is its own key's alone."""
    own = {key: value for key, value in settings.items() if problem.startswith(f"{key}=")}
    return own if own != settings and problem in _problems(composer, own) else settings


def _problems(composer: Composer, settings: Mapping[str, object], *, is_whole: bool = True) -> list[str]:
    config = composer.task_config(composer.overrides(settings))
    try:
        run = load(config)
    except ConfigError as error:
        return error.problems
    searched = [key for key in settings if key not in composer.config.hydra.runtime.choices]
    found = broken_rules(run)
    if not is_whole:
        return found
    for problem in dead_options(sorted(searched), run, config):
        found.append(f"{problem} Or name the condition under hydra.sweeper.when.")
    return found
