"""A program of diffusers alone: any family's checkpoint, a LoRA file, a picture from given noise.

Usage: python families_alone.py REQUEST.json    (base, lora, noise, prompt, settings, out; absolute paths)
Writes out/base.png, out/lora.png and out/report.json: what was said, which layers were adapted.
"""

import json
import logging
import sys
from importlib.util import find_spec
from pathlib import Path


class Kept(logging.Handler):
    """Every warning, as text."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.messages.append(record.getMessage())


def main(request: dict[str, str]) -> None:
    """Draw without the LoRA, then with it."""
    import torch
    from diffusers import DiffusionPipeline, FluxPipeline
    from peft.tuners.tuners_utils import BaseTunerLayer
    from safetensors.torch import load_file

    pipeline = DiffusionPipeline.from_pretrained(request["base"], dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    noise = load_file(request["noise"])["noise"]
    if isinstance(pipeline, FluxPipeline):
        noise = FluxPipeline._pack_latents(noise, *noise.shape)
    settings = {**json.loads(request["settings"]), "prompt": request["prompt"]}
    out = Path(request["out"])
    pipeline(latents=noise, **settings).images[0].save(out / "base.png")
    kept = Kept()
    for name in ("diffusers", "peft"):
        logging.getLogger(name).addHandler(kept)
    pipeline.load_lora_weights(request["lora"])
    parts = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    adapted = sum(isinstance(module, BaseTunerLayer) for part in parts for module in part.modules())
    pipeline(latents=noise, **settings).images[0].save(out / "lora.png")
    report = {"said": kept.messages, "adapted": adapted, "ours": find_spec("engine") is not None}
    (out / "report.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
