"""What a model's recipe brings for scores, where there is no run that says it."""

import json
from pathlib import Path

from demo.folder import prepare_demo
from engine.config import DEMO_CONCEPTS, ModelConfig, is_demo
from engine.config.sources import Sources
from engine.models.locate import find_checkpoint


def recipe_sources(model: ModelConfig, cache_dir: Path) -> Sources:
    """The encoders that a recipe names, as far as they are on this machine; the demo brings all it has."""
    if not is_demo(model):
        return Sources(
            pictures=Path(), encoder=_there(model.encoder), image_encoder=_there(model.image_encoder)
        )
    demo = prepare_demo(DEMO_CONCEPTS[0], cache_dir)
    words = json.loads(demo.prompts.read_text(encoding="utf-8"))
    return Sources(
        pictures=demo.train,
        trigger=words["trigger"],
        class_word=words["class_word"],
        prompts=demo.prompts,
        manifest=demo.prompts,
        encoder=str(demo.scorer),
    )


def _there(encoder: str | None) -> str | None:
    return encoder if encoder is not None and find_checkpoint(encoder) is not None else None
