"""Every YAML of conf/ is exercised: it composes, loads, and a small run with it ends as it states."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from safetensors.torch import load_file

from demo.folder import prepare_demo
from engine.compose.preflight import preflight
from engine.compose.record import read_run_yaml
from engine.config.outcome import Outcome
from engine.training.result import TrainResult
from engine.training.train import train
from evaluation.check import check_scoring
from tests.compose.toys import CONF, composed
from tests.models.tiny_recipes import TINY_CHECKPOINTS
from tests.training.option_desk import read_tensors, write_kohya, write_photos
from tests.training.toy_runs import SMALL

OF_SWEEPS = ("sweep", "sampler", "pruner")  # tests/sweeper/test_survives_shipped_sweeps.py runs these
FILES = [
    path.relative_to(CONF).with_suffix("").as_posix()
    for path in sorted(CONF.rglob("*.yaml"))
    if path.parent.name not in OF_SWEEPS
]
EXTRAS = ("optimizer/adamw8bit",)  # of packages that the tests do without; with them: -m gpu
NAMED = [pytest.param(file, marks=[pytest.mark.gpu] if file in EXTRAS else []) for file in FILES]
LENGTH = "training.steps"  # stays small, whatever a file says
LEARNING = ("optimizer", "lr_schedule", "noise", "loss")  # groups whose files end in different weights


@dataclass
class Trials:
    """Runs by the file that they are about, each trained once."""

    folder: Path
    done: dict[str, TrainResult]

    def result(self, file: str) -> TrainResult:
        if file not in self.done:
            self.done[file] = self._train(file)
        return self.done[file]

    def _train(self, file: str) -> TrainResult:
        group, _, name = file.partition("/")
        own = [f"{group}={name}"] if name else []
        if group == "model" and name in TINY_CHECKPOINTS:
            TINY_CHECKPOINTS[name](self.folder / name)
            own += [f"model.checkpoint={self.folder / name}", "dataset.resolution=64"]
        if name in TINY_CHECKPOINTS or file == "dataset/folder":
            own += [f"dataset.path={self.folder / 'photos'}"]
        if file == "dataset/kohya_folder":
            own += [f"dataset.path={self.folder / 'kohya'}", f"dataset.reg_path={self.folder / 'reg'}"]
        if file == "dataset/kohya_toml":
            own += [f"dataset.config_file={self.folder / 'photos.toml'}"]
        if file == "dataset/subsets":
            own += [f"dataset.config_file={self.folder / 'photos.yaml'}"]
        own_values = {path for path, value in stated(file).items() if value is not None}
        small = [text for text in SMALL if text.split("=")[0] not in own_values or text.startswith(LENGTH)]
        places = [f"output_dir={self.folder / 'outputs' / file}", f"cache_dir={self.folder / 'cache'}"]
        run = composed(*own, *small, *places)
        return train(run, preflight(run, prepare_demo, check_scoring), console=Console(quiet=True))


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Trials:
    folder = tmp_path_factory.mktemp("shipped")
    write_photos(folder)
    write_kohya(folder)
    (folder / "photos.toml").write_text(
        "[[datasets]]\nresolution = 64\nbatch_size = 2\nenable_bucket = true\nmin_bucket_reso = 32\n"
        "max_bucket_reso = 128\nbucket_reso_steps = 8\n"
        f"[[datasets.subsets]]\nimage_dir = '{folder / 'photos'}'\nnum_repeats = 2\n"
    )
    (folder / "photos.yaml").write_text(
        f"general: {{num_repeats: 2}}\ndatasets:\n- subsets:\n  - image_dir: {folder / 'photos'}\n"
        f"- resolution: [64, 32]\n  batch_size: 1\n  subsets:\n  - image_dir: {folder / 'photos'}\n"
    )
    return Trials(folder, {})


def stated(file: str) -> dict[str, object]:
    """What a file says, by option; values that it takes from elsewhere are None."""
    content = OmegaConf.load(CONF / f"{file}.yaml")
    assert isinstance(content, DictConfig)
    whole = not file.partition("/")[2] or file.startswith("experiment/")
    return dict(_leaves(content, "" if whole else f"{file.split('/')[0]}."))


def _leaves(node: DictConfig, prefix: str) -> Iterator[tuple[str, object]]:
    for key in map(str, node):
        path = f"{prefix}{key}"
        if key in ("defaults", "hydra"):
            continue
        value = None if OmegaConf.is_interpolation(node, key) else node[key]
        if isinstance(value, DictConfig):
            yield from _leaves(value, f"{path}.")
        else:
            yield path, OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def test_conf_has_one_file_of_all_and_one_folder_a_group() -> None:
    assert {"config", "model/demo", "model/sd15", "experiment/night", "optimizer/prodigy"} <= set(FILES)
    assert [file for file in FILES if "/" not in file] == ["config"]
    assert [file for file in FILES if file.count("/") > 1] == []


@pytest.mark.parametrize("file", NAMED)
def test_a_small_run_with_the_file_ends_and_holds_what_it_states(trials: Trials, file: str) -> None:
    result = trials.result(file)
    assert (result.outcome, result.steps_done) == (Outcome.completed, 3)
    assert result.weights is not None and result.weights.is_file()
    if file.startswith("optimizer/"):  # one that steps on a copy of the weights would leave these zero
        assert any(value.any() for key, value in load_file(result.weights).items() if "lora_up" in key)
    config = OmegaConf.create(read_run_yaml(result.folder).config)
    replaced = (LENGTH, "model.checkpoint") if result.name in TINY_CHECKPOINTS else (LENGTH,)
    for path, value in stated(file).items():
        held = OmegaConf.select(config, path)
        if value is not None and path not in replaced:
            assert (OmegaConf.to_container(held) if OmegaConf.is_config(held) else held) == value, path


@pytest.mark.parametrize("group", LEARNING)
def test_the_files_of_a_group_end_in_different_weights(trials: Trials, group: str) -> None:
    files = [file for file in FILES if file.startswith(f"{group}/") and file not in EXTRAS]
    weights = [trials.result(file).weights for file in files]
    tensors = [read_tensors(path) for path in weights if path is not None]
    assert len(tensors) >= 2
    for index, one in enumerate(tensors):
        for other in tensors[:index]:
            assert one.keys() == other.keys() and one != other


def test_the_files_of_tracking_leave_what_they_promise(trials: Trials) -> None:
    names = {
        file: {path.name for path in trials.result(f"tracking/{file}").folder.iterdir()}
        & {"wandb", "tensorboard"}
        for file in ("off", "wandb", "tensorboard")
    }
    assert names == {"off": set(), "wandb": {"wandb"}, "tensorboard": {"tensorboard"}}


def test_the_night_experiment_learns_dark_pictures_with_its_noise(trials: Trials) -> None:
    record = read_run_yaml(trials.result("experiment/night").folder)
    run = OmegaConf.create(record.config)
    assert record.sources.pictures.parent.name.startswith("night-")
    assert (run.name, run.network.rank, run.noise.offset) == ("night", 8, 0.3)


def test_a_checkpoint_of_ones_own_is_trained_with_the_recipe_of_sd15(trials: Trials) -> None:
    result = trials.result("model/sd15")
    assert result.weights is not None and result.weights.name == "sd15.safetensors"
    config = OmegaConf.create(read_run_yaml(result.folder).config)
    assert (config.optimizer.lr, config.sampling.guidance_scale, config.dataset.bucket_reso_steps) == (
        1e-4,
        7.5,
        64,
    )
    state = load_file(result.weights)
    layers = [key.removesuffix(".alpha") for key in state if key.endswith(".alpha")]
    parts = ("_attn1_", "_attn2_", "_ff_net_", "_proj_in", "_proj_out")
    assert len(layers) > 10 and all(any(part in layer for part in parts) for layer in layers)
    assert {float(state[f"{layer}.alpha"]) for layer in layers} == {1.0}  # rank 2 x 0.5
    assert max(float(state[f"{layer}.lora_up.weight"].abs().max()) for layer in layers) > 0
    assert len(list((result.folder / "samples").glob("*/*.png"))) == 2
