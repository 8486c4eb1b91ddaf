"""A program of diffusers alone: FLUX of the published width, a LoRA file, what is predicted with and without.

Usage: python flux_alone.py REQUEST.json    (transformer, text_encoder, lora, inputs, out; paths are absolute)
Writes out/predicted.safetensors and out/report.json: what was said, which modules carry the LoRA.
The models are made from seed 0, here as there: two gigabytes need not be written down.
"""

import json
import logging
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusers import FluxTransformer2DModel
    from torch import Tensor
    from transformers import CLIPTextModel


class Kept(logging.Handler):
    """Every warning, as text."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.messages.append(record.getMessage())


def make_transformer(settings: dict[str, int]) -> "FluxTransformer2DModel":
    """Random weights, float32, frozen."""
    import torch
    from diffusers import FluxTransformer2DModel

    torch.manual_seed(0)
    return FluxTransformer2DModel(**settings).requires_grad_(False).eval()


def make_text_encoder(settings: dict[str, int]) -> "CLIPTextModel":
    """Random weights, float32, frozen."""
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    return CLIPTextModel(CLIPTextConfig(**settings)).requires_grad_(False).eval()


def predict(
    transformer: "FluxTransformer2DModel", text_encoder: "CLIPTextModel", inputs: dict[str, "Tensor"]
) -> dict[str, "Tensor"]:
    """pooled [B, P] of the text encoder, and what the transformer makes of it and of the other inputs."""
    import torch

    given = dict(inputs)
    with torch.no_grad():
        pooled = text_encoder(given.pop("ids")).pooler_output
        predicted = transformer(**given, pooled_projections=pooled, return_dict=False)[0]
    return {"pooled": pooled, "predicted": predicted}


def main(request: dict[str, str]) -> None:
    """Predict without the LoRA, then with it; engine cannot be imported meanwhile."""
    sys.modules["engine"] = None  # type: ignore[assignment]  # Python then says that there is none
    import torch
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline
    from peft.tuners.tuners_utils import BaseTunerLayer
    from safetensors.torch import load_file, save_file

    torch.set_num_threads(1)
    transformer = make_transformer(json.loads(request["transformer"]))
    text_encoder = make_text_encoder(json.loads(request["text_encoder"]))
    pipeline = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=AutoencoderKL(block_out_channels=(32,)),
        text_encoder=text_encoder,
        tokenizer=None,
        text_encoder_2=None,
        tokenizer_2=None,
        transformer=transformer,
    )
    inputs, out = load_file(request["inputs"]), Path(request["out"])
    bare = predict(transformer, text_encoder, inputs)
    kept = Kept()
    for name in ("diffusers", "peft", "transformers"):
        logging.getLogger(name).addHandler(kept)
    pipeline.load_lora_weights(request["lora"])
    named = {"transformer": transformer, "text_encoder": text_encoder}
    adapted = [
        f"{part}.{path}"
        for part, model in named.items()
        for path, module in model.named_modules()
        if isinstance(module, BaseTunerLayer)
    ]
    changed = predict(transformer, text_encoder, inputs)
    save_file(
        {**{f"bare.{key}": value for key, value in bare.items()}, **changed}, out / "predicted.safetensors"
    )
    report = {"said": kept.messages, "adapted": adapted, "ours": find_spec("engine") is not None}
    (out / "report.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
