"""What each command of python -m evaluation does; prints its results and returns its exit code."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from engine.compose.recipe import model_recipe
from engine.compose.record import read_run_yaml, run_from_record
from engine.config import ModelConfig, RunConfig, is_demo
from engine.config.errors import ConfigError
from engine.config.sources import Sources
from evaluation.arguments import Arguments
from evaluation.check import check_sources, foreign_encoders
from evaluation.reading.recipe_sources import recipe_sources
from evaluation.reading.run_material import Given
from evaluation.reports.summary import comparison_lines, missing_lines, needed_lines, score_lines

if TYPE_CHECKING:
    from rich.console import Console

    from evaluation.score import Scored

Progress = Callable[[int, int], None]


class Asked(TypedDict):
    """What is drawn for scores: the fields of a drawing_plan.Request."""

    preset: str | None
    prompt_set: str | None
    prompts: Path | None
    trigger: str | None
    class_word: str | None
    strength: float
    cache_dir: Path
    device: str
    batch_size: int | None


def run_command(arguments: Arguments) -> int:
    """Do what the command line asks for.

    returns  0; 1 if an objective could not be computed
    raises   ConfigError where nothing can be done
    """
    commands: Mapping[str, Callable[[Arguments], int]] = {
        "images": _score_images,
        "run": _score_run,
        "lora": _score_lora,
        "compare": _compare,
        "report": _report,
    }
    return commands[arguments.command](arguments)


def _score_images(arguments: Arguments) -> int:
    sources = _named_sources(arguments, Sources(pictures=Path(arguments.target)))
    _check(sources)
    from evaluation.outputs import SCORES, write_outputs
    from evaluation.reading.folder import FolderRequest, read_folder_material
    from evaluation.reports.gallery import gallery_text
    from evaluation.score import score_material
    from evaluation.score_run import tools_of

    folder = Path(arguments.target)
    material = read_folder_material(
        FolderRequest(
            images=folder,
            refs=arguments.path("refs"),
            prompts=arguments.path("prompts"),
            base=arguments.path("base"),
            training=arguments.path("training"),
            external_scores=arguments.path("external_scores"),
            trigger=sources.trigger,
            class_word=sources.class_word,
        )
    )
    if foreign_encoders(sources, ""):
        told = (
            "the encoder is the demo's own CLIP: of pictures outside its drawn world its scores say nothing"
        )
        material = replace(material, notices=(*material.notices, told))
    tools = tools_of(
        sources,
        device=_device(arguments),
        cache_dir=_cache_dir(arguments, None),
        batch_size=arguments.batch_size,
    )
    out = arguments.path("out") or folder / "evaluation"
    with _progress() as on_progress:
        scored = score_material(material, tools, objectives=arguments.objectives, on_progress=on_progress)
    page = out / "index.html"
    text = gallery_text(scored, title=folder.resolve().name)
    write_outputs(scored, out, pictures=folder, pages={page: text})
    return _tell(arguments, scored, out / SCORES, page)


def _score_run(arguments: Arguments) -> int:
    folder = Path(arguments.target)
    record = read_run_yaml(folder)
    sources = _named_sources(arguments, _of_prompt_set(arguments, record.sources))
    given = _given_pictures(arguments)
    _check(sources, model=run_from_record(record).model, given=given)
    from evaluation.score_run import gallery_path
    from evaluation.tracked import track_again

    cache_dir = _cache_dir(arguments, record.config)
    drawn = _draw_run(arguments, folder, cache_dir)
    scored = _scored(arguments, folder, sources, cache_dir=cache_dir, drawn=drawn, given=given)
    if drawn is not None:  # other pictures than those that the run was tracked with
        return _tell(arguments, scored, drawn / "scores.json", drawn / "index.html")
    for line in track_again(scored, folder, record, warn=_warn):
        print(line)
    from pages.run_page import read_run_folder, write_run_page

    write_run_page(read_run_folder(folder), folder / "index.html")
    return _tell(arguments, scored, folder / "scores.json", gallery_path(folder))


def _draw_run(arguments: Arguments, folder: Path, cache_dir: Path) -> Path | None:
    """Draw the run's pictures anew where other prompts or seeds are asked for; where they lie."""
    if not {"preset", "prompt_set", "prompts"} & arguments.given.keys():
        if "strength" in arguments.given:
            raise ConfigError(
                f"strength={arguments.given['strength']}: the run's pictures are drawn already. Add preset= "
                "or prompts= to draw others."
            )
        return None
    from evaluation.drawing.drawing_plan import RunRequest
    from evaluation.drawing.generation import draw_for_scoring

    return draw_for_scoring(RunRequest(run=folder, **_asked(arguments, cache_dir)), console=_console())


def _score_lora(arguments: Arguments) -> int:
    file, model = Path(arguments.target), arguments.given.get("model")
    if model is None:
        raise ConfigError(f"lora={file}: give model=, the recipe that it is for: demo, sd15.")
    if not file.is_file():
        raise ConfigError(f"lora={file}: no such file. Give a LoRA as .safetensors.")
    cache_dir = _cache_dir(arguments, None)
    recipe = model_recipe(model)
    sources = _named_sources(arguments, _of_prompt_set(arguments, recipe_sources(recipe, cache_dir)))
    given = _given_pictures(arguments)
    _check(sources, model=recipe, given=given)
    from evaluation.drawing.drawing_plan import LoRARequest
    from evaluation.drawing.generation import draw_for_scoring

    out = arguments.path("out") or file.with_name(f"{file.stem}-evaluation")
    asked = _asked(arguments, cache_dir)
    if given.training is None and is_demo(recipe):
        given = replace(given, training=sources.pictures)
    request = LoRARequest(
        lora=file, out=out, model=model, checkpoint=arguments.given.get("checkpoint"), **asked
    )
    drawn = draw_for_scoring(request, console=_console())
    scored = _scored(arguments, drawn, sources, cache_dir=cache_dir, drawn=drawn, given=given)
    return _tell(arguments, scored, drawn / "scores.json", drawn / "index.html")


def _scored(
    arguments: Arguments, folder: Path, sources: Sources, *, cache_dir: Path, drawn: Path | None, given: Given
) -> "Scored":
    from evaluation.score_run import score_run

    with _progress() as on_progress:
        return score_run(
            folder,
            sources=sources,
            device=_device(arguments),
            cache_dir=cache_dir,
            drawn=drawn,
            given=given,
            batch_size=arguments.batch_size,
            on_progress=on_progress,
        )


def _compare(arguments: Arguments) -> int:
    from evaluation.reports.compare import compare_folders
    from evaluation.reports.compare_page import write_comparison

    comparison = compare_folders(arguments.folders)
    with _written(_page(arguments, arguments.folders[0].parent, "compare.html")) as page:
        write_comparison(comparison, page)
    print("\n".join(comparison_lines(comparison)))
    print(f"\n{page}")
    return 0


def _report(arguments: Arguments) -> int:
    from evaluation.reports.report import write_report

    folder = Path(arguments.target)
    with _written(_page(arguments, folder, "report.html")) as page:
        _, lines = write_report(folder, page)
    print("\n".join(lines))
    print(f"\n{page}")
    return 0


def _page(arguments: Arguments, beside: Path, name: str) -> Path:
    """Where a page goes: out=PAGE.html, or into out=FOLDER."""
    out = arguments.path("out")
    if out is None:
        return beside / name
    if out.suffix.lower() in (".html", ".htm") and not out.is_dir():
        return out
    if out.is_file():
        raise ConfigError(f"out={out}: is a file and no page. Give a folder, or a name that ends in .html.")
    return out / name


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """What cannot be written is said in a sentence."""
    try:
        yield path
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror or error}). Give another out=."
        ) from error


def _named_sources(arguments: Arguments, sources: Sources) -> Sources:
    """The sources, changed as the command line says."""
    given = arguments.given
    return replace(
        sources,
        encoder=given.get("encoder", sources.encoder),
        image_encoder=given.get("image_encoder", sources.image_encoder),
        preference=given.get("preference", sources.preference),
        aesthetic=arguments.path("aesthetic") or sources.aesthetic,
        trigger=given.get("trigger", sources.trigger),
        class_word=given.get("class_word", sources.class_word),
        objectives=arguments.objectives if arguments.objectives is not None else sources.objectives,
    )


def _check(sources: Sources, *, model: ModelConfig | None = None, given: Given | None = None) -> None:
    """Refuse what cannot be used before anything is drawn.

    model  that drew the pictures; None: nobody knows
    """
    problems = check_sources(sources)
    if model is not None and not is_demo(model):
        problems += foreign_encoders(sources, model.name)
    if given is not None:
        problems += given.problems()
    if problems:
        raise ConfigError(problems)


def _of_prompt_set(arguments: Arguments, sources: Sources) -> Sources:
    """The demo's sets of prompts are files beside its list, with true pictures of their own."""
    name = arguments.given.get("prompt_set")
    if name is None or sources.prompts is None:
        return sources
    own = sources.prompts.with_name(f"{name}.json")
    return replace(sources, manifest=own) if own.is_file() else sources


def _given_pictures(arguments: Arguments) -> Given:
    return Given(
        refs=arguments.path("refs"),
        training=arguments.path("training"),
        external_scores=arguments.path("external_scores"),
    )


def _asked(arguments: Arguments, cache_dir: Path) -> Asked:
    """What is drawn, as the command line says."""
    given = arguments.given
    return {
        "preset": given.get("preset"),
        "prompt_set": given.get("prompt_set"),
        "prompts": arguments.path("prompts"),
        "trigger": given.get("trigger"),
        "class_word": given.get("class_word"),
        "strength": arguments.strength,
        "cache_dir": cache_dir,
        "device": _device(arguments),
        "batch_size": arguments.batch_size if "batch_size" in given else None,
    }


def _device(arguments: Arguments) -> str:
    return arguments.given.get("device", "auto")


def _cache_dir(arguments: Arguments, config: Mapping[str, object] | None) -> Path:
    default = RunConfig.__dataclass_fields__["cache_dir"].default if config is None else config["cache_dir"]
    return arguments.path("cache_dir") or Path(str(default))


def _console() -> "Console":
    from rich.console import Console

    return Console(stderr=True)


def _warn(text: str) -> None:
    print(text, file=sys.stderr)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on the terminal while pictures are looked at."""
    from engine.sampling.drawing_bar import progress_bar

    with progress_bar(_console(), "looking at pictures") as on_progress:
        yield on_progress


def _tell(arguments: Arguments, scored: "Scored", *files: Path) -> int:
    scores = scored.scores
    print("\n".join(score_lines(scores)))
    if arguments.difference is not None:
        print("\n".join(needed_lines(scored, arguments.difference)))
    print("\n" + "\n".join(str(file) for file in files))
    for line in missing_lines(scores):
        print(line, file=sys.stderr)
    return 1 if scores.failed() else 0
