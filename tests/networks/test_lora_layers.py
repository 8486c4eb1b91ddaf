"""One LoRA layer: its numbers by hand, against the reference, in every precision."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from engine.networks.lora_layers import LoRALayer, layer_shape, wrap_layer
from engine.networks.slot_bank import SlotBank

GOLDEN = Path(__file__).parents[1] / "golden"


def wrapped(base: nn.Module, *, rank: int, scale: float, dropout: float = 0.0) -> tuple[LoRALayer, SlotBank]:
    base.requires_grad_(False)
    shape = layer_shape(base, component="unet", rank=rank)
    bank = SlotBank([shape], dtype=torch.float32)
    return wrap_layer(base, bank.layers[0], scales=[scale], dropout=dropout), bank


def test_linear_adds_scale_times_up_of_down_by_hand() -> None:
    base = nn.Linear(2, 1)
    nn.init.constant_(base.weight, 1.0)
    nn.init.constant_(base.bias, 10.0)
    layer, bank = wrapped(base, rank=1, scale=0.5)
    bank.weights.copy_(torch.tensor([[3.0, 4.0, 2.0]]))  # down = (3, 4), up = (2,)
    # base: 1 + 1 + 10 = 12; addition: 0.5 * 2 * (3 + 4) = 7
    assert layer(torch.ones(1, 2)).item() == 19.0


def test_conv_keeps_stride_padding_and_dilation_of_its_base() -> None:
    torch.manual_seed(0)
    base = nn.Conv2d(3, 5, 3, stride=2, padding=2, dilation=2)
    layer, bank = wrapped(base, rank=2, scale=0.75)
    bank.weights.normal_()
    x = torch.randn(2, 3, 9, 7)
    merged = torch.nn.functional.conv2d(
        x, base.weight + layer.weight_change(), base.bias, stride=2, padding=2, dilation=2
    )
    torch.testing.assert_close(layer(x), merged, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "base", [nn.Linear(6, 5), nn.Conv2d(6, 5, 3, padding=1), nn.Conv2d(6, 5, 1)], ids=str
)
def test_a_new_layer_says_what_its_base_says_until_up_is_trained(base: nn.Module) -> None:
    layer, bank = wrapped(base, rank=2, scale=2.0)
    bank.layers[0].down.data.normal_()
    x = torch.randn(3, 6) if isinstance(base, nn.Linear) else torch.randn(3, 6, 4, 4)
    assert torch.equal(layer(x), base(x))


def golden_layers() -> list[dict[str, object]]:
    return json.loads((GOLDEN / "e_lora_layer_effect.json").read_text())["layers"]


@pytest.mark.parametrize("case", golden_layers(), ids=lambda case: str(case["lora_name"]))
def test_weight_change_and_outputs_equal_the_reference(case: dict) -> None:
    tensors = load_file(GOLDEN / "e_lora_layer_effect.safetensors")
    weights = load_file(GOLDEN / "e_lora_layer_effect_weights.safetensors")
    name = case["lora_name"]
    torch.manual_seed(int(case["layer_init"].split("(")[1].split(")")[0]))
    make = nn.Linear if case["class"] == "Linear" else nn.Conv2d
    base = make(case["in"], case["out"], **case["kw"])
    layer, bank = wrapped(base, rank=case["dim"], scale=case["alpha"] / case["dim"])
    with torch.no_grad():
        bank.layers[0].down.copy_(weights[f"{name}.lora_down.weight"])
        bank.layers[0].up.copy_(weights[f"{name}.lora_up.weight"].flatten(1).t())
    x = tensors[f"{name}.x"]
    for strength in (1.0, 0.5, -1.0):
        layer.strength = strength
        expected = case[f"mult={strength}"]
        change = layer.weight_change()
        assert float(change.norm()) == pytest.approx(expected["get_weight_fro"], rel=1e-5)
        assert float(change.double().sum()) == pytest.approx(expected["get_weight_sum"], abs=2e-4)
        assert float((layer(x) - base(x)).detach().norm()) == pytest.approx(expected["y_diff_fro"], rel=1e-5)
    layer.strength = 1.0
    corner = layer.weight_change().flatten(1)[:16, :48]
    torch.testing.assert_close(corner, tensors[f"{name}.deltaW[:16,:48]"].view(16, 48), rtol=0, atol=2e-8)
    first = layer(x).flatten()[:256]
    torch.testing.assert_close(first, tensors[f"{name}.y_lora.flat[:256]"], rtol=1e-5, atol=5e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("make", [lambda: nn.Linear(6, 5), lambda: nn.Conv2d(6, 5, 3, padding=1)])
def test_half_precision_base_keeps_its_dtype_and_the_weights_stay_float32(make, dtype) -> None:
    base = make().to(dtype)
    layer, bank = wrapped(base, rank=2, scale=1.0)
    bank.weights.normal_()
    shape = (3, 6) if isinstance(base, nn.Linear) else (3, 6, 4, 4)
    x = torch.randn(shape, dtype=dtype, requires_grad=True)
    y = layer(x)
    y.float().square().sum().backward()
    assert y.dtype == dtype
    assert x.grad.dtype == dtype
    assert bank.layers[0].down.dtype == bank.layers[0].down.grad.dtype == torch.float32
    assert bank.gradients.abs().min() > 0
    exact = layer.float()(x.detach().float())
    torch.testing.assert_close(y.float(), exact, rtol=0.05, atol=0.15)


def test_dropout_acts_in_train_mode_only_and_never_on_the_base() -> None:
    base = nn.Linear(50, 4)
    layer, bank = wrapped(base, rank=2, scale=1.0, dropout=0.5)
    bank.weights.normal_()
    x = torch.randn(3, 50)
    layer.eval()
    still = layer(x)
    assert torch.equal(still, layer(x))
    layer.train()
    torch.manual_seed(3)
    moving = layer(x)
    torch.manual_seed(3)
    dropped = torch.nn.functional.dropout(x, 0.5)
    torch.testing.assert_close(moving, base(x) + dropped @ layer.weight_change().t(), rtol=1e-5, atol=1e-5)
    assert not torch.equal(moving, still)


@pytest.mark.parametrize(
    "base", [nn.Conv2d(4, 4, 3, groups=2), nn.Conv2d(4, 4, 3, padding_mode="reflect"), nn.GELU()]
)
def test_layers_without_a_definition_of_lora_are_refused(base: nn.Module) -> None:
    with pytest.raises(ValueError, match="ungrouped, zero-padded"):
        layer_shape(base, component="unet", rank=2)
