"""Modules that are one layer in files: one LoRA for all of them, as on a model that has them fused."""

from pathlib import Path

import pytest
import torch
from network_toys import Layer, fill_up
from torch import Tensor, nn

from engine.config import Family, LayerGroup, LoRAConfig
from engine.models.family import ModelLayer
from engine.networks.files import read_lora, save_lora
from engine.networks.lora import LoRANetwork, attach_loras
from engine.networks.lora_from_file import attach_lora_file, read_kohya_lora

CPU = torch.device("cpu")
BLOCK = "single_transformer_blocks.0"
MEMBERS = ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp")
OUTPUTS = (4, 4, 4, 10)
KEY = "lora_unet_single_blocks_0_linear1"


def split_model(dtype: torch.dtype = torch.float64) -> nn.Module:
    """The four modules of a FLUX single block that have the same input, and what comes out of the block."""
    torch.manual_seed(0)
    attention = nn.ModuleDict({name: nn.Linear(6, 4) for name in ("to_q", "to_k", "to_v")})
    block = nn.ModuleDict({"attn": attention, "proj_mlp": nn.Linear(6, 10), "proj_out": nn.Linear(14, 6)})
    root = nn.ModuleDict({"single_transformer_blocks": nn.ModuleList([block])})
    return root.to(dtype).requires_grad_(False)


def fused_model(split: nn.Module) -> nn.Module:
    """The same weights as one Linear, as the original FLUX has them, under a name that is not joined."""
    parts = [split.get_submodule(f"{BLOCK}.{name}") for name in MEMBERS]
    fused = nn.Linear(6, sum(OUTPUTS)).to(parts[0].weight.dtype)
    fused.weight.data = torch.cat([part.weight for part in parts])
    fused.bias.data = torch.cat([part.bias for part in parts])
    return nn.ModuleDict({"fused": fused}).requires_grad_(False)


def attach(root: nn.Module, *ranks: int, dropout: float = 0.0) -> LoRANetwork:
    names = [f"{BLOCK}.{name}" for name in MEMBERS]
    target = Layer("transformer", names[0], root, LayerGroup.attention, joined=tuple(names[1:]))
    return attach_to(root, target, ranks, dropout)


def attach_fused(root: nn.Module, *ranks: int) -> LoRANetwork:
    return attach_to(root, Layer("transformer", "fused", root, LayerGroup.attention), ranks, 0.0)


def attach_to(root: nn.Module, target: Layer, ranks: tuple[int, ...], dropout: float) -> LoRANetwork:
    configs = [
        LoRAConfig(layers=[LayerGroup.attention], rank=rank, alpha=2.0 + rank, dropout=dropout)
        for rank in ranks
    ]
    return attach_loras(
        configs,
        [target],
        family=Family.flux,
        seeds=range(len(ranks)),
        device=CPU,
        dtype=next(root.parameters()).dtype,
    )


def say(root: nn.Module, x: Tensor) -> Tensor:
    return torch.cat([root.get_submodule(f"{BLOCK}.{name}")(x) for name in MEMBERS], dim=-1)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def as_fused(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.replace(KEY, "lora_unet_fused"): value for key, value in state.items()}


def test_each_module_adds_its_own_rows_of_up_to_what_down_gives_by_hand() -> None:
    root = nn.ModuleDict(
        {"transformer_blocks": nn.ModuleList([nn.ModuleDict({"attn": nn.ModuleDict()})])}
    ).requires_grad_(False)
    attention = root.get_submodule("transformer_blocks.0.attn")
    for name in ("to_q", "to_k", "to_v"):
        attention[name] = nn.Linear(2, 1, bias=False).requires_grad_(False)
        nn.init.zeros_(attention[name].weight)
    names = [f"transformer_blocks.0.attn.{name}" for name in ("to_q", "to_k", "to_v")]
    target = Layer("transformer", names[0], root, LayerGroup.attention, joined=tuple(names[1:]))
    network = attach_to(root, target, (1,), 0.0)
    key = "lora_unet_double_blocks_0_img_attn_qkv"
    network.load_state(
        {
            f"{key}.alpha": torch.tensor(3.0),
            f"{key}.lora_down.weight": torch.tensor([[1.0, 10.0]]),
            f"{key}.lora_up.weight": torch.tensor([[1.0], [2.0], [-5.0]]),
        }
    )
    x = torch.tensor([[2.0, 3.0]])  # down gives 32; alpha / rank is 3
    assert [attention[name](x).item() for name in ("to_q", "to_k", "to_v")] == [96.0, 192.0, -480.0]


def test_one_down_and_one_up_are_kept_counted_and_saved() -> None:
    network = attach(split_model(), 3)
    assert [one.key for one in network.layers] == [KEY]
    shapes = {key: tuple(value.shape) for key, value in network.state().items()}
    assert shapes == {
        f"{KEY}.alpha": (),
        f"{KEY}.lora_down.weight": (3, 6),
        f"{KEY}.lora_up.weight": (22, 3),
    }
    assert network.num_parameters == 3 * 6 + 22 * 3 == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("ranks", [(3,), (2, 3)])
def test_training_equals_training_of_the_fused_layer(ranks: tuple[int, ...]) -> None:
    split = split_model()
    fused = fused_model(split)
    ours, theirs = attach(split, *ranks), attach_fused(fused, *ranks)
    fill_up(theirs)
    for slot in range(len(ranks)):
        state = theirs.state(slot)
        ours.load_state({key.replace("lora_unet_fused", KEY): value for key, value in state.items()}, slot)
    x, wanted = draw(4 * len(ranks), 6), draw(4 * len(ranks), 22)
    for network, answer in ((ours, lambda: say(split, x)), (theirs, lambda: fused["fused"](x))):
        optimizers = [torch.optim.AdamW(network.parameters(slot), lr=1e-2) for slot in range(len(ranks))]
        for _ in range(5):
            network.zero_grad()
            (answer() - wanted).square().sum().backward()
            for optimizer in optimizers:
                optimizer.step()
    torch.testing.assert_close(say(split, x), fused["fused"](x), rtol=1e-10, atol=1e-10)
    for slot in range(len(ranks)):
        torch.testing.assert_close(as_fused(ours.state(slot)), theirs.state(slot), rtol=1e-9, atol=1e-9)


def test_strength_switch_and_detaching_reach_every_module() -> None:
    root = split_model()
    modules = dict(root.named_modules())
    x = draw(5, 6)
    before = say(root, x)
    network = attach(root, 3)
    assert torch.equal(say(root, x), before)
    fill_up(network)
    change = say(root, x) - before
    assert all(bool(part.abs().min() > 0) for part in change.split(OUTPUTS, dim=-1))
    changes = [layer.weight_change() for _, layer in network.layers[0].modules]
    torch.testing.assert_close(x @ torch.cat(changes).t(), change)
    network.set_strength(-0.5)
    torch.testing.assert_close(say(root, x) - before, -0.5 * change)
    with network.disabled():
        assert torch.equal(say(root, x), before)
    assert not torch.equal(say(root, x), before)
    network.detach()
    assert dict(root.named_modules()) == modules and torch.equal(say(root, x), before)


def test_dropout_is_drawn_by_each_module_and_is_off_outside_training() -> None:
    root = split_model()
    network = attach(root, 3, dropout=0.5)
    fill_up(network)
    x = draw(200, 6)
    network.train(False)
    whole = say(root, x)
    network.train(True)
    torch.manual_seed(0)
    dropped = say(root, x)
    assert all(
        not torch.equal(a, b)
        for a, b in zip(dropped.split(OUTPUTS, -1), whole.split(OUTPUTS, -1), strict=True)
    )
    network.train(False)
    assert torch.equal(say(root, x), whole)


def test_the_file_comes_back_on_the_network_and_on_the_bare_model(tmp_path: Path) -> None:
    root = split_model(torch.float32)
    network = attach(root, 3)
    fill_up(network)
    x = draw(5, 6).float()
    trained = say(root, x)
    path = tmp_path / "flux.safetensors"
    save_lora(path, network.state(), {}, dtype=torch.float32)
    network.detach()
    layers = [
        ModelLayer(component="transformer", name=name, root=root)
        for name, module in root.named_modules()
        if isinstance(module, nn.Linear)
    ]
    read = attach_lora_file(read_kohya_lora(path), layers, family=Family.flux, path=path, device=CPU)
    assert torch.equal(say(root, x), trained) and read.num_layers == 1
    read.detach()
    again = attach(root, 3)
    again.load_state(read_lora(path).state)
    assert torch.equal(say(root, x), trained)


def test_modules_of_unequal_inputs_are_refused() -> None:
    root = split_model()
    names = (f"{BLOCK}.attn.to_q", f"{BLOCK}.proj_out")
    target = Layer("transformer", names[0], root, LayerGroup.attention, joined=names[1:])
    with pytest.raises(ValueError, match="Linear ones of the same input"):
        attach_to(root, target, (2,), 0.0)
