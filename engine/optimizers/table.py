"""What is known about optimizers without importing them: one row a class path, no torch."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(kw_only=True, slots=True, frozen=True)
class OptimizerFacts:
    """One row of OPTIMIZERS."""

    adapts_lr: bool = False  # finds its own step size: lr only scales it and is usually 1.0
    args: frozenset[str] | None = None  # beside params and lr; None = import the class to know
    sees_layers: bool = False  # what it keeps depends on the shapes of matrices, or on where one ends
    state_bytes: float = 8.0  # that it keeps of each number that is trained; two moments in float32


_ONE_MOMENT = ("Lion", "PagedLion", "SGD")
_OF_BITSANDBYTES = ("AdamW", "PagedAdamW", "Adam", "PagedAdam", "Lion", "PagedLion", "SGD", "AdEMAMix")


def _in_8_bits(name: str) -> OptimizerFacts:
    """A byte a moment, and a scale for each 256 of them."""
    moments = 1 if name in _ONE_MOMENT else 3 if name == "AdEMAMix" else 2
    return OptimizerFacts(sees_layers=True, state_bytes=moments * (1 + 4 / 256))


OPTIMIZERS: dict[str, OptimizerFacts] = {
    "torch.optim.AdamW": OptimizerFacts(
        args=frozenset(
            {
                "betas",
                "eps",
                "weight_decay",
                "amsgrad",
                "maximize",
                "foreach",
                "capturable",
                "differentiable",
                "fused",
            }
        )
    ),
    "torch.optim.SGD": OptimizerFacts(state_bytes=0.0),  # with momentum 4, and that is an argument
    "prodigyopt.Prodigy": OptimizerFacts(
        adapts_lr=True,
        state_bytes=16.0,  # also where it started, and a sum of gradients
        args=frozenset(
            {
                "betas",
                "beta3",
                "eps",
                "weight_decay",
                "decouple",
                "use_bias_correction",
                "safeguard_warmup",
                "d0",
                "d_coef",
                "growth_rate",
                "fsdp_in_use",
                "slice_p",
            }
        ),
    ),
    "transformers.optimization.Adafactor": OptimizerFacts(
        sees_layers=True,
        state_bytes=0.25,  # a number a row and a column of each matrix: of those of rank 16
        args=frozenset(
            {
                "eps",
                "clip_threshold",
                "decay_rate",
                "beta1",
                "weight_decay",
                "scale_parameter",
                "relative_step",
                "warmup_init",
            }
        ),
    ),
    "torch.optim.Adafactor": OptimizerFacts(sees_layers=True, state_bytes=0.25),
    "dadaptation.DAdaptAdam": OptimizerFacts(adapts_lr=True),
    "dadaptation.DAdaptLion": OptimizerFacts(adapts_lr=True),
    "dadaptation.DAdaptSGD": OptimizerFacts(adapts_lr=True),
    **{f"bitsandbytes.optim.{name}8bit": _in_8_bits(name) for name in _OF_BITSANDBYTES},
}


def adapts_lr(class_path: str) -> bool:
    """Whether the optimizer is known to find its own step size."""
    return class_path in OPTIMIZERS and OPTIMIZERS[class_path].adapts_lr


def sees_layers(class_path: str) -> bool:
    """Whether the optimizer has to be given each matrix for itself."""
    return class_path in OPTIMIZERS and OPTIMIZERS[class_path].sees_layers


def state_bytes(class_path: str) -> float:
    """Bytes that the optimizer keeps of each number that is trained; an unknown one is taken for Adam."""
    return OPTIMIZERS.get(class_path, OptimizerFacts()).state_bytes


def args_problems(given: Iterable[str], allowed: Iterable[str], class_path: str) -> list[str]:
    """A sentence for each argument that the class does not take."""
    name, allowed = class_path.rsplit(".", 1)[-1], sorted(allowed)
    problems = []
    for argument in given:
        if argument == "lr":
            problems.append("optimizer.args.lr: the learning rate has a place of its own. Set optimizer.lr.")
        elif argument == "params":
            problems.append("optimizer.args.params: filled in by the run. Leave it out.")
        elif argument not in allowed:
            near = difflib.get_close_matches(argument, allowed, n=1, cutoff=0.6)
            advice = f"did you mean {near[0]}?" if near else f"its arguments: {', '.join(allowed)}"
            problems.append(f"optimizer.args.{argument}: {name} takes no such argument ({advice})")
    return problems
