"""What is trained on top of the frozen base."""

from dataclasses import dataclass, field

from engine.config.model import TEXT_GROUPS, LayerGroup

DEFAULT_ALPHA_RATIO = 0.5


@dataclass(kw_only=True, slots=True)
class NetworkConfig:
    """What every kind of network has; each kind of conf/network/ is a subclass with its own options."""

    layers: list[LayerGroup] = field(default_factory=list)  # which layer groups are adapted
    # Of these groups' layers, only those in these areas (down_blocks, up_blocks.1, double_blocks), groups or
    # regular expressions on the module's whole name; [] = all of them.
    include: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)  # written alike: left out again


@dataclass(kw_only=True, slots=True)
class LoRAConfig(NetworkConfig):
    """Low-rank adaptation (Hu et al. 2021): W + alpha / rank * B A, on Linear and Conv2d layers."""

    rank: int = 16  # inner width of each layer's pair of matrices; >= 1
    alpha: float | None = None  # strength; null = rank x alpha_ratio; not together with alpha_ratio
    alpha_ratio: float | None = None  # alpha / rank; null = 0.5; not together with alpha
    # "where: rank", where as in include; the last that fits counts; alpha / rank stays what it is elsewhere
    ranks: list[str] = field(default_factory=list)
    # "where: factor on optimizer.lr (text encoders: text_lr)", the last that fits counts; 0 leaves them out
    learning_rates: list[str] = field(default_factory=list)
    dropout: float = 0.0  # share of a layer's inputs to its LoRA set to zero in training; 0 <= p < 1
    init_from: str | None = None  # LoRA file (kohya keys) to go on from; its ranks and alphas must be these


def trained_text(network: NetworkConfig) -> list[LayerGroup]:
    """The text encoders that the network is asked to go on."""
    return [group for group in network.layers if group in TEXT_GROUPS]


def effective_alpha(network: LoRAConfig) -> float:
    """The alpha in force: as given, or rank x alpha_ratio (0.5 where neither is given)."""
    if network.alpha is not None:
        return network.alpha
    ratio = DEFAULT_ALPHA_RATIO if network.alpha_ratio is None else network.alpha_ratio
    return network.rank * ratio
