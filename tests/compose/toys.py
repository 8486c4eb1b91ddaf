"""Runs composed from conf/, and a diffusers folder made of headers only."""

import json
import struct
from pathlib import Path

from hydra import compose, initialize_config_dir

from engine.compose.load import load
from engine.compose.register import register
from engine.config import RunConfig

PROJECT = Path(__file__).parents[2]
CONF = PROJECT / "conf"

UNET = {
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight": [8, 4],
    "down_blocks.0.attentions.0.transformer_blocks.0.ff.net.2.weight": [1, 1],
    "down_blocks.0.attentions.0.proj_in.weight": [1, 1],
    "down_blocks.0.resnets.0.conv1.weight": [6, 4, 3, 3],
    "down_blocks.0.resnets.0.norm1.weight": [4],
    "conv_in.weight": [4, 4, 3, 3],
}


def composed(*overrides: str) -> RunConfig:
    """The run of an override list, as Hydra composes it."""
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return load(compose("config", overrides=list(overrides)))


def write_header_only(file: Path, shapes: dict[str, list[int]], dtype: str = "F16") -> None:
    """A safetensors file of zeros."""
    header, offset = {}, 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(offset))


def write_checkpoint(
    folder: Path, *, pipeline: str = "StableDiffusionPipeline", prediction: str = "epsilon"
) -> Path:
    """A diffusers folder that says what it is and holds zeros."""
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        (folder / part).mkdir(parents=True)
    (folder / "tokenizer/vocab.json").write_text("{}")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": pipeline}))
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps({"prediction_type": prediction}))
    for part in ("unet", "text_encoder"):
        (folder / part / "config.json").write_text("{}")
    (folder / "vae/config.json").write_text(json.dumps({"block_out_channels": [4, 4, 4]}))
    write_header_only(folder / "unet/diffusion_pytorch_model.safetensors", UNET)
    write_header_only(folder / "vae/diffusion_pytorch_model.safetensors", {"conv.weight": [10]})
    write_header_only(folder / "text_encoder/model.safetensors", {"embedding.weight": [5, 2]})
    return folder
