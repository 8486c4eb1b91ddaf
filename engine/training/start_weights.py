"""The first weights of a network that goes on from a LoRA file."""

from pathlib import Path

import torch

from engine.config import ConfigError
from engine.networks.kohya_names import ALPHA, DOWN
from engine.networks.lora import LoRANetwork
from engine.networks.lora_from_file import read_kohya_lora

_NUM_SHOWN = 2


def start_from(network: LoRANetwork, path: Path) -> None:
    """Give the network the weights of a file whose rank and alpha are its own.

    raises  ConfigError where the file is no LoRA of kohya's kind, or of other layers than the network's
    """
    state = dict(read_kohya_lora(path).state)
    own = network.state()
    for key in own:
        layer, _, part = key.partition(".")
        if part == ALPHA and f"{layer}.{DOWN}" in state:  # preflight compared it; a file may round or lack it
            state[key] = own[key]
    lacking, strange = _layers(own.keys() - state.keys()), _layers(state.keys() - own.keys())
    if lacking or strange:
        found = ((lacking, "layers of the network are not in it"), (strange, "of its are not here"))
        words = [f"{len(layers)} {what} ({_few(layers)})" for layers, what in found if layers]
        raise ConfigError(
            f"network.init_from={path}: {', '.join(words)}. Set network.layers to the groups that it was "
            "trained on, or give another file."
        )
    try:
        network.load_state({key: tensor.to(torch.float32) for key, tensor in state.items()})
    except ValueError as error:
        raise ConfigError(
            f"network.init_from={path}: {' '.join(str(error).split())}. Give a LoRA of this model."
        ) from error


def _layers(keys: set[str]) -> list[str]:
    return sorted({key.partition(".")[0] for key in keys})


def _few(layers: list[str]) -> str:
    return ", ".join(layers[:_NUM_SHOWN]) + (", ..." if len(layers) > _NUM_SHOWN else "")
