"""network.init_from: whether a LoRA file fits the network that is to go on from it; no torch."""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.compose.checkpoint import checkpoint_problems, read_checkpoint
from engine.compose.show import show
from engine.config import ConfigError, Family, LoRAConfig, RunConfig, effective_alpha, trained_text
from engine.config.model import TEXT_GROUPS
from engine.models.facts import FAMILIES
from engine.models.layer_words import choose_layers, split_number
from engine.networks.kohya_names import PREFIXES, kohya_key

_DOWN, _ALPHA = ".lora_down.weight", ".alpha"  # how kohya's keys of a layer end
_FOR_DIFFUSERS = ".diffusers.safetensors"  # how the file with diffusers' names ends
_NUMBERS = {"F64": "<d", "F32": "<f", "F16": "<e", "I64": "<q", "I32": "<i"}
_VERSIONS = {  # how each family's ss_base_model_version begins, in kohya's files of any age
    Family.sd1: "sd_v1",
    Family.sd2: "sd_v2",
    Family.sdxl: "sdxl",
    Family.sd3: "sd3",
    Family.flux: "flux",
    Family.anima: "anima",
}
_ROUNDED = 2**-8  # relative: what bf16 leaves of an alpha


@dataclass(kw_only=True, slots=True, frozen=True)
class StartFile:
    """What the header of a LoRA file tells: of each layer, by kohya's name of it, and of the run."""

    ranks: dict[str, int]
    alphas: dict[str, float]  # a layer without one has its rank
    version: str | None = None  # kohya's name of the model's kind, where the file has it
    made_with: str | None = None  # the options of the run of ours that gave it several ranks


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
        return [f"{start}: holds no LoRA with kohya's keys (...{_DOWN}). {_other_file(path)}"]
    problems = _text_problems(run, network, found)
    if len(set(found.ranks.values())) > 1 or network.ranks:
        problems += _layer_problems(run, network, found)
    else:
        problems += _strength_problems(network, found)
    if (stranger := _other_family(run, found)) is not None:
        problems = [stranger]  # its ranks are of no interest
    return [f"{start}: {problem}" for problem in problems]


def _other_file(path: Path) -> str:
    """The file of the same run whose names are kohya's, where this is its other one."""
    beside = path.with_name(path.name.removesuffix(_FOR_DIFFUSERS) + ".safetensors")
    if path.name.endswith(_FOR_DIFFUSERS) and beside.is_file():
        return f"The one with kohya's names lies beside it: network.init_from={beside}."
    return "Give another file."


def _other_family(run: RunConfig, found: StartFile) -> str | None:
    """What is said of a file that tells its family, and is of another; of others the loaded model tells."""
    families = [family for family, begin in _VERSIONS.items() if (found.version or "").startswith(begin)]
    if not families or run.model.family in families:
        return None
    titles = FAMILIES[families[0]].title, FAMILIES[run.model.family].title
    return f"a LoRA of {titles[0]}, and this run trains {titles[1]}. Give one of that family."


def _strength_problems(network: LoRAConfig, found: StartFile) -> list[str]:
    """What is wrong with the rank and the alpha where both have one rank for all layers."""
    (rank,) = set(found.ranks.values())
    problems = []
    if rank != network.rank:
        problems.append(
            f"its rank is {rank}, and network.rank={network.rank}. "
            f"Set network.rank={rank}, or give another file."
        )
    alpha = effective_alpha(network)
    if other := next((one for one in sorted(found.alphas.values()) if not is_same_alpha(one, alpha)), None):
        problems.append(
            f"its alpha is {show(other)}, and the network's is {show(alpha)}. "
            f"Set network.alpha={show(other)}, or give another file."
        )
    return problems


def _layer_problems(run: RunConfig, network: LoRAConfig, found: StartFile) -> list[str]:
    """The first layer whose rank does not fit, else the first whose alpha does not."""
    wanted = _wanted(run, network, found)
    common = [layer for layer in sorted(found.ranks) if layer in wanted]  # of others the loaded model tells
    other_rank = [layer for layer in common if found.ranks[layer] != wanted[layer][0]]
    if other_rank:
        first = other_rank[0]
        numbers = (show(found.ranks[first]), show(wanted[first][0]))
        return [_difference("rank", other_rank, numbers, remedy=_rank_remedy(found))]
    other_alpha = [layer for layer in common if not is_same_alpha(found.alphas[layer], wanted[layer][1])]
    if other_alpha:
        first = other_alpha[0]
        numbers = (show(found.alphas[first]), show(wanted[first][1]))
        return [_difference("alpha", other_alpha, numbers, remedy=_alpha_remedy(network, found))]
    return []


def _difference(what: str, layers: list[str], numbers: tuple[str, str], *, remedy: str) -> str:
    more = len(layers) - 1
    also = f"; {more} more layer{'s differ' if more > 1 else ' differs'} too" if more else ""
    return f"the {what} of {layers[0]} is {numbers[0]} in it, and {numbers[1]} in this run{also}. {remedy}"


def _wanted(run: RunConfig, network: LoRAConfig, found: StartFile) -> dict[str, tuple[int, float]]:
    """Kohya's name of a layer -> rank and alpha that the run gives it; {} where its layers are not known."""
    alpha = effective_alpha(network)
    if not network.ranks:
        return dict.fromkeys(found.ranks, (network.rank, alpha))
    family = run.model.family
    if not run.model.checkpoint or checkpoint_problems(run.model):
        return {}  # another sentence is about that
    try:
        choices = choose_layers(network, family, read_checkpoint(run.model).layers)
    except ConfigError:
        return {}  # so here
    ranks = {
        kohya_key(
            family,
            choice.layer.group.name if choice.layer.group in TEXT_GROUPS else FAMILIES[family].denoiser,
            choice.layer.name,
        ): choice.rank
        for choice in choices
    }
    return {layer: (rank, alpha / network.rank * rank) for layer, rank in ranks.items()}


def _rank_remedy(found: StartFile) -> str:
    ranks = sorted(set(found.ranks.values()))
    if len(ranks) == 1:
        return f"Set network.rank={ranks[0]} and network.ranks=[], or give another file."
    if found.made_with is not None:
        return f"Set {found.made_with}, or give another file."
    listed = ", ".join(map(str, ranks))
    return f"Set network.rank and network.ranks to its ranks ({listed}), or give another file."


def _alpha_remedy(network: LoRAConfig, found: StartFile) -> str:
    """How alpha is to be set; a network has one alpha / rank."""
    ratios = [found.alphas[layer] / rank for layer, rank in found.ranks.items()]
    if not all(is_same_alpha(ratio, ratios[0]) for ratio in ratios):
        return "Its layers have several alpha / rank, a network has one: give another file."
    if network.alpha is None and network.alpha_ratio is not None:
        return f"Set network.alpha_ratio={show(ratios[0])}, or give another file."
    return f"Set network.alpha={show(ratios[0] * network.rank)}, or give another file."


def _text_problems(run: RunConfig, network: LoRAConfig, found: StartFile) -> list[str]:
    """Text encoders that only the file or only the run trains: half a network is not gone on from."""
    problems, trained = [], {group.name for group in trained_text(network)}
    left_out = any(number == 0 for _, number in filter(None, map(split_number, network.learning_rates)))
    takes_all = not (network.include or network.exclude or left_out)
    for part, prefix in PREFIXES[run.model.family].items():
        count = sum(layer.startswith(f"{prefix}_") for layer in found.ranks)
        if part not in FAMILIES[run.model.family].text_layers or bool(count) is (part in trained):
            continue
        if count:
            problems.append(
                f"{count} of its layers are of {part}, which this run does not train: what was learnt there "
                f"would be lost. Add {part} to network.layers (with dataset.cache_text_embeddings=false), or "
                "give another file."
            )
        elif takes_all:  # else the loaded model tells
            problems.append(
                f"none of its layers is of {part}, which this run trains. Leave {part} out of "
                "network.layers, or give a file that was trained with it."
            )
    return problems


def is_same_alpha(stored: float, alpha: float) -> bool:
    """Whether a file means this alpha; half precision may have rounded it."""
    return abs(stored - alpha) <= _ROUNDED * abs(alpha)


def read_start_file(path: Path) -> StartFile:
    """Ranks and alphas of a LoRA file; raises one of many errors where the file is damaged."""
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
    return StartFile(
        ranks=ranks,
        alphas={layer: alphas.get(layer, float(rank)) for layer, rank in ranks.items()},
        version=header.get("__metadata__", {}).get("ss_base_model_version"),
        made_with=_made_with(header.get("__metadata__", {})),
    )


def _made_with(metadata: Mapping[str, str]) -> str | None:
    """What our own files tell of their ranks; other trainers write other things there, or nothing."""
    try:
        words = json.loads(metadata["ss_network_args"])["ranks"]
        return f"network.rank={metadata['ss_network_dim']} and network.ranks=[{words}]"
    except (KeyError, TypeError, ValueError):
        return None


def _number(row: Mapping[str, object], content: bytes) -> float:
    if row["dtype"] == "BF16":  # the upper half of a float32
        return float(struct.unpack("<f", b"\0\0" + content)[0])
    return float(struct.unpack(_NUMBERS[str(row["dtype"])], content)[0])
