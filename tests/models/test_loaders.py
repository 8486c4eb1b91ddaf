"""Each family's own code loads its checkpoints."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.compose.recipe import model_recipe
from engine.config import Family
from engine.models import checkpoint
from engine.models.family import ModelFamily
from tests.models.tiny_recipes import TINY_CHECKPOINTS

RECIPES = {
    Family.sd1: "sd15",
    Family.sd2: "sd21",
    Family.sdxl: "sdxl",
    Family.sd3: "sd35_medium",
    Family.flux: "flux_schnell",
    Family.anima: "anima",
}


def test_the_familys_own_code_loads_the_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Family] = []

    def loader_of(family: Family) -> Callable[..., ModelFamily]:
        def load(*given: object, **named: object) -> ModelFamily:
            asked.append(family)
            return loaders[family](*given, **named)

        return load

    loaders = dict(checkpoint.LOADERS)
    assert set(loaders) == set(RECIPES) == set(Family)
    monkeypatch.setattr(checkpoint, "LOADERS", {family: loader_of(family) for family in Family})
    monkeypatch.setattr(checkpoint, "_loaded", {})
    for family, recipe in RECIPES.items():
        TINY_CHECKPOINTS[recipe](tmp_path / recipe)
        config = model_recipe(recipe, checkpoint=str(tmp_path / recipe))
        loaded = checkpoint.load_family(config, device=torch.device("cpu"), dtype=torch.float32)
        assert loaded.config.family is family
    assert asked == list(RECIPES)
