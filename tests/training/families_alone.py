"""A program of diffusers alone: any family's checkpoint, a LoRA file, a picture from given noise.

Usage: python families_alone.py REQUEST.json    (base, lora, noise, prompt, settings, out; absolute paths)
Writes out/base.png, out/lora.png and out/report.json: what was said, which layers were adapted.

For Anima it lends diffusers one function: its file of the Cosmos transformer calls torchvision's resize,
which is not installed here, to bring a mask to the size of the latents. A stand-in for torchvision in
sys.modules would not do: diffusers asks the installed packages for it. So that file's own name is set.
"""

import json
import logging
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, ModularPipeline
    from PIL import Image
    from torch import Tensor

MODULAR = "modular_model_index.json"  # of a folder that only a modular pipeline reads


class Kept(logging.Handler):
    """Every warning, as text."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.messages.append(record.getMessage())


def lend_resize() -> None:
    """The one function of torchvision that diffusers' Cosmos transformer calls."""
    from diffusers.models.transformers import transformer_cosmos
    from torch.nn.functional import interpolate

    def resize(mask: "Tensor", size: list[int], interpolation: str) -> "Tensor":
        return interpolate(mask, size=size, mode=interpolation)

    transformer_cosmos.transforms = SimpleNamespace(
        functional=SimpleNamespace(resize=resize), InterpolationMode=SimpleNamespace(NEAREST="nearest")
    )


def load(base: Path) -> "DiffusionPipeline | ModularPipeline":
    """The checkpoint's pipeline, float32."""
    import torch
    from diffusers import DiffusionPipeline, ModularPipeline

    if (base / MODULAR).is_file():
        lend_resize()
        pipeline = ModularPipeline.from_pretrained(base)
        pipeline.load_components(dtype=torch.float32)
    else:
        pipeline = DiffusionPipeline.from_pretrained(base, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def draw(
    pipeline: "DiffusionPipeline | ModularPipeline", noise: "Tensor", settings: dict[str, object]
) -> "Image.Image":
    """The picture of noise [1, C, h, w]."""
    from diffusers import FluxPipeline, ModularPipeline

    if isinstance(pipeline, ModularPipeline):
        given = dict(settings)
        pipeline.guider.guidance_scale = given.pop("guidance_scale")
        return pipeline(latents=noise[:, :, None], output="images", **given)[0]
    if isinstance(pipeline, FluxPipeline):
        noise = FluxPipeline._pack_latents(noise, *noise.shape)
    return pipeline(latents=noise, **settings).images[0]


def main(request: dict[str, str]) -> None:
    """Draw without the LoRA, then with it; engine cannot be imported meanwhile."""
    sys.modules["engine"] = None  # type: ignore[assignment]  # Python then says that there is none
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer
    from safetensors.torch import load_file

    pipeline = load(Path(request["base"]))
    noise = load_file(request["noise"])["noise"]
    settings = {**json.loads(request["settings"]), "prompt": request["prompt"]}
    out = Path(request["out"])
    draw(pipeline, noise, settings).save(out / "base.png")
    kept = Kept()
    for name in ("diffusers", "peft"):
        logging.getLogger(name).addHandler(kept)
    pipeline.load_lora_weights(request["lora"])
    parts = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    adapted = sum(isinstance(module, BaseTunerLayer) for part in parts for module in part.modules())
    draw(pipeline, noise, settings).save(out / "lora.png")
    report = {"said": kept.messages, "adapted": adapted, "ours": find_spec("engine") is not None}
    (out / "report.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
