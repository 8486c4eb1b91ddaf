"""Any torch.optim.Optimizer from its class path, its arguments checked before any weight is loaded."""

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from engine.config import ConfigError, OptimizerConfig
from engine.optimizers.param_groups import param_groups
from engine.optimizers.table import OPTIMIZERS, args_problems

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer


def build_optimizer(
    config: OptimizerConfig,
    params: "Iterable[Parameter]",
    *,
    factors: Sequence[float] | None = None,
    on_text: Sequence[bool] | None = None,
) -> "Optimizer":
    """The optimizer over `params`: one group, or one for each learning rate.

    factors  of each parameter on the learning rate; None: all have the run's
    on_text  whether each parameter is of a text encoder, which may have a rate of its own; None: none is
    Lists in args become tuples, which is how optimizers take betas.
    Raises ConfigError where the class refuses a value.
    """
    found = _find_class(config.class_path)
    if isinstance(found, str):
        raise ConfigError(found)
    args: dict[str, object] = {"lr": config.lr}
    args |= {key: tuple(value) if isinstance(value, list) else value for key, value in config.args.items()}
    try:
        given = list(params)
        text_lr = config.lr if config.text_lr is None else config.text_lr
        own = [text_lr if is_text else config.lr for is_text in on_text or [False] * len(given)]
        groups = param_groups(given, factors or [1.0] * len(given), lr=config.lr, own=own)
        return found(groups, **args)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(_refusal(config, error)) from error


def check_args(config: OptimizerConfig, *, try_values: bool = True) -> list[str]:
    """What is wrong with the class or its arguments; imports the class (and torch) unless the table knows it.

    try_values  construct it on a parameter of one number, so that betas=[2,3] is refused here, too; imports
                torch, so that a run that is refused anyway does without
    """
    facts = OPTIMIZERS.get(config.class_path)
    if facts is not None and facts.args is not None:
        problems = args_problems(config.args, facts.args, config.class_path)
        if problems or not config.args or not try_values:
            return problems
    found = _find_class(config.class_path)
    if isinstance(found, str):
        return [found]
    parameters = inspect.signature(found).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        problems = args_problems(config.args, set(parameters) - {"params", "lr"}, config.class_path)
        if problems:
            return problems
    return _try_values(config) if try_values else []


def _try_values(config: OptimizerConfig) -> list[str]:
    import torch

    try:
        build_optimizer(config, [torch.nn.Parameter(torch.zeros(1))])
    except ConfigError as error:
        return error.problems
    return []


def _find_class(class_path: str) -> "Callable[..., Optimizer] | str":
    """The class, or the sentence that says why there is none."""
    module_name, _, name = class_path.rpartition(".")
    module = _import(module_name)
    if module is None:
        package = module_name.split(".")[0]
        return (
            f"optimizer.class_path={class_path}: no module {module_name}. Install {package}, or correct it."
        )
    found = getattr(module, name, None)
    if found is None:
        near = _near(name, [entry for entry in dir(module) if entry[0].isupper()])
        return f"optimizer.class_path={class_path}: {module_name} has no {name}{near}. Correct it."
    from torch.optim import Optimizer

    if not (isinstance(found, type) and issubclass(found, Optimizer)):
        return f"optimizer.class_path={class_path}: not a torch.optim.Optimizer. Give one, such as AdamW."
    if "lr" not in inspect.signature(found).parameters:
        return f"optimizer.class_path={class_path}: takes no learning rate. Give an optimizer that does."
    return found


def _near(name: str, choices: list[str]) -> str:
    """' (did you mean X?)' where a choice is near."""
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


def _import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _refusal(config: OptimizerConfig, error: Exception) -> str:
    args = ", ".join(f"{key}={value}" for key, value in {"lr": config.lr, **config.args}.items())
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"optimizer.args: {config.class_path}({args}) refuses: {reason}. Correct the value."
