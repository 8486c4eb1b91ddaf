"""Names of the original layouts at published sizes, against the layers that kohya names by them."""

import json
from pathlib import Path

import diffusers
import original_layout
import pytest
import torch
import transformers
from accelerate import init_empty_weights
from torch import nn

from engine.config import Family
from engine.models.facts import FAMILIES
from engine.models.layouts import CONFIGS, families_of, layout_of, no_base
from engine.models.original_names import diffusers_names

GOLDEN = Path(__file__).parents[1] / "golden/e_lora_keys"
# layout -> what diffusers converts, kohya's file, how its names of the denoiser begin.
LAYOUTS = {
    "sdxl": ("unet", "sdxl_dim16_alpha8", "lora_unet_"),
    "sd3_medium": ("mmdit", "sd3m_dim16_alpha8", "lora_unet_"),
    "flux_dev": ("flux", "flux_dim16_alpha8", "lora_unet_"),
    "anima": ("cosmos", "anima_dim16_alpha8", "lora_unet_"),
}
# Numbers of all published denoisers, as their pages and diffusers' conversions have them.
SIZES = {
    "sd1": 859_520_964,
    "sd2": 865_910_724,
    "sdxl": 2_567_463_684,
    "sd3_medium": 2_028_328_000,
    "sd35_medium": 2_243_171_520,
    "sd35_large": 8_056_627_520,
    "flux_dev": 11_901_408_320,
    "flux_schnell": 11_891_178_560,
    "anima": 1_956_405_248,
}
# The same of the other parts; text encoders without what they tie.
OTHERS = {
    "sd1/text_encoder": 123_060_480,
    "sd1/vae": 83_653_863,
    "sd2/text_encoder": 340_387_840,
    "sdxl/text_encoder_2": 694_659_840,
    "flux_dev/vae": 83_819_683,
    "flux_dev/text_encoder_2": 4_762_310_656,
    "anima/text_encoder": 596_049_920,
    "anima/vae": 126_892_531,
}
FAMILY = {"flux": Family.flux, "sd3": Family.sd3, "sd35": Family.sd3}


def published(layout: str) -> nn.Module:
    """The denoiser of the settings that are shipped, without weights."""
    (config,) = CONFIGS.glob(f"{layout}/[ut][nr]*/config.json")
    settings = json.loads(config.read_text())
    if "pos_embed_max_size" in settings:
        settings["pos_embed_max_size"] = 8  # a table that takes ten seconds to fill, and no layer
    with init_empty_weights():
        model: nn.Module = getattr(diffusers, settings["_class_name"]).from_config(settings)
    return model


def family_of(layout: str) -> Family:
    first = layout.split("_")[0]
    return FAMILY.get(first) or Family[first]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layer_that_kohya_names_stands_for_modules_of_diffusers(layout: str) -> None:
    form, file, begins = LAYOUTS[layout]
    model = published(layout)
    settings = dict(model.config)  # type: ignore[arg-type]
    weights = getattr(original_layout, form)(model.state_dict(), settings)
    layers = json.loads((GOLDEN / f"{file}.json").read_text())["modules"]
    wanted = {
        name.removeprefix(begins): layer["org_weight_shape"]
        for name, layer in layers.items()
        if name.startswith(begins) and not name.startswith(f"{begins}llm_adapter")
    }
    originals = {name.rpartition(".")[0] for name in weights}
    by_key = {name.replace(".", "_"): name for name in originals}
    assert set(wanted) <= set(by_key) and wanted
    modules = dict(model.named_modules())
    for key, shape in wanted.items():
        names = diffusers_names(form, by_key[key], layers_per_block=settings.get("layers_per_block", 0))
        assert names, by_key[key]
        outputs = sum(modules[name].weight.shape[0] for name in names)
        assert [outputs, *modules[names[0]].weight.shape[1:]] == shape


@pytest.mark.parametrize("layout", SIZES)
def test_shipped_settings_make_the_published_sizes_and_names_and_shapes_tell_them_apart(layout: str) -> None:
    form = {"sd1": "unet", "sd2": "unet", "sdxl": "unet", "anima": "cosmos"}.get(layout)
    form = form or ("flux" if layout.startswith("flux") else "mmdit")
    model = published(layout)
    assert sum(weight.numel() for weight in model.parameters()) == SIZES[layout]
    weights = getattr(original_layout, form)(model.state_dict(), dict(model.config))  # type: ignore[arg-type]
    for prefix in ("", "model.diffusion_model."):
        shapes = {prefix + name: tuple(weight.shape) for name, weight in weights.items()}
        assert families_of(shapes) == (family_of(layout),)
        assert layout_of(family_of(layout), shapes) == layout
        assert no_base(shapes) is None


@pytest.mark.parametrize("part", OTHERS)
def test_shipped_settings_make_the_other_parts_of_the_published_size(part: str) -> None:
    settings = json.loads((CONFIGS / part / "config.json").read_text())
    with torch.device("meta"):
        if "_class_name" in settings:
            model = getattr(diffusers, settings["_class_name"]).from_config(settings)
        else:
            kind = getattr(transformers, settings["architectures"][0])
            model = kind(kind.config_class.from_dict(settings))
    assert sum(weight.numel() for weight in model.parameters()) == OTHERS[part]


def test_every_layout_has_the_settings_of_every_part() -> None:
    for layout in SIZES:
        facts = FAMILIES[family_of(layout)]
        folder = CONFIGS / layout
        for part in facts.weighty:
            assert (folder / part / "config.json").is_file(), (layout, part)
        for part in facts.tokenizers:
            settings = json.loads((folder / part / "tokenizer_config.json").read_text())
            assert {"pad_token", "model_max_length"} <= set(settings)
        assert (folder / "scheduler/scheduler_config.json").is_file()
