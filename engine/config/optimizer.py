"""How the weights are moved."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True, slots=True)
class OptimizerConfig:
    """Any torch.optim.Optimizer by its class path; args are checked against its signature before a run."""

    class_path: str = "torch.optim.AdamW"  # module.Class of a torch.optim.Optimizer
    lr: float = 1e-4  # peak learning rate, > 0; 1.0 for Prodigy, which finds its own step size
    text_lr: float | None = None  # the same of text encoders that network.layers names, > 0; null = lr
    args: dict[str, Any] = field(default_factory=dict)  # further keyword arguments of the class
