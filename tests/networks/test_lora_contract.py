"""LoRA is held to what every network must hold to."""

from torch import nn

from engine.config import Family
from engine.networks.lora import attach_lora
from tests.compose.toys import CONF
from tests.contracts.network import Network, NetworkContract
from tests.networks.network_toys import lora, unet_targets


class TestLora(NetworkContract):
    def attach(self, unet: nn.Module, *, seed: int = 0) -> Network:
        return attach_lora(lora(), unet_targets(unet), family=Family.sd1, seed=seed, device="cpu")


def test_every_shipped_network_is_held_to_the_contract() -> None:
    shipped = {path.stem for path in (CONF / "network").glob("*.yaml")}
    held = {contract.__name__.removeprefix("Test").lower() for contract in NetworkContract.__subclasses__()}
    assert held == shipped
