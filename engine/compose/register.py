"""Tells Hydra the types of a run: schemas for the ConfigStore, and the functions that the YAML files call."""

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from engine.config import LoRAConfig, NetworkConfig, RunConfig
from engine.data.bucket_rules import bucket_side

NETWORKS: dict[str, type[NetworkConfig]] = {"lora": LoRAConfig}  # /schema/network/<name>


def register() -> None:
    """Fill the ConfigStore and register the resolvers; may be called again."""
    store = ConfigStore.instance()
    store.store(group="schema", name="run", node=RunConfig)
    for name, schema in NETWORKS.items():
        store.store(group="schema/network", name=name, node=schema)
    OmegaConf.register_new_resolver("bucket_side", bucket_side, replace=True)
    OmegaConf.register_new_resolver("unless_given", unless_given, replace=True)


def unless_given(value: object, default: object) -> object:
    """`default` where `value` is null, else null: for an option that another one replaces."""
    return default if value is None else None
