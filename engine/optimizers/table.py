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


_OF_BITSANDBYTES = ("AdamW", "PagedAdamW", "Adam", "PagedAdam", "Lion", "PagedLion", "SGD", "AdEMAMix")

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
    "prodigyopt.Prodigy": OptimizerFacts(
        adapts_lr=True,
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
    "torch.optim.Adafactor": OptimizerFacts(sees_layers=True),
    "dadaptation.DAdaptAdam": OptimizerFacts(adapts_lr=True),
    "dadaptation.DAdaptLion": OptimizerFacts(adapts_lr=True),
    "dadaptation.DAdaptSGD": OptimizerFacts(adapts_lr=True),
    **{f"bitsandbytes.optim.{name}8bit": OptimizerFacts(sees_layers=True) for name in _OF_BITSANDBYTES},
}


def adapts_lr(class_path: str) -> bool:
    """Whether the optimizer is known to find its own step size."""
    return class_path in OPTIMIZERS and OPTIMIZERS[class_path].adapts_lr


def sees_layers(class_path: str) -> bool:
    """Whether the optimizer has to be given each matrix for itself."""
    return class_path in OPTIMIZERS and OPTIMIZERS[class_path].sees_layers


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
