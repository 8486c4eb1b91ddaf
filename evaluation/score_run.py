"""A run folder from its pictures to scores.json, its tables and its gallery."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine.config.sources import Sources
from evaluation.outputs import write_outputs
from evaluation.reading.run_material import Given, read_run_material
from evaluation.reports.gallery import gallery_text
from evaluation.score import Scored, score_material
from evaluation.tools import Tools, load_tools


def score_run(  # noqa: PLR0913  (the options of a scoring)
    folder: Path,
    *,
    sources: Sources,
    device: str = "auto",
    cache_dir: Path | None = None,
    drawn: Path | None = None,
    given: Given | None = None,
    batch_size: int = 32,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Scored:
    """Score a run's final pictures beside its base's; write scores.json, tables and gallery.

    sources    names the encoders, the manifest of true pictures, trigger and class word; what is not named is
               skipped, with the reason in the row
    cache_dir  where embeddings are kept between runs; None: nowhere
    drawn      a folder with samples/ of the same run, drawn for another preset: it gets the outputs
    given      references, training pictures and other programs' scores in place of the run's own
    raises     ConfigError: something that was named cannot be used; then nothing is written
    """
    material = read_run_material(folder, sources, drawn=drawn, given=given)
    tools = tools_of(sources, device=device, cache_dir=cache_dir, batch_size=batch_size)
    scored = score_material(material, tools, objectives=sources.objectives, on_progress=on_progress)
    scored = replace(scored, scores=replace(scored.scores, run_id=_run_id(folder)))
    target = drawn or folder
    if drawn is None:
        text = gallery_text(scored, title=folder.name, link=("the run", "../index.html"))
        pages = {gallery_path(folder): text}
    else:
        title = folder.name if drawn == folder else f"{folder.name}, {drawn.name}"
        pages = {drawn / "index.html": gallery_text(scored, title=title)}
    write_outputs(scored, target, pages=pages)
    return scored


def tools_of(sources: Sources, *, device: str, cache_dir: Path | None, batch_size: int = 32) -> Tools:
    """The encoders that sources name."""
    return load_tools(
        encoder=sources.encoder,
        image_encoder=sources.image_encoder,
        preference=sources.preference,
        aesthetic=sources.aesthetic,
        device=device,
        cache_dir=cache_dir,
        batch_size=batch_size,
    )


def gallery_path(folder: Path) -> Path:
    """Where the gallery of a run folder lies."""
    return folder / "evaluation" / "index.html"


def _run_id(folder: Path) -> str | None:
    """As result.json names it; None where it does not."""
    try:
        run_id = json.loads((folder / "result.json").read_text(encoding="utf-8")).get("run_id")
    except (OSError, ValueError, AttributeError):
        return None
    return None if run_id is None else str(run_id)
