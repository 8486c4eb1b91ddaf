"""What a sweep would do, printed; nothing is made."""

from typing import TYPE_CHECKING

from engine.config import ConfigError
from sweeper.answer.names import settings_words, short_names
from sweeper.space.grid import size_line
from sweeper.space.walking import drawn
from sweeper.study.folder import StudyFolder
from sweeper.study.read import read_study
from sweeper.work.plan import SweepPlan, pruner_words

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from rich.console import Console

NUM_EXAMPLES = 5


def print_plan(plan: SweepPlan, console: "Console", *, workers: str) -> None:
    """Study, space, budget, what decides and who works, in about ten lines."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for label, text in [*plan_lines(plan), ("workers", workers), *[("note", line) for line in plan.lines]]:
        table.add_row(f"[bold]{label}[/bold]", text.replace("[", r"\["))
    console.print(table)


def print_examples(plan: SweepPlan, console: "Console") -> None:
    """Settings as the sampler may come to, what a start would find, and how long all of it takes.

    raises  ConfigError where the study of this name is another one, or its storage can't be read
    """
    from sweeper.work.standing import standing_of  # imports Optuna, which a refused sweep does without

    names = short_names([dimension.key for dimension in plan.space.dimensions])
    console.print("for example", style="bold")
    for settings in drawn(plan.space, NUM_EXAMPLES, plan.settings.sampler.seed, plan.composer.look):
        console.print(f"  {settings_words(settings, names)}", markup=False, highlight=False)
    standing = standing_of(plan)
    for line in (f"study {plan.name}: {standing.words}", _time(plan, standing.storage)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if standing.refusal:
        raise ConfigError(list(standing.refusal))


def plan_lines(plan: SweepPlan) -> list[tuple[str, str]]:
    """(label, text) of each line."""
    settings = plan.settings
    objectives = ", ".join(f"{name} ({way.value})" for name, way in plan.objectives.items())
    confirming = plan.num_trials - plan.num_search
    lines = [
        ("study", f"{plan.name}: {plan.folder}"),
        ("space", size_line(plan.space, plan.composer.look)),
        *[("", _dimension_line(plan, place)) for place in range(len(plan.space.dimensions))],
        ("objectives", objectives),
        (
            "trials",
            f"{plan.num_search} to search" + (f", {confirming} to confirm the best" if confirming else ""),
        ),
        *[("", f"at most {words}") for words in _limits(plan)],
        ("sampler", "every combination once" if plan.is_grid else settings.sampler.kind.value),
        ("pruner", pruner_words(plan)),
        ("storage", settings.storage.split("://")[0]),
    ]
    if settings.constraints:
        bounds = ", ".join(f"{name} {bound}" for name, bound in settings.constraints.items())
        lines.insert(-3, ("constraints", bounds))
    return lines


def _limits(plan: SweepPlan) -> list[str]:
    """What else ends the sweep."""
    budget = plan.settings.budget
    words = {
        "hours": "hours in which a worker is at work",
        "gpu_hours": "GPU-hours, summed over workers",
        "patience": f"trial{'s' * (budget.patience != 1)} in a row without a better one",
    }
    return [
        f"{value:g} {what}" for name, what in words.items() if (value := getattr(budget, name)) is not None
    ]


def _dimension_line(plan: SweepPlan, place: int) -> str:
    from sweeper.space.overrides import shown

    dimension = plan.space.dimensions[place]
    where = f" where {dimension.when}" if dimension.when else ""
    if dimension.choices is not None:
        kind = "in order" if dimension.ordered else "one of"
        return f"{dimension.key}: {kind} {', '.join(shown(choice) for choice in dimension.choices)}{where}"
    scale = ", log" if dimension.log else ""
    return f"{dimension.key}: {dimension.low:g} to {dimension.high:g}{scale}{where}"


def _time(plan: SweepPlan, storage: "BaseStorage | None") -> str:
    """From the trials that the study has already, if it has some."""
    folder = StudyFolder(plan.folder)
    if folder.exists() and storage is not None:
        done = [trial.seconds for trial in read_study(folder, storage).trials if trial.outcome is not None]
        if done:
            mean = sum(done) / len(done)
            minutes = mean * plan.num_trials / 60
            whole = f"{minutes / 60:.1f} h" if minutes >= 60 else f"{max(1, round(minutes))} min"
            return f"a trial takes {mean:.0f} s (of {len(done)}), all of them about {whole} on one worker"
    return "no trial has been timed yet: how long it takes is not known"
