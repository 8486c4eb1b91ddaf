"""Which prompts a run draws: from a set, a file, the demo or its captions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.compose.prompt_settings import own_settings_problems
from engine.compose.show import show
from engine.config import ConfigError, PromptSet, RunConfig, given_pictures, is_demo
from engine.config.sources import Sources
from engine.data.caption_changes import settled_caption
from engine.data.scan import Scan
from engine.sampling.prompt_file import Prompt, load_prompts
from engine.sampling.prompt_sets import Chosen, choose_prompts, prompts_of

OF_THE_DEMO = (PromptSet.luminance,)  # sets that its words can say


@dataclass(kw_only=True, slots=True, frozen=True)
class Drawing:
    """The prompts of a run, and where they are from."""

    title: str  # how the plan names the list: "the demo's list", "prompts.txt", "lycoris"
    chosen: Chosen

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """All that is drawn, in its order; the plain ones last."""
        return self.chosen.prompts


def captions_of(scan: Scan) -> list[str]:
    """The captions of the pictures that are learnt, as the text encoder gets them, each once."""
    learnt = [picture for picture in scan.pictures if not picture.is_reg]
    return list(dict.fromkeys(settled_caption(picture.caption, picture.subset.config) for picture in learnt))


def listed_prompts(run: RunConfig, sources: Sources, captions: Sequence[str]) -> list[Prompt]:
    """The whole list that a run chooses its prompts from.

    captions  of its data set: asked for where nothing else is given, and by lycoris
    raises    ConfigError when a prompt file cannot be used
    """
    if is_templates(run):
        prompt_set = run.sampling.prompt_set
        assert prompt_set is not None and sources.trigger and sources.class_word, "a rule asks for them"
        return prompts_of(
            prompt_set, trigger=sources.trigger, class_word=sources.class_word, captions=captions
        )
    if sources.prompts is not None:
        return load_prompts(sources.prompts)
    return [Prompt(text=caption) for caption in captions]


def plan_drawing(run: RunConfig, sources: Sources, scan: Scan | None) -> Drawing:
    """What the run draws.

    scan    of its data set; None where the list needs no captions
    raises  ConfigError when a prompt file cannot be used, or nothing of the list is left to draw
    """
    sampling = run.sampling
    captions = captions_of(scan) if scan is not None and needs_captions(run, sources) else ()
    prompts = listed_prompts(run, sources, captions)
    drawing = Drawing(
        title=_title(run, sources),
        chosen=choose_prompts(
            prompts,
            num_prompts=sampling.num_prompts,
            first_prompt=sampling.first_prompt,
            num_plain_prompts=sampling.num_plain_prompts,
        ),
    )
    if sampling.num_prompts and not drawing.chosen.listed:
        raise ConfigError(_nothing_left(run, drawing, prompts))
    where = drawing.title if sources.prompts is None else str(sources.prompts)
    if problems := own_settings_problems(run, drawing.prompts, where=where):
        raise ConfigError(problems)
    return drawing


def drawing_line(run: RunConfig, drawing: Drawing) -> str:
    """How many pictures of which prompts, in words."""
    chosen, seeds = drawing.chosen, len(run.sampling.seeds)
    if not chosen.prompts:
        return "none: sampling.num_prompts=0"
    plain = f" and {len(chosen.plain)} plain" if chosen.plain else ", none plain,"
    own = sum(prompt.own.seed is not None for prompt in chosen.prompts)  # one picture each
    total = (len(chosen.prompts) - own) * seeds + own
    return (
        f"{_count(len(chosen.listed), 'prompt')} of {drawing.title}{plain} x {_count(seeds, 'seed')}: "
        f"{_count(total, 'picture')} by the base, as many after training"
    )


def drawing_notes(run: RunConfig, drawing: Drawing) -> list[str]:
    """Prompts that were asked for and that the list does not have."""
    sampling, chosen = run.sampling, drawing.chosen
    if sampling.num_prompts == 0:
        return []
    notes = []
    if chosen.num_left < sampling.num_prompts:
        passed = f" from sampling.first_prompt={sampling.first_prompt} on" if sampling.first_prompt else ""
        notes.append(
            f"sampling.num_prompts={sampling.num_prompts}: {drawing.title} has {chosen.num_left}{passed}, "
            "all of them are drawn"
        )
    if 0 < chosen.num_plain < sampling.num_plain_prompts:
        notes.append(
            f"sampling.num_plain_prompts={sampling.num_plain_prompts}: {drawing.title} has "
            f"{chosen.num_plain}, all of them are drawn"
        )
    return notes


def needs_captions(run: RunConfig, sources: Sources) -> bool:
    """Whether captions of the data set are among the prompts."""
    if is_templates(run):
        return run.sampling.prompt_set is PromptSet.lycoris
    return sources.prompts is None


def has_demo_list(run: RunConfig) -> bool:
    """Whether the prompts are the demo's own, which are there only after it was drawn."""
    own = run.sampling.prompt_file is not None or given_pictures(run.dataset) is not None
    return is_demo(run.model) and not own


def is_templates(run: RunConfig) -> bool:
    """Whether prompts are made of the trigger and the class word; the demo's sets are files of its own."""
    return run.sampling.prompt_set is not None and not is_demo(run.model)


def has_plain_prompts(run: RunConfig) -> bool:
    """Whether the list may hold prompts that have nothing to do with the concept, as far as options tell."""
    sampling = run.sampling
    if sampling.prompt_set is not None:
        return True
    if sampling.prompt_file is not None:
        return Path(sampling.prompt_file).suffix.lower() == ".json"
    return has_demo_list(run)


def prompt_set_rule(run: RunConfig) -> list[str]:
    """A set is the only list, and has the words that its prompts are made of."""
    sampling, dataset = run.sampling, run.dataset
    prompt_set = sampling.prompt_set
    if prompt_set is None:
        return []
    problems, start = [], f"sampling.prompt_set={prompt_set.name}"
    if sampling.prompt_file is not None:
        problems.append(
            f"{start} with sampling.prompt_file={sampling.prompt_file}: two lists of prompts. "
            "Give one of them."
        )
    if is_demo(run.model):
        problems += _demo_problems(run, start)
        return problems
    words = (("dataset.trigger", dataset.trigger), ("dataset.class_word", dataset.class_word))
    missing = [name for name, word in words if word is None or not word.split(",")[0].strip()]
    if missing:
        problems.append(
            f"{start}: its prompts are made of the trigger and the class word. Give {' and '.join(missing)}."
        )
    return problems


def _demo_problems(run: RunConfig, start: str) -> list[str]:
    """What the small model could not understand."""
    if run.sampling.prompt_set not in OF_THE_DEMO:
        known = ", ".join(show(prompt_set) for prompt_set in OF_THE_DEMO)
        return [f"{start}: the demo's model knows few words, and not these. Use {known}, or leave it out."]
    if given_pictures(run.dataset) is not None:
        return [
            f"{start}: on the demo's model it goes with the demo's own concepts. Leave it out, "
            "or give sampling.prompt_file."
        ]
    return []


def _title(run: RunConfig, sources: Sources) -> str:
    if run.sampling.prompt_set is not None:
        return run.sampling.prompt_set.name
    if run.sampling.prompt_file is not None:
        return Path(run.sampling.prompt_file).name
    return "the demo's list" if sources.prompts is not None else "the list of captions"


def _nothing_left(run: RunConfig, drawing: Drawing, prompts: Sequence[Prompt]) -> str:
    first, num_plain = run.sampling.first_prompt, drawing.chosen.num_plain
    total = len(prompts) - num_plain
    if total == 0:
        return (
            f"sampling.num_prompts={run.sampling.num_prompts}: {drawing.title} has {num_plain} plain prompts "
            "and no others. Mark those that are about the concept as such."
        )
    return f"sampling.first_prompt={first}: {drawing.title} has {_count(total, 'prompt')}. Pass over fewer."


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
