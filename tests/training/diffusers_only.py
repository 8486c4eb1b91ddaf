"""A program of diffusers alone: loads a LoRA file and draws, in a process that cannot import this project.

Usage: python diffusers_only.py REQUEST.json    (base, lora, noise, prompts, settings, out; absolute paths)
Writes out/base_NN.png, out/lora_NN.png and out/report.json.
"""

import importlib
import json
import logging
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

OURS = ("engine", "demo", "evaluation", "pages", "train", "tests")


class Blocker:
    """Stands before all other finders and knows nothing of ours."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in OURS:
            raise ImportError(f"{name} is blocked")
        return None


class Kept(logging.Handler):
    """Every record, as text."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.messages.append(f"{record.name}: {record.getMessage()}")


def importable() -> list[str]:
    """Those of our packages that this process can import."""
    found = []
    for name in OURS:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        found.append(name)
    return found


def run(request: dict[str, str], prompts: list[str], settings: dict[str, object]) -> dict[str, object]:
    """Load the base, draw; load the LoRA, draw again."""
    import diffusers
    import numpy as np
    import torch
    from peft import get_peft_model_state_dict
    from peft.tuners.tuners_utils import BaseTunerLayer

    torch.set_num_threads(1)
    kept = Kept()
    for name in ("diffusers", "transformers", "peft"):
        logging.getLogger(name).addHandler(kept)
    out = Path(request["out"])
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(
        request["base"], dtype=torch.float32, safety_checker=None, local_files_only=True
    )
    pipeline.set_progress_bar_config(disable=True)
    schedulers = {"ddim": diffusers.DDIMScheduler, "euler": diffusers.EulerDiscreteScheduler}
    pipeline.scheduler = schedulers[str(settings["sampler"])].from_config(pipeline.scheduler.config)
    noise = torch.from_numpy(np.load(request["noise"]))

    def draw(name: str) -> None:
        images = pipeline(
            prompt=prompts,
            negative_prompt=[str(settings["negative_prompt"])] * len(prompts),
            latents=noise,
            num_inference_steps=settings["steps"],
            guidance_scale=settings["guidance_scale"],
            width=settings["width"],
            height=settings["height"],
        ).images
        for index, image in enumerate(images):
            image.save(out / f"{name}_{index:02d}.png")

    draw("base")
    kept.messages.clear()  # what was said about the base is no matter here
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        pipeline.load_lora_weights(request["lora"], adapter_name="run")
    draw("lora")
    loaded = get_peft_model_state_dict(pipeline.unet, adapter_name="run")
    return {
        "messages": kept.messages,
        "warnings": [f"{entry.category.__name__}: {entry.message}" for entry in warned],
        "adapted": sum(isinstance(module, BaseTunerLayer) for module in pipeline.unet.modules()),
        "matrices": len(loaded),
        "sum_of_squares": sum(float(tensor.double().square().sum()) for tensor in loaded.values()),
    }


def main() -> None:
    """Read the request, answer with files."""
    sys.meta_path.insert(0, Blocker())
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    report = run(request, request["prompts"], request["settings"])
    ours = [name for name in sys.modules if name.partition(".")[0] in OURS]
    report |= {"importable": importable(), "imported": ours, "folder": str(Path.cwd())}
    (Path(request["out"]) / "report.json").write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main()
