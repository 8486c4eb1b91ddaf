"""What every kind of network must hold to: its tests subclass NetworkContract and say how it is attached."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest
import torch
from torch import Tensor, nn

from engine.networks.files import read_lora, save_lora
from tests.networks.network_toys import tiny_unet, unet_inputs


class Network(Protocol):
    """What training and sampling ask of a network."""

    num_parameters: int

    def parameters(self) -> list[nn.Parameter]: ...
    def zero_grad(self) -> None: ...
    def train(self, mode: bool = True) -> None: ...
    def detach(self) -> None: ...
    def state(self) -> dict[str, Tensor]: ...
    def load_state(self, state: Mapping[str, Tensor]) -> None: ...


class NetworkContract:
    """Subclasses implement attach(); dropout must be off in it."""

    def attach(self, unet: nn.Module, *, seed: int = 0) -> Network:
        """Put the network on a frozen tiny UNet."""
        raise NotImplementedError

    @pytest.fixture
    def unet(self) -> nn.Module:
        """A frozen base."""
        return tiny_unet()

    def test_an_untrained_network_changes_nothing(self, unet: nn.Module) -> None:
        before = _output(unet)
        self.attach(unet)
        assert torch.equal(_output(unet), before)

    def test_training_lowers_the_loss_and_leaves_the_base_as_it_was(self, unet: nn.Module) -> None:
        base = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
        network = self.attach(unet)
        losses = _train(unet, network, 30)
        assert losses[-1] < 0.8 * losses[0]
        network.detach()
        assert unet.state_dict().keys() == base.keys()
        assert all(torch.equal(tensor, base[name]) for name, tensor in unet.state_dict().items())

    def test_only_its_own_parameters_get_gradients_and_all_of_them_move(self, unet: nn.Module) -> None:
        frozen = list(unet.parameters())
        network = self.attach(unet)
        before = [parameter.detach().clone() for parameter in network.parameters()]
        _train(unet, network, 2)
        assert all(parameter.grad is None for parameter in frozen)
        assert sum(parameter.numel() for parameter in network.parameters()) == network.num_parameters
        for parameter, start in zip(network.parameters(), before, strict=True):
            assert not torch.equal(parameter, start)

    def test_its_file_brings_the_same_output_back(self, unet: nn.Module, tmp_path: Path) -> None:
        network = self.attach(unet)
        _train(unet, network, 3)
        trained = _output(unet)
        save_lora(tmp_path / "a.safetensors", network.state(), {}, dtype=torch.float32)
        network.detach()
        assert not torch.equal(_output(unet), trained)
        other = self.attach(unet, seed=9)
        other.load_state(read_lora(tmp_path / "a.safetensors").state)
        assert torch.equal(_output(unet), trained)

    def test_a_state_that_is_not_its_own_is_refused(self, unet: nn.Module) -> None:
        network = self.attach(unet)
        state = network.state()
        first = next(iter(state))
        with pytest.raises(ValueError, match=r"missing|unexpected"):
            network.load_state({f"{key}x" if key == first else key: value for key, value in state.items()})

    def test_one_seed_gives_one_start(self) -> None:
        starts = [self.attach(tiny_unet(), seed=seed).state() for seed in (3, 3, 4)]
        assert all(torch.equal(starts[0][key], starts[1][key]) for key in starts[0])
        assert any(not torch.equal(starts[0][key], starts[2][key]) for key in starts[0])

    def test_its_keys_are_kohyas(self, unet: nn.Module) -> None:
        keys = list(self.attach(unet).state())
        assert keys and all(key.startswith("lora_unet_") and key.count(".") in (1, 2) for key in keys)


def _output(unet: nn.Module) -> Tensor:
    with torch.no_grad():
        output: Tensor = unet(*unet_inputs(2)).sample
    return output


def _train(unet: nn.Module, network: Network, count: int) -> list[float]:
    network.train(True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(count):
        network.zero_grad()
        loss = (unet(*unet_inputs(2)).sample - 0.5).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    network.train(False)
    return losses
