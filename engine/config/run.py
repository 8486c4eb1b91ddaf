"""One run, whole: every option that a command line can set."""

from dataclasses import dataclass, field

from engine.config.dataset import DatasetConfig
from engine.config.evaluation import EvaluationConfig
from engine.config.files import FilesConfig
from engine.config.loss import LossConfig
from engine.config.lr_schedule import LRScheduleConfig
from engine.config.memory import MemoryConfig
from engine.config.model import ModelConfig
from engine.config.network import LoRAConfig, NetworkConfig
from engine.config.noise import NoiseConfig
from engine.config.optimizer import OptimizerConfig
from engine.config.sampling import SamplingConfig
from engine.config.tracking import TrackingConfig
from engine.config.training import TrainingConfig


@dataclass(kw_only=True, slots=True)
class RunConfig:
    """The checked form of a command line; nobody changes it after it is loaded."""

    name: str = "run"  # first part of the run folder's name and the name of the weights file
    seed: int = 0  # of the network's first weights, the order of pictures, noise and timesteps
    output_dir: str = "outputs"  # run folders are made in it: <name>-<run_id>
    cache_dir: str = ".cache"  # latents, text embeddings and the demo's pictures, shared by all runs
    dry_run: bool = False  # true: check everything, print the plan, train nothing
    inspect: int = 0  # so many batches as they would be fed, on a page; nothing is trained; 0 = off
    force: bool = False  # true: a finished run is repeated; changed data is accepted
    model: ModelConfig = field(default_factory=ModelConfig)
    network: NetworkConfig = field(default_factory=LoRAConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    lr_schedule: LRScheduleConfig = field(default_factory=LRScheduleConfig)
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    files: FilesConfig = field(default_factory=FilesConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)


def text_rests(run: RunConfig) -> bool:
    """Whether the text encoders wait on the processor while steps are made: the captions are kept."""
    return run.memory.unload_encoders and run.dataset.cache_text_embeddings


def vae_rests(run: RunConfig) -> bool:
    """The same of the VAE: the latents are kept."""
    return run.memory.unload_encoders and run.dataset.cache_latents
