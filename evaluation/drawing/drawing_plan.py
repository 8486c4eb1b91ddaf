"""What is drawn for scores, and with what: refused in sentences before a weight is loaded."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from engine.compose.checkpoint import checkpoint_problems
from engine.compose.device import visible_device
from engine.compose.options import did_you_mean
from engine.compose.presets import preset
from engine.compose.prompts import is_templates, needs_captions, plan_drawing, prompt_set_rule
from engine.compose.recipe import model_recipe
from engine.compose.record import changed_inputs, read_run_yaml, run_from_record
from engine.config import (
    DatasetConfig,
    PromptSet,
    RunConfig,
    SamplingConfig,
    dataset_size,
    is_dataset_file,
    is_demo,
)
from engine.config.errors import ConfigError
from engine.config.sources import Sources
from engine.data.indexes import Indexes
from engine.data.layouts import scan_dataset
from engine.data.scan import Scan
from engine.models.fingerprint import model_fingerprints
from engine.models.locate import find_checkpoint
from engine.sampling.prompt_file import Prompt
from evaluation.reading.recipe_sources import recipe_sources

_ALL = 1_000_000  # prompts: more than any list has


@dataclass(kw_only=True, slots=True, frozen=True)
class Request:
    """What every drawing for scores is asked for."""

    preset: str | None = None  # quick, sweep or confirm: how many prompts and which seeds
    prompt_set: str | None = None  # a name of engine.config.PromptSet
    prompts: Path | None = None  # a text file with one prompt a line, or a manifest
    trigger: str | None = None  # what prompt_set is made of; a run knows its own
    class_word: str | None = None
    strength: float = 1.0  # of the LoRA
    cache_dir: Path | None = None  # None: the run's own, .cache for a LoRA file
    device: str = "auto"
    batch_size: int | None = None  # pictures at a time; changes memory and speed, not the pictures


@dataclass(kw_only=True, slots=True, frozen=True)
class RunRequest(Request):
    """Draw with the weights of a run folder, into its evaluation/<preset>-<prompts>/."""

    run: Path


@dataclass(kw_only=True, slots=True, frozen=True)
class LoRARequest(Request):
    """Draw with a LoRA file, whoever trained it."""

    lora: Path
    out: Path
    model: str  # a recipe of conf/model
    checkpoint: str | None = None  # a diffusers folder or hub id in place of the recipe's


@dataclass(kw_only=True, slots=True, frozen=True)
class DrawingPlan:
    """Everything about a drawing that is known before a weight is loaded."""

    run: RunConfig  # model, sampling and precision in force
    prompts: tuple[Prompt, ...]
    size: tuple[int, int]  # width, height in pixels, unless sampling has its own
    folder: Path  # samples/ is made in it
    weights: Path
    weights_sha256: str
    base: str  # fingerprint of the base model
    strength: float
    device: str
    threads: int | None  # those that the run was drawn with; None: as torch likes
    cache_dir: Path

    @property
    def network(self) -> str:
        """What is attached to the base, by its content."""
        return f"{self.weights_sha256} x {self.strength!r}"


def plan_of_run(request: RunRequest) -> DrawingPlan:
    """What a run's weights are going to draw.

    raises  ConfigError: no run, no weights in it, another base than it was trained on, nothing to draw
    """
    record = read_run_yaml(request.run)
    run, sources = _asked(request, run_from_record(record), record.sources)
    weights = _run_weights(request.run)
    _check(request, run)
    base = _base_of(run)
    if changed := changed_inputs(request.run, {"base": base}):
        raise ConfigError(
            [f"{change}: its LoRA is not for that. Get the same base again." for change in changed.values()]
        )
    needs_scan = needs_captions(run, sources) or is_dataset_file(run.dataset)
    scan = _scan(run, sources) if needs_scan else None
    return DrawingPlan(
        run=run,
        prompts=_chosen(run, sources, scan),
        size=dataset_size(run.dataset) if scan is None else scan.size,
        folder=request.run / "evaluation" / _label(request),
        weights=weights,
        weights_sha256=_sha256(weights),
        base=base,
        strength=request.strength,
        device=_device(request, run),
        threads=record.threads,
        cache_dir=Path(run.cache_dir),
    )


def plan_of_lora(request: LoRARequest) -> DrawingPlan:
    """What a LoRA file is going to draw.

    raises  ConfigError: no such file, recipe or checkpoint, nothing to draw
    """
    if not request.lora.is_file():
        raise ConfigError(f"lora={request.lora}: no such file. Give a LoRA as .safetensors.")
    model = model_recipe(request.model, checkpoint=request.checkpoint)
    plain = RunConfig(
        model=model,
        sampling=SamplingConfig(guidance_scale=model.default_guidance),
        dataset=DatasetConfig(resolution=model.resolution),
    )
    own = _recipe_list(request, plain)
    if request.prompts is not None and request.prompts == own:
        request = replace(request, prompts=None)  # drawn as a run draws it: no list of somebody's own
    run, sources = _asked(request, plain, Sources(pictures=Path(), prompts=own))
    _check(request, run)
    if sources.prompts is None and not is_templates(run):
        raise ConfigError(
            f"lora={request.lora}: nothing says what to draw. Give prompts=FILE, or prompt_set=NAME."
        )
    if run.sampling.prompt_set is PromptSet.lycoris:
        raise ConfigError(
            "prompt_set=lycoris: draws captions of the training pictures, which a LoRA file does not hold. "
            "Give another set, or prompts=FILE."
        )
    return DrawingPlan(
        run=run,
        prompts=_chosen(run, sources, None),
        size=dataset_size(run.dataset),
        folder=request.out,
        weights=request.lora,
        weights_sha256=_sha256(request.lora),
        base=_base_of(run),
        strength=request.strength,
        device=_device(request, run),
        threads=None,
        cache_dir=Path(run.cache_dir),
    )


def _recipe_list(request: LoRARequest, run: RunConfig) -> Path | None:
    """The prompts that a run with this recipe would draw, where it brings some."""
    if not is_demo(run.model):
        return None
    return recipe_sources(run.model, request.cache_dir or Path(run.cache_dir)).prompts


def _asked(request: Request, run: RunConfig, sources: Sources) -> tuple[RunConfig, Sources]:
    """The run and its sources with what was asked for in place of their own."""
    sources = replace(
        sources,
        prompts=_list_of(request, run, sources),
        trigger=request.trigger or sources.trigger,
        class_word=request.class_word or sources.class_word,
    )
    dataset = replace(run.dataset, trigger=sources.trigger, class_word=sources.class_word)
    cache_dir = run.cache_dir if request.cache_dir is None else str(request.cache_dir)
    sampling = _sampling(request, run.sampling)
    return replace(run, sampling=sampling, dataset=dataset, cache_dir=cache_dir), sources


def _list_of(request: Request, run: RunConfig, sources: Sources) -> Path | None:
    """The file of prompts, where it is a file."""
    own = sources.prompts
    if request.prompts is not None:
        return request.prompts
    if request.prompt_set is None:
        return own
    # the demo's sets are files beside its list; all others are made of words
    return own.with_name(f"{request.prompt_set}.json") if own is not None and is_demo(run.model) else None


def _sampling(request: Request, sampling: SamplingConfig) -> SamplingConfig:
    """Which prompts of the list and which seeds: the preset's, else all of a list that was named.

    A preset draws as many plain prompts for every run and file, so that they can be compared.
    """
    if request.prompts is not None or request.prompt_set is not None:
        sampling = replace(
            sampling,
            prompt_file=None if request.prompts is None else str(request.prompts),
            prompt_set=None if request.prompt_set is None else _prompt_set(request.prompt_set),
            num_prompts=_ALL,
            first_prompt=0,
        )
    if request.prompts is not None:
        sampling = replace(sampling, num_plain_prompts=_ALL)
    if request.preset is not None:
        numbers = preset(request.preset)
        sampling = replace(
            sampling,
            num_prompts=numbers.num_prompts,
            seeds=list(numbers.seeds),
            first_prompt=numbers.first_prompt,
            num_plain_prompts=SamplingConfig().num_plain_prompts,
        )
    return sampling if request.batch_size is None else replace(sampling, batch_size=request.batch_size)


def _check(request: Request, run: RunConfig) -> None:
    """What options and the files of the base tell."""
    problems = prompt_set_rule(run)
    if request.prompts is not None and not request.prompts.is_file():
        problems.append(
            f"prompts={request.prompts}: no such file. "
            "Give a text file with one prompt a line, or a manifest (.json)."
        )
    if problems := problems + checkpoint_problems(run.model):
        raise ConfigError(problems)


def _chosen(run: RunConfig, sources: Sources, scan: Scan | None) -> tuple[Prompt, ...]:
    """The prompts; ConfigError where there is none."""
    prompts = plan_drawing(run, sources, scan).prompts
    if not prompts or not run.sampling.seeds:
        raise ConfigError(
            "no pictures are asked for: the run has sampling.num_prompts=0 or no seeds. Give preset=quick."
        )
    return prompts


def _run_weights(folder: Path) -> Path:
    """The weights file that result.json names."""
    path, name = folder / "result.json", None
    if path.is_file():
        try:
            name = json.loads(path.read_text(encoding="utf-8")).get("weights")
        except (ValueError, AttributeError) as error:
            raise ConfigError(f"{path}: cannot be read ({error}). Run its command again.") from error
    if name is None or not (folder / str(name)).is_file():
        raise ConfigError(
            f"run={folder}: holds no weights. Let the run end: the command that started it goes on."
        )
    return folder / str(name)


def _base_of(run: RunConfig) -> str:
    if find_checkpoint(run.model.checkpoint or "") is None:
        raise ConfigError(
            f"model={run.model.name}: has no weights of its own. "
            "Give checkpoint=DIR, a diffusers folder, or a file."
        )
    return model_fingerprints(run.model).base


def _scan(run: RunConfig, sources: Sources) -> Scan:
    scan = scan_dataset(run.dataset, sources.pictures, Indexes(Path(run.cache_dir)))
    if scan.problems:
        raise ConfigError(scan.problems)
    return scan


def _device(request: Request, run: RunConfig) -> str:
    wanted = request.device if request.device != "auto" else run.training.device
    device = visible_device(wanted)
    if device is None:
        raise ConfigError(f"device={wanted}: torch sees no such device here. Use device=cpu.")
    return device


def _prompt_set(name: str) -> PromptSet:
    known = [one.name for one in PromptSet]
    if name not in known:
        raise ConfigError(f"prompt_set={name}: unknown{did_you_mean(name, known)}.")
    return PromptSet[name]


def _label(request: Request) -> str:
    """The name of the folder within a run's evaluation/."""
    prompts = request.prompts.stem if request.prompts is not None else None
    words = [word for word in (request.preset, request.prompt_set, prompts) if word is not None]
    words += [f"strength {request.strength:g}"] if request.strength != 1 else []
    return "-".join(words).replace(" ", "_") or "drawn_again"


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
