"""Where a run's inputs lie: what the options name, with the demo's own in place of what is null."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from engine.config import PromptSet, RunConfig, given_pictures
from engine.config.evaluation import PIXELS
from engine.config.sources import Sources
from engine.models.locate import find_checkpoint


class DrawnDemo(Protocol):
    """What the demo lays out for one concept."""

    @property
    def train(self) -> Path: ...  # pictures with captions

    @property
    def prompts(self) -> Path: ...  # the manifest: prompts with their true pictures

    @property
    def luminance(self) -> Path: ...  # another: as many dark prompts as bright ones

    @property
    def scorer(self) -> Path: ...  # a CLIP folder


def own_sources(run: RunConfig) -> Sources:
    """The sources that the options name."""
    evaluation, prompts = run.evaluation, run.sampling.prompt_file
    return Sources(
        pictures=Path(given_pictures(run.dataset) or ""),
        trigger=run.dataset.trigger,
        class_word=run.dataset.class_word,
        prompts=Path(prompts) if prompts is not None else None,
        manifest=Path(evaluation.references) if evaluation.references is not None else None,
        encoder=None if lacks_recipe_encoder(run) else evaluation.encoder,
        image_encoder=None if lacks_recipe_image_encoder(run) else evaluation.image_encoder,
        preference=evaluation.preference,
        aesthetic=Path(evaluation.aesthetic) if evaluation.aesthetic is not None else None,
        objectives=None if evaluation.objectives is None else list(evaluation.objectives),
    )


def lacks_recipe_encoder(run: RunConfig) -> bool:
    """Whether the CLIP that the model's recipe recommends is not on this machine.

    A run need not wait for it: what it would score is skipped and said. One that was typed is required.
    """
    encoder = run.evaluation.encoder
    return encoder is not None and encoder == run.model.encoder and find_checkpoint(encoder) is None


def lacks_recipe_image_encoder(run: RunConfig) -> bool:
    """The same of the encoder that only reads pictures: the CLIP's own side takes its place."""
    encoder = run.evaluation.image_encoder
    if encoder is None or encoder == PIXELS or encoder != run.model.image_encoder:
        return False
    return find_checkpoint(encoder) is None


def demo_sources(run: RunConfig, demo: DrawnDemo) -> Sources:
    """The sources of a run on the demo model.

    The demo's encoder serves any pictures; its prompts and words only those of its own concept.
    """
    own = own_sources(run)
    own = replace(own, encoder=own.encoder or str(demo.scorer))
    if given_pictures(run.dataset) is not None:
        return own
    listed = demo.luminance if run.sampling.prompt_set is PromptSet.luminance else demo.prompts
    words = json.loads(demo.prompts.read_text(encoding="utf-8"))
    return replace(
        own,
        pictures=demo.train,
        trigger=own.trigger or words["trigger"],
        class_word=own.class_word or words["class_word"],
        prompts=own.prompts or listed,
        manifest=own.manifest or listed,
    )
