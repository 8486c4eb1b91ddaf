"""No option is ignored: each one is shown to change what it says it changes, and nothing else."""

import ast
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import get_type_hints

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D
from hydra import compose, initialize_config_dir
from PIL import Image
from rich.console import Console
from safetensors.torch import load_file

from demo.folder import prepare_demo
from engine.compose.record import read_run_yaml
from engine.compose.register import register
from engine.compose.run_id import is_excluded
from engine.config import Family, NetworkConfig, RunConfig
from engine.models import checkpoint
from engine.models.facts import FAMILIES
from engine.models.placing import place_for_steps
from engine.models.sd1 import StableDiffusion1
from engine.training import parts
from engine.training.clock import Clock
from engine.training.job import Hooks
from engine.training.parts import load_model
from engine.training.train import train
from tests.compose.toys import CONF
from tests.training import toy_runs
from tests.training.option_cases import OPTIONS, Changes, Shown
from tests.training.option_desk import Seen, differences, largest_step, lay_desk, read_tensors, see_run
from tests.training.toy_runs import small_run, train_small
from train import run_composed

HERE = Path(__file__)
CHANGES = {path: case for path, case in OPTIONS.items() if isinstance(case, Changes)}
Run = tuple[str, Seen]


@dataclass
class Runs:
    """Small runs by their overrides, each trained once, in a folder of its own."""

    folder: Path
    desk: Path
    done: dict[tuple[str, ...], Run] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def see(self, overrides: Sequence[str]) -> Run:
        key = tuple(text.replace("{desk}", str(self.desk)) for text in overrides)
        if key not in self.done:
            output = f"output_dir={self.folder / str(next(self.numbers))}"
            self.done[key] = see_run(self.folder, output, *key)
        return self.done[key]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("options")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            toy_runs, "prepare_demo", cache(prepare_demo)
        )  # draws its pictures to see if they changed
        yield Runs(folder, lay_desk(folder / "desk", folder / "cache"))


@pytest.fixture(scope="module")
def folder(runs: Runs) -> Path:
    return runs.folder


def option_paths(config: type, prefix: str = "") -> Iterator[str]:
    """Every option as the command line spells it; those of all kinds of network."""
    hints = get_type_hints(config)
    for option in fields(config):
        hint = hints[option.name]
        kinds = NetworkConfig.__subclasses__() if hint is NetworkConfig else [hint]
        for kind in kinds:
            if is_dataclass(kind):
                assert isinstance(kind, type)
                yield from option_paths(kind, f"{prefix}{option.name}.")
            else:
                yield prefix + option.name


def key_of(override: str) -> str:
    return override.lstrip("+").split("=")[0]


def merged(*overrides: str) -> list[str]:
    """The last override of each option."""
    return list({key_of(override): override for override in overrides}.values())


def test_every_option_says_how_it_is_shown_to_be_applied() -> None:
    paths = set(option_paths(RunConfig))
    assert {"seed", "network.rank", "network.layers", "tracking.tags"} <= paths
    assert paths - set(OPTIONS) == set(), "options without an entry in option_cases.py"
    assert set(OPTIONS) - paths == set(), "entries without an option"


def test_every_entry_is_about_its_own_option() -> None:
    for path, case in CHANGES.items():
        assert case.things, path
        assert key_of(case.to) == path or key_of(case.to).startswith(f"{path}."), path
        assert case.to not in case.of, path


def test_every_test_that_an_entry_names_is_there() -> None:
    missing = []
    for case in OPTIONS.values():
        if isinstance(case, Shown):
            file, _, name = case.by.rpartition("::")
            tree = ast.parse((HERE.parents[2] / file if file else HERE).read_text(encoding="utf-8"))
            names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            missing += [case.by] if name not in names else []
    assert missing == []


@pytest.mark.parametrize("path", CHANGES)
def test_the_option_changes_what_it_says_and_nothing_else(runs: Runs, path: str) -> None:
    case = CHANGES[path]
    before_id, before = runs.see(merged(*case.of))
    after_id, after = runs.see(merged(*case.of, case.to, *case.also))
    assert differences(before, after) == case.things
    if "weights" in case.things:  # other weights never land in the folder of a finished run
        assert before_id != after_id
    elif is_excluded(path):
        assert before_id == after_id


def test_output_and_cache_lie_where_they_are_told_to(tmp_path: Path) -> None:
    places = {name: tmp_path / "far" / name for name in ("output_dir", "cache_dir")}
    result = train_small(tmp_path, *(f"{name}={place}" for name, place in places.items()))
    assert result.folder.parent == places["output_dir"]
    assert {path.name for path in places["cache_dir"].iterdir()} == {
        "base_pictures",
        "demo",
        "latents",
        "text",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["far"]


def test_a_dry_run_prints_the_plan_and_trains_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        places = [f"output_dir={tmp_path / 'outputs'}", f"cache_dir={tmp_path / 'cache'}"]
        config = compose("config", overrides=["dry_run=true", "training.steps=7", *places])
    assert run_composed(config) == {}
    assert "7 in all" in capsys.readouterr().out
    assert not (tmp_path / "outputs").exists()


def test_force_trains_a_finished_run_again(folder: Path) -> None:
    options = [f"output_dir={folder / 'forced'}", "sampling.num_prompts=0"]
    first = train_small(folder, *options)
    mark = first.folder / "samples-of-mine.txt"
    mark.write_text("here before")
    assert train_small(folder, *options).reused and mark.exists()
    again = train_small(folder, *options, "force=true")
    assert not again.reused and not mark.exists()
    assert (again.run_id, again.val_losses) == (first.run_id, first.val_losses)


def test_gradient_checkpointing_learns_the_same_by_computing_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [0]
    forward = ResnetBlock2D.forward

    def counted(self: ResnetBlock2D, *given: object, **named: object) -> object:
        calls[0] += torch.is_grad_enabled()  # training alone: no validation, no encoder
        return forward(self, *given, **named)

    monkeypatch.setattr(ResnetBlock2D, "forward", counted)
    weights, counts = [], []
    for place, switch in enumerate(("false", "true")):
        calls[0] = 0
        options = (f"output_dir={folder / f'recompute{place}'}", f"training.gradient_checkpointing={switch}")
        result = train_small(folder, *options, "sampling.num_prompts=0")
        assert result.weights is not None
        weights.append(load_file(result.weights))
        counts.append(calls[0])
    assert counts[1] > 1.8 * counts[0] > 0  # diffusers leaves out the first block in the middle
    off, on = weights
    assert max(float((off[key] - on[key]).abs().max()) for key in off) <= 1e-5


def test_the_model_and_its_lora_go_to_the_device(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_loaded", {})
    run, plan = small_run(folder, "training.device=cpu")
    assert plan.device == "cpu"
    elsewhere = replace(plan, device="meta")  # the device that every machine has beside its CPU
    model = load_model(run, elsewhere, clock=Clock(), console=Console(quiet=True))
    bases = [attached.layer.base.weight for attached in model.network.layers]
    assert {weight.device.type for weight in bases} == {"cpu"}  # until pictures and captions are encoded
    place_for_steps(model.family, run)
    bases = [attached.layer.base.weight for attached in model.network.layers]
    places = {tensor.device.type for tensor in (*bases, *model.network.parameters())}
    model.network.detach()
    assert places == {"meta"}


def test_encoders_are_fetched_for_what_is_not_kept_yet_and_not_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    plain = parts.place_for_encoding
    monkeypatch.setattr(parts, "place_for_encoding", lambda *args: (fetched.append("once"), plain(*args)))
    for place in range(2):
        options = (f"cache_dir={folder / 'fetched'}", f"output_dir={folder / f'fetched{place}'}")
        train_small(folder, *options, "sampling.num_prompts=0")
        assert fetched == ["once"]


def test_the_run_has_as_many_threads_as_it_is_told(folder: Path) -> None:
    threads: list[int] = []

    def note(step: int, val_loss: float) -> bool:
        threads.append(torch.get_num_threads())
        return False

    run, plan = small_run(folder, "training.threads=2", "sampling.num_prompts=0")
    try:
        result = train(run, plan, console=Console(quiet=True), hooks=Hooks(on_validation=note))
    finally:
        torch.set_num_threads(1)
    assert set(threads) == {2}
    assert read_run_yaml(result.folder).threads == 2


def test_a_checkpoint_is_there_after_every_so_many_steps(folder: Path) -> None:
    there: dict[int, list[str]] = {}
    for every in (0, 2):
        options = (f"output_dir={folder / f'every{every}'}", f"training.checkpoint_every={every}")
        run, plan = small_run(
            folder, *options, "training.steps=6", "training.validate_every=3", "sampling.num_prompts=0"
        )

        def look(step: int, val_loss: float, place: Path = plan.folder, every: int = every) -> bool:
            if step == 3:
                there[every] = sorted(path.name for path in place.glob("checkpoints/*"))
            return False

        train(run, plan, console=Console(quiet=True), hooks=Hooks(on_validation=look))
    assert there == {0: [], 2: ["step000002.pt"]}


def test_so_many_pictures_are_drawn_at_a_time_and_they_are_the_same(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    decode = StableDiffusion1.decode_latents

    def noted(self: StableDiffusion1, latents: torch.Tensor) -> torch.Tensor:
        sizes.append(len(latents))
        return decode(self, latents)

    monkeypatch.setattr(StableDiffusion1, "decode_latents", noted)
    # seeds that no other test draws: the base would be there already
    options = ("sampling.num_prompts=2", "sampling.seeds=[71,73]", "training.steps=1")
    _, three = runs.see((*options, "sampling.batch_size=3"))
    assert sizes == [3, 1, 3, 1]
    _, one = runs.see((*options, "sampling.batch_size=1"))
    assert sizes[4:] == [1] * 4  # the base's are those that the first run drew
    assert one.base.keys() == three.base.keys() and len(one.base) == 4
    assert largest_step(one.base, three.base) <= 1 and largest_step(one.final, three.final) <= 1


def test_each_sampler_draws_pictures_of_its_own(runs: Runs) -> None:
    options = ("training.steps=1", "sampling.steps=3")
    drawn = [
        runs.see((*options, f"sampling.sampler={sampler.name}"))[1].final
        for sampler in FAMILIES[Family.sd1].samplers
    ]
    assert len(drawn) >= 3
    for index, one in enumerate(drawn):
        assert all(one.keys() == other.keys() and one != other for other in drawn[:index])


def test_the_prompts_of_a_file_are_drawn_and_its_comments_are_not(folder: Path) -> None:
    prompts = folder / "mine.txt"
    prompts.write_text("# of mine\na red star in the middle, blue background\n\n  a ring  \na cross\n")
    options = (
        f"output_dir={folder / 'prompts'}",
        f"sampling.prompt_file={prompts}",
        "sampling.num_prompts=2",
    )
    result = train_small(folder, *options, "training.steps=1")
    listing = json.loads((result.folder / "samples/samples.json").read_text(encoding="utf-8"))
    expected = ["a red star in the middle, blue background", "a ring"]
    for name in ("base", "final"):
        assert [row["prompt"] for row in listing["sets"][name]] == expected
    assert [row["prompt"] for row in listing["prompts"]] == expected


def test_captions_that_are_not_kept_are_encoded_at_each_step(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _note_prompts(monkeypatch)
    options = ("sampling.num_prompts=0", "training.steps=3")
    kept = train_small(folder / "kept", *options)
    assert [len(captions) for captions in asked] == [1] * 12  # each caption once, by itself
    asked.clear()
    fresh = train_small(folder / "fresh", *options, "dataset.cache_text_embeddings=false")
    assert [len(captions) for captions in asked] == [1, 2, 2, 2]  # of the validation, then of each batch
    assert kept.weights is not None and fresh.weights is not None
    for key, value in load_file(fresh.weights).items():
        assert torch.allclose(value, load_file(kept.weights)[key], atol=1e-4), key


def test_wildcards_and_lines_are_drawn_at_each_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.effect_noise((64, 64), 60).convert("RGB").save(photos / "a.png")
    (photos / "a.txt").write_text("a {red|blue} star\na {big|small} heart\n")
    asked = _note_prompts(monkeypatch)
    options = (f"dataset.path={photos}", "sampling.num_prompts=0", "training.steps=24")
    varying = ("dataset.enable_wildcard=true", "dataset.cache_text_embeddings=false")
    train_small(tmp_path, *options, *varying)
    once = list(asked)
    assert {text for captions in once for text in captions} == {
        "a red star",
        "a blue star",
        "a big heart",
        "a small heart",
    }
    asked.clear()
    train_small(tmp_path, *options, *varying, "force=true")
    assert asked == once  # the same seed draws the same
    asked.clear()
    train_small(tmp_path, *options, "dataset.cache_text_embeddings=false")
    assert {text for captions in asked for text in captions} == {"a {red|blue} star"}


def test_pictures_that_are_not_kept_are_encoded_at_each_step(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, ...]] = []
    plain = StableDiffusion1.encode_images

    def noting(self: StableDiffusion1, pixels: torch.Tensor) -> object:
        shapes.append(tuple(pixels.shape))
        return plain(self, pixels)

    monkeypatch.setattr(StableDiffusion1, "encode_images", noting)
    options = (f"dataset.path={runs.desk / 'photos'}", "sampling.num_prompts=0", "dataset.flip_aug=true")
    kept = train_small(tmp_path / "kept", *options)
    assert len(shapes) == 10  # five pictures, both sides
    shapes.clear()
    fresh = train_small(tmp_path / "fresh", *options, "dataset.cache_latents=false")
    assert len(shapes) == 1 + 3  # of the validation, then of each batch
    assert kept.weights is not None and fresh.weights is not None
    for key, value in load_file(fresh.weights).items():
        assert torch.allclose(value, load_file(kept.weights)[key], atol=1e-4), key


def test_in_memory_a_run_learns_the_same_and_leaves_no_cache(runs: Runs, tmp_path: Path) -> None:
    options = (f"dataset.path={runs.desk / 'photos'}", "sampling.num_prompts=0", "dataset.flip_aug=true")
    on_disk = train_small(tmp_path / "disk", *options)
    in_memory = train_small(tmp_path / "memory", *options, "dataset.cache_in=memory")
    assert (tmp_path / "disk/cache/latents").is_dir() and (tmp_path / "disk/cache/text").is_dir()
    kept = ("latents", "masks", "text")  # what a scan reads may be kept: it is no part of what is encoded
    assert not [kind for kind in kept if (tmp_path / "memory/cache" / kind).exists()]
    assert on_disk.weights is not None and in_memory.weights is not None
    assert read_tensors(on_disk.weights) == read_tensors(in_memory.weights)
    assert on_disk.run_id == in_memory.run_id


def _note_prompts(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The prompts of every call of the text encoder from now on."""
    asked: list[list[str]] = []
    plain = StableDiffusion1.encode_prompts

    def noting(self: StableDiffusion1, prompts: Sequence[str]) -> torch.Tensor:
        asked.append(list(prompts))
        return plain(self, prompts)

    monkeypatch.setattr(StableDiffusion1, "encode_prompts", noting)
    return asked
