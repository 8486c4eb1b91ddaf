"""Encoders of SD3's text left out at random in training."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.config import Family, ModelConfig, Prediction
from engine.models.checkpoint import load_family
from engine.models.family import ModelFamily
from engine.training.text_dropout import drop_encoders
from tests.models.tiny_sd3 import write_tiny_sd3

PROMPTS = ["a red star", "a blue ring", "a sks creature"]
ROWS = 77


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> ModelFamily:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_sd3(folder)
    config = ModelConfig(
        name="tiny", family=Family.sd3, prediction=Prediction.flow, checkpoint=str(folder), t5_token_length=16
    )
    return load_family(config, device=torch.device("cpu"), dtype=torch.float32)


def _parts(family: ModelFamily, text: Mapping[str, Tensor]) -> list[Tensor]:
    """What of the text comes from CLIP-L, CLIP-G and T5."""
    left, right = (layer.root.config for layer in _first_layers(family, "text_encoder", "text_encoder_2"))
    first = text["hidden"][:, :ROWS, : left.hidden_size], text["pooled"][:, : left.projection_dim]
    end = left.hidden_size + right.hidden_size
    second = text["hidden"][:, :ROWS, left.hidden_size : end], text["pooled"][:, left.projection_dim :]
    both = [torch.cat([hidden.flatten(1), pooled], dim=1) for hidden, pooled in (first, second)]
    return [*both, text["hidden"][:, ROWS:].flatten(1)]


def _first_layers(family: ModelFamily, *components: str) -> list:  # type: ignore[type-arg]
    return [next(one for one in family.every_layer() if one.component == name) for name in components]


@pytest.mark.parametrize("place", range(3))
def test_each_rate_leaves_out_its_own_encoder(family: ModelFamily, place: int) -> None:
    name = ("clip_l_dropout", "clip_g_dropout", "t5_dropout")[place]
    always = family.with_config(replace(family.config, **{name: 1.0}))
    whole = family.encode_prompts(PROMPTS)
    seen = drop_encoders(always, whole, seed=0, step=3, samples=range(3))
    for index, (before, after) in enumerate(zip(_parts(family, whole), _parts(family, seen), strict=True)):
        assert bool(before.abs().sum() > 0)
        assert torch.equal(after, torch.zeros_like(before) if index == place else before), index


def test_without_a_rate_the_text_is_the_text(family: ModelFamily) -> None:
    whole = family.encode_prompts(PROMPTS)
    assert drop_encoders(family, whole, seed=0, step=3, samples=range(3)) is whole


def test_each_picture_is_drawn_for_by_itself_and_the_same_each_time(family: ModelFamily) -> None:
    half = family.with_config(replace(family.config, t5_dropout=0.5))
    whole = family.encode_prompts(PROMPTS * 20)
    seen = drop_encoders(half, whole, seed=0, step=3, samples=range(60))
    again = drop_encoders(half, whole, seed=0, step=3, samples=range(60))
    assert torch.equal(seen["hidden"], again["hidden"])
    lost = seen["hidden"][:, ROWS:].flatten(1).abs().sum(1) == 0
    assert 15 < int(lost.sum()) < 45
    tail = {name: tensor[40:] for name, tensor in whole.items()}
    later = drop_encoders(half, tail, seed=0, step=3, samples=range(40, 60))
    assert torch.equal(later["hidden"], seen["hidden"][40:])
    other = drop_encoders(half, whole, seed=0, step=4, samples=range(60))
    assert not torch.equal(other["hidden"], seen["hidden"])
