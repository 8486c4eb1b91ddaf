"""Encoders of a text that are left out at random, so that a model learns to draw without each of them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from engine.config import ModelConfig
from engine.diffusion.seeding import uniform_draws
from engine.models.family import DropsText, ModelFamily


def drop_encoders(
    family: ModelFamily, text: Mapping[str, Tensor], *, seed: int, step: int, samples: Sequence[int]
) -> Mapping[str, Tensor]:
    """The text of a batch, some encoders' part of it zero; the text itself where no rate is given.

    samples  the pictures' places within the step: with seed and step they decide
    Source: Esser et al. 2024, section 5.3.1 (46.4 % of the time for each of the three).
    """
    rates = _rates(family.config)
    if not any(rates):
        return text
    assert isinstance(family, DropsText), "a rule refuses it for other families"
    columns = [
        uniform_draws(seed, f"text_dropout.{place}", step=step, samples=samples) < rate
        for place, rate in enumerate(rates)
    ]
    return family.drop_text(text, torch.stack(columns, dim=1))


def _rates(model: ModelConfig) -> tuple[float, float, float]:
    return model.clip_l_dropout, model.clip_g_dropout, model.t5_dropout
