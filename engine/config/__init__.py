"""The types of a run: dataclasses that OmegaConf checks values against; no torch, no logic."""

from engine.config.dataset import (
    CacheIn,
    DatasetConfig,
    Layout,
    dataset_size,
    given_pictures,
    is_dataset_file,
)
from engine.config.errors import ConfigError
from engine.config.evaluation import EvaluationConfig
from engine.config.files import FilesConfig
from engine.config.loss import FlowWeighting, HuberSchedule, LossConfig, LossKind
from engine.config.lr_schedule import LRScheduleConfig, LRScheduleKind
from engine.config.memory import MemoryConfig, Quantize
from engine.config.model import DEMO_CONCEPTS, Family, LayerGroup, ModelConfig, Prediction, is_demo
from engine.config.network import LoRAConfig, NetworkConfig, effective_alpha, trained_text
from engine.config.noise import NoiseConfig, TimestepDistribution
from engine.config.optimizer import OptimizerConfig
from engine.config.run import RunConfig, text_rests, vae_rests
from engine.config.sampling import PromptSet, Sampler, SamplingConfig
from engine.config.subset import Interpolation, SubsetConfig
from engine.config.tracking import TrackingConfig, WandbMode
from engine.config.training import MixedPrecision, TrainingConfig

__all__ = [
    "DEMO_CONCEPTS",
    "CacheIn",
    "ConfigError",
    "DatasetConfig",
    "EvaluationConfig",
    "Family",
    "FilesConfig",
    "FlowWeighting",
    "HuberSchedule",
    "Interpolation",
    "LRScheduleConfig",
    "LRScheduleKind",
    "LayerGroup",
    "Layout",
    "LoRAConfig",
    "LossConfig",
    "LossKind",
    "MemoryConfig",
    "MixedPrecision",
    "ModelConfig",
    "NetworkConfig",
    "NoiseConfig",
    "OptimizerConfig",
    "Prediction",
    "PromptSet",
    "Quantize",
    "RunConfig",
    "Sampler",
    "SamplingConfig",
    "SubsetConfig",
    "TimestepDistribution",
    "TrackingConfig",
    "TrainingConfig",
    "WandbMode",
    "dataset_size",
    "effective_alpha",
    "given_pictures",
    "is_dataset_file",
    "is_demo",
    "text_rests",
    "trained_text",
    "vae_rests",
]
