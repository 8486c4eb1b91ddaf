"""Rows of a file against diffusers' own conversion of checkpoints in the original's layout."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import FluxTransformer2DModel
from diffusers.loaders.single_file_utils import (
    convert_cosmos_transformer_checkpoint_to_diffusers,
    convert_flux_transformer_checkpoint_to_diffusers,
    convert_sd3_transformer_checkpoint_to_diffusers,
)
from published_models import anima_transformer, sd3_transformer
from torch import Tensor, nn

from engine.config import Family, LoRAConfig
from engine.models.parts import adaptable_layers, every_layer
from engine.networks.files import LoRAFile
from engine.networks.kohya_names import kohya_key
from engine.networks.lora import attach_lora
from engine.networks.lora_from_file import attach_lora_file
from engine.networks.lora_layers import LoRALayer

RANK = 2
CPU = torch.device("cpu")
_ATTENTION = ("q_proj", "k_proj", "v_proj", "output_proj")
_ANIMA_BLOCK = (
    *(f"self_attn.{name}" for name in _ATTENTION),
    *(f"cross_attn.{name}" for name in _ATTENTION),
    *(f"adaln_modulation_{name}.{part}" for name in ("self_attn", "cross_attn", "mlp") for part in (1, 2)),
    "mlp.layer1",
    "mlp.layer2",
)
_ANIMA_OUTSIDE = ("final_layer.linear", "final_layer.adaln_modulation.1", "final_layer.adaln_modulation.2")


class Original(dict[str, Tensor]):
    """A checkpoint in the original's layout whose weights are the rows of a file; whoever asks names them."""

    def __init__(self, rows: dict[str, Tensor], **present: Tensor) -> None:
        super().__init__({name.replace("__", "."): tensor for name, tensor in present.items()})
        self.rows = rows  # kohya's key -> lora_up
        self.asked: set[str] = set()

    def pop(self, name: str, *default: object) -> Tensor:  # type: ignore[override]
        key = "lora_unet_" + name.rpartition(".")[0].replace(".", "_")
        if key not in self.rows:
            return torch.zeros(1)
        if not name.endswith(".weight"):
            return torch.zeros(len(self.rows[key]))
        self.asked.add(key)
        return self.rows[key]


def sd3_names() -> dict[str, Tensor]:
    """What the conversion counts blocks and finds second attentions by."""
    nothing = torch.zeros(1, 1)
    return {
        "joint_blocks__0__x_block__attn2__qkv__weight": nothing,
        "joint_blocks__1__x_block": nothing,
        "context_embedder__weight": nothing,
    }


def flux() -> nn.Module:
    with torch.device("meta"):
        return FluxTransformer2DModel(num_layers=1, num_single_layers=1, guidance_embeds=True)


def of_sd3(rows: dict[str, Tensor]) -> tuple[dict[str, Tensor], set[str]]:
    original = Original(rows, **sd3_names())
    return convert_sd3_transformer_checkpoint_to_diffusers(original), original.asked


def of_flux(rows: dict[str, Tensor]) -> tuple[dict[str, Tensor], set[str]]:
    nothing = torch.zeros(1)
    names = ("double_blocks__0__a", "single_blocks__0__a", "guidance_in__a")
    original = Original(rows, **dict.fromkeys(names, nothing))
    return convert_flux_transformer_checkpoint_to_diffusers(original), original.asked


def of_anima(rows: dict[str, Tensor]) -> tuple[dict[str, Tensor], set[str]]:
    names = [*(f"blocks.{i}.{name}" for i in range(28) for name in _ANIMA_BLOCK), *_ANIMA_OUTSIDE]
    keys = {name: "lora_unet_" + name.replace(".", "_") for name in names}
    checkpoint = {f"net.{name}.weight": rows[key] for name, key in keys.items()}
    return convert_cosmos_transformer_checkpoint_to_diffusers(checkpoint), set(keys.values())


CASES: dict[Family, tuple[Callable[[], nn.Module], Callable[..., tuple[dict[str, Tensor], set[str]]]]] = {
    Family.sd3: (lambda: sd3_transformer(2, 1), of_sd3),
    Family.flux: (flux, of_flux),
    Family.anima: (anima_transformer, of_anima),
}


def file_on_every_linear(family: Family, root: nn.Module) -> dict[str, Tensor]:
    """A file with a pair of random matrices for each of the original's layers."""
    draws = torch.Generator().manual_seed(0)
    outputs: dict[str, int] = {}
    inputs: dict[str, int] = {}
    for name, module in root.named_modules():
        if isinstance(module, nn.Linear):
            key = kohya_key(family, "transformer", name)
            outputs[key] = outputs.get(key, 0) + module.out_features
            inputs[key] = module.in_features
    state = {}
    for key, number in outputs.items():
        state[f"{key}.lora_down.weight"] = torch.randn(RANK, inputs[key], generator=draws)
        state[f"{key}.lora_up.weight"] = torch.randn(number, RANK, generator=draws)
        state[f"{key}.alpha"] = torch.tensor(float(RANK))
    return state


@pytest.mark.parametrize("family", CASES)
def test_every_row_of_a_file_goes_where_the_originals_row_goes(family: Family) -> None:
    build, convert = CASES[family]
    root = build().requires_grad_(False)
    state = file_on_every_linear(family, root)
    rows = {key.partition(".")[0]: value for key, value in state.items() if key.endswith("lora_up.weight")}
    expected, asked = convert(dict(rows))
    if family is not Family.anima:  # whose conversion passes on what it does not know
        assert asked == set(rows)

    network = attach_lora_file(
        LoRAFile(state=state, metadata={}),
        every_layer({"transformer": root}),
        family=family,
        path=Path("f"),
        device=CPU,
    )
    read = {name: module for name, module in root.named_modules() if isinstance(module, LoRALayer)}
    compared = [name for name in read if f"{name}.weight" in expected]
    assert network.num_layers == len(rows) and len(compared) >= len(asked)
    for name in compared:
        assert torch.equal(read[name].matrices.up.t(), expected[f"{name}.weight"]), name
    network.detach()

    layers = adaptable_layers(family, "transformer", root)
    config = LoRAConfig(rank=RANK, alpha=float(RANK), layers=list({layer.group for layer in layers}))
    ours = attach_lora(config, layers, family=family, seed=0, device=CPU)
    own = {key: state[key] for key in ours.state()}
    ours.load_state(own)
    for attached in ours.layers:
        for name, layer in attached.modules:
            assert torch.equal(layer.matrices.up.t(), expected[f"{name}.weight"]), name
    assert all(torch.equal(tensor, own[key]) for key, tensor in ours.state().items())
    assert any(one.swapped for one in ours.layers) == (family is Family.sd3)
