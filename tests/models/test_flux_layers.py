"""FLUX.1's layers at their published size, against those that kohya's scripts put a LoRA on."""

import json
from collections import Counter
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel

from engine.config import Family, LayerGroup
from engine.models.parts import adaptable_layers

GOLDEN = Path("tests/golden/e_lora_keys")


def test_the_published_transformer_has_kohyas_layers_with_their_shapes() -> None:
    golden = json.loads((GOLDEN / "flux_dim16_alpha8.json").read_text())
    expected = Counter(
        (*name.split("_")[2:5:2], tuple(module["org_weight_shape"]))
        for name, module in golden["modules"].items()
        if name.startswith("lora_unet_")
    )
    with torch.device("meta"):
        transformer = FluxTransformer2DModel(guidance_embeds=True)
    found: Counter[tuple[str, str, tuple[int, ...]]] = Counter()
    for layer in adaptable_layers(Family.flux, "transformer", transformer):
        weights = [transformer.get_submodule(name).weight for name in (layer.name, *layer.joined)]
        assert len({weight.shape[1] for weight in weights}) == 1
        kind = "single" if layer.name.startswith("single_") else "double"
        block = layer.name.split(".")[1]
        found[(kind, block, (sum(weight.shape[0] for weight in weights), weights[0].shape[1]))] += 1
    assert found == expected and found.total() == golden["n_unet_modules"] == 304


def test_the_double_blocks_have_as_many_layers_as_kohya_takes_of_them_alone() -> None:
    golden = json.loads((GOLDEN / "flux_dim16_alpha8_double_only.json").read_text())
    with torch.device("meta"):
        transformer = FluxTransformer2DModel()
    layers = adaptable_layers(Family.flux, "transformer", transformer)
    double = [layer for layer in layers if layer.name.startswith("transformer_blocks.")]
    assert len(double) == golden["n_unet_modules"] == 190
    assert Counter(layer.group for layer in double) == {
        LayerGroup.attention: 19 * 4,  # of picture and text: joined queries, keys and values; the way out
        LayerGroup.feed_forward: 19 * 4,
        LayerGroup.modulation: 19 * 2,
    }


def test_a_single_blocks_wide_layer_is_four_modules_in_the_files_order() -> None:
    with torch.device("meta"):
        transformer = FluxTransformer2DModel(num_layers=1, num_single_layers=1)
    layers = adaptable_layers(Family.flux, "transformer", transformer)
    stem = "single_transformer_blocks.0"
    (wide,) = [layer for layer in layers if layer.name == f"{stem}.attn.to_q"]
    assert wide.joined == (f"{stem}.attn.to_k", f"{stem}.attn.to_v", f"{stem}.proj_mlp")
    sizes = [transformer.get_submodule(name).weight.shape[0] for name in (wide.name, *wide.joined)]
    assert sizes == [3072, 3072, 3072, 12288]  # linear1 is [21504, 3072]
