"""Muon for small convolutional nets: each matrix moves along its momentum, orthogonalised."""

import torch
from torch import Tensor
from torch.optim import Optimizer

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon(Optimizer):
    """Matrices and convolution kernels (as [out, in x k x k]) only; the rest belongs to AdamW.

    The update has the RMS of an AdamW step (.2 sqrt(larger side)), so that AdamW's learning rates carry over.
    Source: Jordan 2024, "Muon"; Liu et al. 2025, "Muon is scalable for LLM training".
    """

    def __init__(self, parameters: list[torch.nn.Parameter], *, lr: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step for every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter.grad)
                state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                direction = parameter.grad.lerp(state["momentum"], group["momentum"])
                update = orthogonalise(direction.reshape(len(direction), -1))
                scale = 0.2 * max(update.shape) ** 0.5
                parameter.add_(update.reshape(parameter.shape), alpha=-group["lr"] * scale)


def orthogonalise(matrix: Tensor, num_iterations: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix [m, n], roughly: its singular values end in .7..1.2."""
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(num_iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x
