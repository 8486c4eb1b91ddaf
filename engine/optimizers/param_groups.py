"""Parameters by learning rate, as torch's optimizers take them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from torch.nn import Parameter


class ParamGroup(TypedDict):
    """Parameters with a learning rate of their own."""

    params: "list[Parameter]"
    lr: float


def param_groups(
    params: "Iterable[Parameter]", factors: Sequence[float], *, lr: float, own: Sequence[float] | None = None
) -> "list[Parameter] | list[ParamGroup]":
    """The parameters, grouped by equal learning rate where there are several.

    factors  of each parameter on its learning rate
    own      the learning rate of each parameter; None: lr, that of the run
    returns  the plain parameters where all have lr; else one group a rate, the run's own lr first
    """
    given = list(params)
    by_rate: dict[float, list[Parameter]] = {}
    for parameter, factor, rate in zip(given, factors, own or [lr] * len(given), strict=True):
        by_rate.setdefault(factor * rate, []).append(parameter)
    if set(by_rate) <= {lr}:
        return by_rate.get(lr, [])
    order = sorted(by_rate, key=lambda rate: rate != lr)
    return [ParamGroup(params=by_rate[rate], lr=rate) for rate in order]
