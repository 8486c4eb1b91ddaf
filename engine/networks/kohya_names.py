"""The names of LoRA tensors in a file, as kohya's sd-scripts writes them and most programs read them."""

PREFIXES = {"unet": "lora_unet", "text_encoder": "lora_te"}  # component -> first part of the key

ALPHA = "alpha"  # 0-dim
DOWN = "lora_down.weight"  # (rank, in) or (rank, in, kh, kw)
UP = "lora_up.weight"  # (out, rank) or (out, rank, 1, 1)

_CLIP_TOWER = "text_model"  # kohya's text encoder still has this level; transformers 5.6 took it away


def kohya_key(component: str, module_path: str) -> str:
    """The key of a layer, without the ending .alpha, .lora_down.weight or .lora_up.weight.

    component    a key of PREFIXES
    module_path  dotted path of the module inside its component, diffusers' or transformers' name
    Source: sd-scripts 0.10.1, networks/lora.py (checked against its own files).
    """
    path = module_path
    if component.startswith("text_encoder") and not path.startswith(f"{_CLIP_TOWER}."):
        path = f"{_CLIP_TOWER}.{path}"
    return f"{PREFIXES[component]}.{path}".replace(".", "_")
