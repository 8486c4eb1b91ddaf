"""What scoring will need, looked at before hours of training: files and headers only, no torch."""

from pathlib import Path

from demo.folder import is_scorer
from engine.compose.show import show
from engine.config import PromptSet, RunConfig, is_demo
from engine.config.errors import ConfigError
from engine.config.evaluation import PIXELS
from engine.config.sources import Sources
from engine.models.locate import find_checkpoint
from engine.sampling.prompt_file import TONES, load_prompts
from evaluation.encoders.aesthetic_head import check_aesthetic_file, check_fits
from evaluation.encoders.encoder_folder import find_encoder
from evaluation.encoders.pictures import read_preprocessing
from evaluation.metrics.metric import Metric, Need
from evaluation.metrics.needs import NO_ENCODER
from evaluation.metrics.table import METRICS
from evaluation.reading.reference_folder import read_references
from evaluation.reading.run_material import read_manifest
from evaluation.suggest import unknown_name
from evaluation.tools import Role


def check_scoring(run: RunConfig, sources: Sources) -> list[str]:
    """One sentence for each thing that keeps a run from being scored as it asks."""
    problems = check_sources(sources) + _objective_problems(run, sources)
    if not is_demo(run.model):
        problems += foreign_encoders(sources, run.model.name)
    return problems


def foreign_encoders(sources: Sources, model: str) -> list[str]:
    """A sentence for each encoder that is the demo's own: of another model's pictures it knows nothing."""
    return [
        f"{option}={name}: is the demo's own CLIP, which knows only its drawn world, and model={model} draws "
        "others. Use one that was trained on pictures, such as openai/clip-vit-base-patch32."
        for option, name in _encoders(sources).items()
        if name is not None and (folder := find_checkpoint(name)) is not None and is_scorer(folder)
    ]


def check_sources(sources: Sources) -> list[str]:
    """One sentence for each thing that was named for scoring and cannot be used."""
    problems: list[str] = []
    for option, name in _encoders(sources).items():
        if name == PIXELS and option == "evaluation.image_encoder":
            continue
        if name == PIXELS:
            problems.append(f"{option}=pixels: reads no text. Set evaluation.image_encoder=pixels instead.")
        elif name is not None:
            problems += _encoder_problems(name, option)
    if sources.aesthetic is not None:
        problems += check_aesthetic_file(sources.aesthetic) or check_fits(sources.aesthetic, sources.encoder)
    return problems + _manifest_problems(sources.manifest)


def _encoders(sources: Sources) -> dict[str, str | None]:
    return {
        "evaluation.encoder": sources.encoder,
        "evaluation.image_encoder": sources.image_encoder,
        "evaluation.preference": sources.preference,
    }


def _encoder_problems(name: str, option: str) -> list[str]:
    try:
        read_preprocessing(find_encoder(name, option))
    except ConfigError as error:
        return list(error.problems)
    return []


def _manifest_problems(manifest: Path | None) -> list[str]:
    try:
        if manifest is not None and manifest.is_dir():
            read_references(manifest)
            return []
        prompts = read_manifest(manifest)
    except ConfigError as error:
        return [f"evaluation.references: {problem.removeprefix('refs=')}" for problem in error.problems]
    missing = [path for prompt in prompts.values() for path in prompt.references if not path.is_file()]
    if not missing:
        return []
    return [
        f"evaluation.references={manifest}: names {len(missing)} pictures that are not there, the first: "
        f"{missing[0]}. Paths are relative to the manifest."
    ]


def _objective_problems(run: RunConfig, sources: Sources) -> list[str]:
    """What an objective will lack when the pictures are there: hours of training would end without it."""
    named = run.evaluation.objectives
    if named is None:
        return []
    if not named:
        return ["evaluation.objectives=[]: names no metric. Give some, or null."]
    problems = [unknown_name(name, tuple(METRICS), "metric") for name in named if name not in METRICS]
    problems += [
        f"{name}: given twice. Give it once." for name in dict.fromkeys(named) if named.count(name) > 1
    ]
    metrics = [METRICS[name] for name in dict.fromkeys(named) if name in METRICS]
    for metric in metrics:
        problems += [f"{metric.name}: {lack}." for lack in _lacks(metric, run, sources)]
    return [f"evaluation.objectives={show(named)}: {problem}" for problem in problems]


def _lacks(metric: Metric, run: RunConfig, sources: Sources) -> list[str]:
    sampling = run.sampling
    pictures = sampling.num_prompts * len(sampling.seeds)
    named = {
        Role.text_image: sources.encoder,
        Role.image: sources.image_encoder or sources.encoder,
        Role.preference: sources.preference,
    }
    lacks = []
    if metric.role is not None and named[metric.role] is None:
        lacks.append(NO_ENCODER[metric.role])
    if Need.aesthetic in metric.needs and sources.aesthetic is None:
        lacks.append("no head is named: set evaluation.aesthetic to its file")
    if Need.plain in metric.needs and sampling.num_plain_prompts == 0:
        lacks.append("no plain prompt will be drawn: raise sampling.num_plain_prompts")
    if (
        Need.tones in metric.needs
        and sampling.prompt_set is not PromptSet.luminance
        and not _has_tones(sources)
    ):
        lacks.append(
            "no prompts that ask for dark and for bright pictures: set sampling.prompt_set=luminance"
        )
    if len(sampling.seeds) < metric.min_seeds:
        lacks.append(
            f"needs {metric.min_seeds} pictures of a prompt, and sampling.seeds has {len(sampling.seeds)}: "
            "give more seeds"
        )
    if pictures < metric.min_pictures:
        lacks.append(
            f"needs at least {metric.min_pictures} pictures, and {pictures} will be drawn: raise "
            "sampling.num_prompts"
        )
    return lacks


def _has_tones(sources: Sources) -> bool:
    try:
        prompts = [] if sources.prompts is None else load_prompts(sources.prompts)
    except ConfigError:
        return True  # what is wrong with the file is said elsewhere
    return set(TONES) <= {prompt.tone for prompt in prompts}
