"""The factor that a contrastive model learned for its cosines, read from its files without loading it."""

import math
from pathlib import Path

import numpy as np
from safetensors import safe_open

_KEY = "logit_scale"


def read_logit_scale(files: list[Path]) -> float | None:
    """exp(logit_scale) from safetensors files; None where none of them holds it as a plain float."""
    for file in files:
        if file.suffix != ".safetensors":
            continue
        with safe_open(file, framework="numpy") as weights:
            if _KEY in weights.keys() and weights.get_slice(_KEY).get_dtype() in ("F16", "F32", "F64"):  # noqa: SIM118
                return math.exp(float(np.asarray(weights.get_tensor(_KEY)).reshape(())))
    return None
