"""The one buffer: order, optimizers on its vectors, gradients, clipping."""

import pytest
import torch
from prodigyopt import Prodigy
from torch import nn

from engine.networks.lora_layers import wrap_layer
from engine.networks.slot_bank import LayerShape, SlotBank

SHAPES = [
    LayerShape(component="unet", down=(2, 3), num_outputs=4),
    LayerShape(component="text_encoder", down=(2, 5), num_outputs=1),
    LayerShape(component="unet", down=(2, 3, 3, 3), num_outputs=2),
]


def test_a_row_is_unet_down_unet_up_text_down_text_up() -> None:
    bank = SlotBank(SHAPES)
    # unet down 2*3 + 2*27 = 60, unet up 2*4 + 2*2 = 12; text down 10, text up 2
    assert bank.sections == [
        ("unet.down", 0, 60),
        ("unet.up", 60, 72),
        ("text_encoder.down", 72, 82),
        ("text_encoder.up", 82, 84),
    ]
    assert [len(parameter) for parameter in bank.parameters()] == [60, 12, 10, 2]
    bank.weights.copy_(torch.arange(84.0)[None])
    assert bank.layers[2].down[0, 0, 0].tolist() == [6.0, 7.0, 8.0]
    assert bank.layers[1].up.tolist() == [[82.0], [83.0]]


def test_parameters_of_every_slot_are_contiguous_vectors_of_the_same_memory() -> None:
    bank = SlotBank(SHAPES, num_slots=3)
    for slot in range(3):
        for parameter, (_, start, _) in zip(bank.parameters(slot), bank.sections, strict=True):
            assert parameter.dim() == 1
            assert parameter.is_contiguous()
            assert parameter.data_ptr() == bank.weights[slot, start:].data_ptr()
    assert bank.layers[0].down.shape == (3, 2, 3)


def linear_and_bank() -> tuple[nn.Module, SlotBank]:
    torch.manual_seed(0)
    base = nn.Linear(3, 4).requires_grad_(False)
    bank = SlotBank(SHAPES[:1])
    bank.weights.normal_()
    return wrap_layer(base, bank.layers[0], scales=[1.0], dropout=0.0), bank


def separate_copy(bank: SlotBank) -> list[nn.Parameter]:
    weights = bank.layers[0]
    return [nn.Parameter(weights.down.detach().clone()), nn.Parameter(weights.up.detach().clone())]


def optimizers() -> list[object]:
    return [
        lambda p: torch.optim.AdamW(p, lr=0.1),
        lambda p: torch.optim.AdamW(p, lr=0.1, foreach=True),
        lambda p: torch.optim.AdamW(p, lr=0.1, fused=True),
        lambda p: torch.optim.SGD(p, lr=0.001, momentum=0.9),
        lambda p: Prodigy(p, lr=1.0),
    ]


@pytest.mark.parametrize("make", optimizers(), ids=["adamw", "foreach", "fused", "sgd", "prodigy"])
def test_an_optimizer_on_the_vectors_moves_the_layers_as_one_on_separate_matrices(make) -> None:
    layer, bank = linear_and_bank()
    down, up = separate_copy(bank)
    flat, separate = make(bank.parameters()), make([down, up])
    for step in range(5):
        x = torch.randn(6, 3, generator=torch.Generator().manual_seed(step))
        bank.zero_grad()
        for part in x.chunk(2):  # two micro-batches
            layer(part).square().sum().backward()
        flat.step()
        separate.zero_grad()
        (layer.base(x) + x @ down.t() @ up).square().sum().backward()
        separate.step()
    torch.testing.assert_close(bank.layers[0].down.detach(), down.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(bank.layers[0].up.detach(), up.detach(), rtol=1e-4, atol=1e-5)
    assert not torch.equal(down, separate_copy(linear_and_bank()[1])[0])


def test_gradients_add_up_over_micro_batches_in_the_one_buffer() -> None:
    layer, bank = linear_and_bank()
    x = torch.randn(6, 3)
    layer(x).sum().backward()
    once = bank.gradients.clone()
    layer(x).sum().backward()
    torch.testing.assert_close(bank.gradients, 2 * once)
    assert bank.parameters()[0].grad.data_ptr() == bank.gradients.data_ptr()
    bank.zero_grad()
    assert torch.equal(bank.layers[0].down.grad, torch.zeros(2, 3))


def test_zero_grad_repairs_gradients_that_an_optimizer_dropped() -> None:
    layer, bank = linear_and_bank()
    torch.optim.AdamW(bank.parameters()).zero_grad(set_to_none=True)
    bank.zero_grad()
    layer(torch.randn(2, 3)).sum().backward()
    assert bank.parameters()[0].grad.abs().sum() > 0


def test_an_optimizer_that_replaces_memory_is_named() -> None:
    _, bank = linear_and_bank()
    bank.parameters()[1].data = torch.zeros(8)
    with pytest.raises(RuntimeError, match=r"replaced the memory of unet\.up, slot 0"):
        bank.zero_grad()


def test_clipping_is_by_the_norm_of_each_row() -> None:
    bank = SlotBank(SHAPES[:1], num_slots=2)
    bank.gradients[0, :2] = torch.tensor([3.0, 4.0])
    bank.gradients[1, :2] = torch.tensor([0.3, 0.4])
    assert bank.clip_gradients(1.0).tolist() == pytest.approx([5.0, 0.5])
    assert bank.gradients[0, :2].tolist() == pytest.approx([0.6, 0.8], rel=1e-6)
    assert bank.gradients[1, :2].tolist() == pytest.approx([0.3, 0.4])


def test_clipping_equals_torch_on_the_same_gradients() -> None:
    bank = SlotBank(SHAPES)
    bank.gradients.normal_(generator=torch.Generator().manual_seed(1))
    other = [nn.Parameter(torch.zeros_like(p)) for p in bank.parameters()]
    for mine, theirs in zip(bank.parameters(), other, strict=True):
        theirs.grad = mine.grad.clone()
    norm = torch.nn.utils.clip_grad_norm_(other, 2.0)
    assert bank.clip_gradients(2.0).item() == pytest.approx(norm.item(), rel=1e-6)
    torch.testing.assert_close(bank.gradients[0], torch.cat([p.grad for p in other]))
