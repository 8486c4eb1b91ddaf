"""A LoRA under diffusers' own names, for the families of which it does not read files in kohya's."""

from torch import Tensor

from engine.config import Family
from engine.networks.lora import LoRANetwork

# diffusers 0.42.1 has no conversion for these: it takes a file in kohya's names and adapts nothing, unsaid.
UNREAD_BY_DIFFUSERS = (Family.sd3, Family.anima)


def diffusers_state(network: LoRANetwork, *, slot: int = 0) -> dict[str, Tensor]:
    """Copies of a slot's weights on the CPU, a pair a module, as diffusers' save_lora_weights names them.

    component.path.lora_A.weight  [rank, in] or [rank, in, kh, kw]; joined modules have the same one
    component.path.lora_B.weight  [out, rank] or [out, rank, 1, 1], multiplied by alpha / rank: these names
                                  have no alpha, and are read as if it were the rank
    """
    state: dict[str, Tensor] = {}
    for attached, down, ups in network.matrices(slot):
        scale = attached.alphas[slot] / len(down)
        for (path, _), up in zip(attached.modules, ups, strict=True):
            rows = up.t() * scale
            name = f"{attached.component}.{path}"
            state[f"{name}.lora_A.weight"] = down.to("cpu", copy=True)
            state[f"{name}.lora_B.weight"] = rows.reshape(*rows.shape, *[1] * (down.dim() - 2)).to("cpu")
    return {key: tensor.contiguous() for key, tensor in state.items()}
