"""Tells Hydra the types of a run: schemas for the ConfigStore, and the functions that the YAML files call."""

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from engine.config import LoRAConfig, NetworkConfig, RunConfig
from engine.config.model import DEMO
from engine.data.bucket_rules import bucket_side

NETWORKS: dict[str, type[NetworkConfig]] = {"lora": LoRAConfig}  # /schema/network/<name>


def register() -> None:
    """Fill the ConfigStore and register the resolvers; may be called again."""
    store = ConfigStore.instance()
    if "schema" not in store.repo:  # each time it takes 30 ms
        store.store(group="schema", name="run", node=RunConfig)
        for name, schema in NETWORKS.items():
            store.store(group="schema/network", name=name, node=schema)
    OmegaConf.register_new_resolver("bucket_side", bucket_side, replace=True)
    OmegaConf.register_new_resolver("unless_given", unless_given, replace=True)
    OmegaConf.register_new_resolver("times", times, replace=True)
    OmegaConf.register_new_resolver("of_the_demo", of_the_demo, replace=True)


def unless_given(value: object, default: object) -> object:
    """`default` where `value` is null, else null: for an option that another one replaces."""
    return default if value is None else None


def times(value: float, factor: float) -> float:
    """A multiple of what a recipe recommends, to six digits: the ends of a search around it."""
    return float(f"{value * factor:.6g}")


def of_the_demo(concept: str, model: str, *given: object) -> str | None:
    """A concept of the demo's world, where the model is the demo and no pictures are given."""
    return concept if model == DEMO and all(name is None for name in given) else None
