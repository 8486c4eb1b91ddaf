"""network.init_from: whether a LoRA file fits the network that is to go on from it; no torch."""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.compose.show import show
from engine.config import LoRAConfig, RunConfig, effective_alpha

_DOWN, _ALPHA = ".lora_down.weight", ".alpha"  # how kohya's keys of a layer end
_NUMBERS = {"F64": "<d", "F32": "<f", "F16": "<e", "I64": "<q", "I32": "<i"}
_ROUNDED = 2**-8  # relative: what bf16 leaves of an alpha


@dataclass(kw_only=True, slots=True, frozen=True)
class StartFile:
    """What the header of a LoRA file tells of all its layers."""

    ranks: tuple[int, ...]
    alphas: tuple[float, ...]  # a layer without one has its rank


def start_file(run: RunConfig) -> Path | None:
    """The file that the network starts from; None where it starts afresh."""
    name = run.network.init_from if isinstance(run.network, LoRAConfig) else None
    return None if name is None else Path(name)


def start_fingerprint(run: RunConfig) -> dict[str, str]:
    """{"init": sha256 of the file}; {} without one."""
    path = start_file(run)
    if path is None:
        return {}
    with path.open("rb") as stream:
        return {"init": hashlib.file_digest(stream, "sha256").hexdigest()}


def start_problems(run: RunConfig) -> list[str]:
    """Why the network can't start from its file, as far as the header tells; [] = it can."""
    path = start_file(run)
    if path is None:
        return []
    network = run.network
    assert isinstance(network, LoRAConfig), "others have no init_from"
    start = f"network.init_from={network.init_from}"
    if not path.is_file():
        return [f"{start}: no such file. Give a LoRA as .safetensors."]
    try:
        found = read_start_file(path)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        return [f"{start}: can't be read as a safetensors file ({error}). Give another file."]
    if not found.ranks:
        return [f"{start}: holds no LoRA with kohya's keys (...{_DOWN}). Give another file."]
    if len(found.ranks) > 1:
        ranks = ", ".join(map(str, found.ranks))
        return [f"{start}: its layers have several ranks ({ranks}), a network has one. Give another file."]
    problems = []
    if found.ranks != (network.rank,):
        problems.append(
            f"{start}: its rank is {found.ranks[0]}, and network.rank={network.rank}. "
            f"Set network.rank={found.ranks[0]}, or give another file."
        )
    alpha = effective_alpha(network)
    if other := next((one for one in found.alphas if not is_same_alpha(one, alpha)), None):
        problems.append(
            f"{start}: its alpha is {show(other)}, and the network's is {show(alpha)}. "
            f"Set network.alpha={show(other)}, or give another file."
        )
    return problems


def is_same_alpha(stored: float, alpha: float) -> bool:
    """Whether a file means this alpha; half precision may have rounded it."""
    return abs(stored - alpha) <= _ROUNDED * abs(alpha)


def read_start_file(path: Path) -> StartFile:
    """Ranks and alphas of a LoRA file, each once; raises one of many errors where the file is damaged."""
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        if length > path.stat().st_size:
            raise ValueError("the header is longer than the file")
        header = json.loads(stream.read(length))
        ranks: dict[str, int] = {}
        alphas: dict[str, float] = {}
        for key, row in header.items():
            if key.endswith(_DOWN):
                ranks[key.removesuffix(_DOWN)] = int(row["shape"][0])
            elif key.endswith(_ALPHA):
                begin, end = row["data_offsets"]
                stream.seek(8 + length + begin)
                alphas[key.removesuffix(_ALPHA)] = _number(row, stream.read(end - begin))
    found = {alphas.get(layer, float(rank)) for layer, rank in ranks.items()}
    return StartFile(ranks=tuple(sorted(set(ranks.values()))), alphas=tuple(sorted(found)))


def _number(row: Mapping[str, object], content: bytes) -> float:
    if row["dtype"] == "BF16":  # the upper half of a float32
        return float(struct.unpack("<f", b"\0\0" + content)[0])
    return float(struct.unpack(_NUMBERS[str(row["dtype"])], content)[0])
