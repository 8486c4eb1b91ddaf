"""Draws what is to be scored: fixed prompts x seeds, by the base and by a run's weights or a LoRA file."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from engine.sampling.drawing_bar import drawing_bar
from evaluation.drawing.command_words import in_words_of_the_command, without_idle_advice
from evaluation.drawing.drawing_plan import DrawingPlan, LoRARequest, RunRequest, plan_of_lora, plan_of_run
from evaluation.material import BASE, FINAL

if TYPE_CHECKING:
    from engine.models.family import ModelFamily
    from engine.networks.files import LoRAFile
    from engine.sampling.sample_folder import SampleFolder

_TITLES = {BASE: "drawing with the base model", FINAL: "drawing with the LoRA"}


def draw_for_scoring(request: RunRequest | LoRARequest, *, console: Console) -> Path:
    """Draw with the base and with the weights whatever of it is not there yet.

    returns  the folder that holds samples/, as training writes it
    raises   ConfigError before a weight of the base is loaded; a LoRA that is not for this base is found out
             after that
    After a kill the same request goes on: pictures are kept in the cache as they come, and a set is listed
    when all of it is there.
    """
    with in_words_of_the_command(request):
        plan = plan_of_run(request) if isinstance(request, RunRequest) else plan_of_lora(request)
        from engine.networks.lora_from_file import read_kohya_lora

        file = read_kohya_lora(plan.weights)
        store = _store(plan)
        missing = [name for name in (BASE, FINAL) if not store.has(name)]
        if missing:
            _draw(plan, file, store, missing, console)
    return plan.folder


def _store(plan: DrawingPlan) -> "SampleFolder":
    from engine.sampling.draw import draw_settings
    from engine.sampling.sample_folder import SampleFolder, SamplePlan

    return SampleFolder(
        plan.folder,
        SamplePlan(
            prompts=[prompt.text for prompt in plan.prompts],
            known=plan.prompts,
            seeds=list(plan.run.sampling.seeds),
            settings=draw_settings(plan.run.sampling, size=plan.size),
            num_previews=0,
            made_by={"base": plan.base, "network": plan.network},
        ),
    )


def _draw(
    plan: DrawingPlan, file: "LoRAFile", store: "SampleFolder", missing: Sequence[str], console: Console
) -> None:
    import torch

    from engine.models.checkpoint import load_family
    from engine.models.placing import place_for_steps
    from engine.models.precision import model_dtype
    from engine.networks.lora_from_file import attach_lora_file

    if plan.threads is not None:
        torch.set_num_threads(plan.threads)
    device = torch.device(plan.device)
    with console.status("loading the base model"):
        family = load_family(
            plan.run.model,
            device=device,
            dtype=model_dtype(plan.run.training),
            quantize=plan.run.memory.quantize,
        )
        place_for_steps(family, plan.run)
    network = attach_lora_file(
        file, family.every_layer(), family=plan.run.model.family, path=plan.weights, device=device
    )
    try:
        network.set_strength(plan.strength)
        with without_idle_advice():
            for name in missing:
                with network.disabled() if name == BASE else nullcontext():
                    _draw_set(plan, store, name, family, console)
    finally:
        network.detach()


def _draw_set(
    plan: DrawingPlan, store: "SampleFolder", name: str, family: "ModelFamily", console: Console
) -> None:
    from engine.sampling.draw_set import Drawer, draw_set
    from engine.sampling.picture_cache import BASE_PICTURES, LORA_PICTURES, PictureCache

    is_base = name == BASE
    drawer = Drawer(
        family=family,
        settings=store.plan.settings,
        cache=PictureCache(plan.cache_dir / (BASE_PICTURES if is_base else LORA_PICTURES)),
        network="" if is_base else plan.network,
    )
    wanted = store.plan.wanted()
    with (
        drawing_bar(console, _TITLES[name], total=len(wanted)) as on_progress,
        store.filling(name) as filling,
    ):
        drawn = draw_set(drawer, wanted, filling, on_progress=on_progress)
    for line in drawn.lines("base pictures" if is_base else "the LoRA's pictures"):
        console.print(line, highlight=False, markup=False)
