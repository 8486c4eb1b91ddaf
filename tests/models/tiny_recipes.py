"""Checkpoints that a test can make: for each recipe of conf/model/ that needs one, and for each family."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from engine.config import Family, ModelConfig, Prediction
from engine.models.facts import FAMILIES
from tests.models.tiny_anima import write_tiny_anima
from tests.models.tiny_flux import write_tiny_flux
from tests.models.tiny_sd1 import write_tiny_model
from tests.models.tiny_sd2 import write_tiny_sd2
from tests.models.tiny_sd3 import write_tiny_sd3
from tests.models.tiny_sdxl import write_tiny_sdxl

TINY_CHECKPOINTS: dict[str, Callable[[Path], None]] = {
    "sd15": write_tiny_model,
    "sd21": partial(write_tiny_sd2, prediction="v_prediction"),
    "sd21_base": write_tiny_sd2,
    "sdxl": write_tiny_sdxl,
    "sdxl_vpred": partial(write_tiny_sdxl, prediction="v_prediction", zero_terminal_snr=True),
    "pony": write_tiny_sdxl,
    "illustrious": write_tiny_sdxl,
    "sd3_medium": write_tiny_sd3,
    "sd35_medium": partial(write_tiny_sd3, is_35=True),
    "sd35_large": partial(write_tiny_sd3, is_35=True),
    "flux_dev": write_tiny_flux,
    "flux_schnell": partial(write_tiny_flux, is_dev=False),
    "anima": write_tiny_anima,
}

TINY_FAMILIES: dict[Family, Callable[[Path], None]] = {  # that of Stable Diffusion 2 is the first's
    Family.sd1: write_tiny_model,
    Family.sdxl: write_tiny_sdxl,
    Family.sd3: write_tiny_sd3,
    Family.flux: write_tiny_flux,
    Family.anima: write_tiny_anima,
}


def tiny_model(family: Family, folder: Path) -> ModelConfig:
    """Write a checkpoint of the family into the folder; its model as a run names it."""
    TINY_FAMILIES[family](folder)
    prediction = Prediction.flow if FAMILIES[family].is_flow else Prediction.epsilon
    return ModelConfig(family=family, checkpoint=str(folder), prediction=prediction)
