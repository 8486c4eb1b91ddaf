"""Pictures for scores, of a run and of a file: drawn once, gone on with after a kill, refused in time."""

import json
import logging
import shutil
import weakref
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from safetensors.torch import load_file, save_file

from engine.config import SamplingConfig
from engine.config.errors import ConfigError
from engine.models import checkpoint
from engine.models.checkpoint import load_family
from engine.sampling import draw
from engine.sampling.picture_cache import LORA_PICTURES
from engine.training.result import TrainResult
from evaluation.drawing import drawing_plan
from evaluation.drawing.drawing_plan import DrawingPlan, LoRARequest, RunRequest, plan_of_lora, plan_of_run
from evaluation.drawing.generation import draw_for_scoring
from evaluation.reading.recipe_sources import recipe_sources
from tests.training.toy_runs import train_small

QUIET = Console(quiet=True)
TEXTS = ["a red star in the middle, blue background", "a small green heart at the top left"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A finished run with two pictures of its own; no test may change its folder."""
    return train_small(tmp_path_factory.mktemp("trained"), "sampling.num_prompts=2", "sampling.batch_size=2")


@pytest.fixture
def run(trained: TrainResult, tmp_path: Path) -> Path:
    """A copy of the run, its cache beside it."""
    folder = tmp_path / "outputs" / trained.folder.name
    shutil.copytree(trained.folder, folder)
    return folder


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "mine.txt"
    path.write_text("\n".join(TEXTS))
    return path


@pytest.fixture
def two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """LoRA files draw with 2 steps."""
    monkeypatch.setattr(drawing_plan, "SamplingConfig", partial(SamplingConfig, steps=2))


@pytest.fixture
def drawn_batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that are drawn from now on."""
    sizes: list[int] = []
    really = draw.to_images
    monkeypatch.setattr(draw, "to_images", lambda pixels: sizes.append(len(pixels)) or really(pixels))
    return sizes


def rows(folder: Path, name: str) -> list[dict]:
    return json.loads((folder / "samples/samples.json").read_text())["sets"][name]


def pixels(folder: Path, name: str) -> np.ndarray:
    files = [folder / "samples" / row["file"] for row in rows(folder, name)]
    return np.stack([np.asarray(Image.open(file)).astype(int) for file in files])


def run_request(run: Path, tmp_path: Path, **options: object) -> RunRequest:
    return RunRequest(run=run, cache_dir=tmp_path / "own_cache", **options)


def lora_request(lora: Path, tmp_path: Path, **options: object) -> LoRARequest:
    given = {"model": "demo", "out": tmp_path / "out", "cache_dir": tmp_path / "own_cache", **options}
    return LoRARequest(lora=lora, **given)


def split(plan: DrawingPlan) -> tuple[list[str], list[str]]:
    """Prompts of the concept, and plain ones."""
    texts: tuple[list[str], list[str]] = ([], [])
    for prompt in plan.prompts:
        texts[prompt.kind == "plain"].append(prompt.text)
    return texts


def test_a_runs_own_prompts_and_seeds_give_the_pictures_that_training_drew(run: Path, tmp_path: Path) -> None:
    listing = json.loads((run / "samples/samples.json").read_text())
    own = tmp_path / "own.txt"
    own.write_text("\n".join(row["prompt"] for row in listing["prompts"]))
    folder = draw_for_scoring(run_request(run, tmp_path, prompts=own), console=QUIET)
    assert folder == run / "evaluation/own"
    for name in ("base", "final"):
        assert [(row["prompt"], row["seed"]) for row in rows(folder, name)] == [
            (row["prompt"], row["seed"]) for row in rows(run, name)
        ]
        for one, other in zip(rows(folder, name), rows(run, name), strict=True):
            assert (folder / "samples" / one["file"]).read_bytes() == (
                run / "samples" / other["file"]
            ).read_bytes()
    assert np.abs(pixels(folder, "final") - pixels(folder, "base")).max() > 2  # the LoRA was on


@pytest.mark.usefixtures("two_steps")
def test_a_lora_file_draws_the_pictures_of_its_run_and_none_of_them_again(
    run: Path, prompts: Path, tmp_path: Path, drawn_batches: list[int]
) -> None:
    of_run = draw_for_scoring(run_request(run, tmp_path, prompts=prompts, preset="quick"), console=QUIET)
    assert of_run == run / "evaluation/quick-mine" and drawn_batches == [2, 2]
    (lora,) = run.glob("*.safetensors")
    of_file = draw_for_scoring(lora_request(lora, tmp_path, prompts=prompts, preset="quick"), console=QUIET)
    assert drawn_batches == [2, 2]  # base, model, settings and weights are those of the run
    for name in ("base", "final"):
        assert np.array_equal(pixels(of_file, name), pixels(of_run, name))


def test_what_is_there_is_not_loaded_for(
    run: Path, prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = run_request(run, tmp_path, prompts=prompts)
    folder = draw_for_scoring(request, console=QUIET)
    before = (folder / "samples/samples.json").read_bytes()
    monkeypatch.setattr(checkpoint, "load_family", _forbidden)
    assert draw_for_scoring(request, console=QUIET) == folder
    assert (folder / "samples/samples.json").read_bytes() == before


def test_a_picture_that_was_removed_comes_back_from_the_cache(
    run: Path, prompts: Path, tmp_path: Path, drawn_batches: list[int]
) -> None:
    request = run_request(run, tmp_path, prompts=prompts)
    folder = draw_for_scoring(request, console=QUIET)
    (gone, _) = sorted((folder / "samples/final").iterdir())
    before = gone.read_bytes()
    gone.unlink()
    draw_for_scoring(request, console=QUIET)
    assert gone.read_bytes() == before and drawn_batches == [2, 2]


def test_after_a_kill_only_the_pictures_that_are_missing_are_drawn(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn_batches: list[int]
) -> None:
    listed = tmp_path / "three.txt"
    listed.write_text("\n".join([*TEXTS, "a sks creature"]))
    request = run_request(run, tmp_path, prompts=listed, batch_size=1)
    counted = draw.to_images

    def killed_at_the_fifth(of_pixels: torch.Tensor) -> list[Image.Image]:
        if len(drawn_batches) == 4:
            raise KeyboardInterrupt
        return counted(of_pixels)

    with monkeypatch.context() as patch:
        patch.setattr(draw, "to_images", killed_at_the_fifth)
        with pytest.raises(KeyboardInterrupt):
            draw_for_scoring(request, console=QUIET)
    folder = run / "evaluation/three"
    listing = json.loads((folder / "samples/samples.json").read_text())
    assert list(listing["sets"]) == ["base"] and drawn_batches == [1] * 4
    assert not any(module.__class__.__name__.startswith("LoRA") for module in _unet(run).modules())
    draw_for_scoring(request, console=QUIET)
    assert drawn_batches == [1] * 6  # the two of the final set that were missing
    assert [(row["prompt_index"], row["seed"]) for row in rows(folder, "final")] == [(0, 1), (1, 1), (2, 1)]
    assert not list(folder.rglob(".*"))  # nothing half-written


@pytest.mark.usefixtures("two_steps")
def test_another_file_under_the_same_name_is_drawn_anew(
    run: Path, prompts: Path, tmp_path: Path, drawn_batches: list[int]
) -> None:
    (original,) = run.glob("*.safetensors")
    lora = tmp_path / "lora.safetensors"
    shutil.copy(original, lora)
    request = lora_request(lora, tmp_path, prompts=prompts, preset="quick")
    first = pixels(draw_for_scoring(request, console=QUIET), "final")
    stronger = {key: tensor * 3 if "up" in key else tensor for key, tensor in load_file(original).items()}
    save_file(stronger, lora)
    second = pixels(draw_for_scoring(request, console=QUIET), "final")
    assert drawn_batches == [2, 2, 2]  # base, final, the other final
    assert np.abs(second - first).max() > 5
    assert len(list((tmp_path / "own_cache" / LORA_PICTURES).rglob("*.png"))) == 4


def test_strength_zero_is_the_base(run: Path, prompts: Path, tmp_path: Path) -> None:
    folder = draw_for_scoring(run_request(run, tmp_path, prompts=prompts, strength=0.0), console=QUIET)
    assert folder.name == "mine-strength_0"
    assert np.array_equal(pixels(folder, "final"), pixels(folder, "base"))


def test_a_preset_says_which_prompts_and_seeds(run: Path, tmp_path: Path) -> None:
    confirm = plan_of_run(run_request(run, tmp_path, preset="confirm"))
    sweep = plan_of_run(run_request(run, tmp_path, preset="sweep"))
    assert list(confirm.run.sampling.seeds) == [101, 102, 103, 104]
    assert confirm.folder == run / "evaluation/confirm" and confirm.size == (64, 64)
    learnt, plain = split(confirm)
    assert (len(learnt), len(plain)) == (25, 4) and [len(part) for part in split(sweep)] == [10, 4]
    assert not set(learnt) & set(split(sweep)[0])
    assert any(prompt.references for prompt in sweep.prompts)  # what the manifest knows is kept


@pytest.mark.parametrize("name", ["quick", "sweep", "confirm"])
def test_a_preset_draws_the_same_of_a_run_as_of_its_file(run: Path, tmp_path: Path, name: str) -> None:
    (lora,) = run.glob("*.safetensors")
    of_run = plan_of_run(run_request(run, tmp_path, preset=name))
    of_file = plan_of_lora(lora_request(lora, tmp_path, preset=name))
    assert [prompt.text for prompt in of_run.prompts] == [prompt.text for prompt in of_file.prompts]
    assert of_run.run.sampling.seeds == of_file.run.sampling.seeds


def test_a_preset_on_a_manifest_draws_as_many_plain_prompts_as_on_the_demos_list(
    run: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "many.json"
    listed = [{"prompt": f"a {number}", "kind": "plain" if number < 9 else "concept"} for number in range(30)]
    manifest.write_text(json.dumps({"schema": 1, "prompts": listed}))
    (lora,) = run.glob("*.safetensors")
    for plan in (
        plan_of_run(run_request(run, tmp_path, prompts=manifest, preset="quick")),
        plan_of_lora(lora_request(lora, tmp_path, prompts=manifest, preset="quick")),
    ):
        assert [len(part) for part in split(plan)] == [8, 4]


def test_a_file_for_the_demo_draws_what_a_run_draws_by_default(run: Path, tmp_path: Path) -> None:
    (lora,) = run.glob("*.safetensors")
    plan = plan_of_lora(lora_request(lora, tmp_path))
    assert [len(part) for part in split(plan)] == [8, 4] and list(plan.run.sampling.seeds) == [1, 2]
    named = recipe_sources(plan.run.model, tmp_path / "own_cache").prompts
    assert plan_of_lora(lora_request(lora, tmp_path, prompts=named)).prompts == plan.prompts


def test_a_file_without_a_preset_is_drawn_whole(run: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "many.json"
    listed = [{"prompt": f"a {number}", "kind": "plain" if number < 9 else "concept"} for number in range(30)]
    manifest.write_text(json.dumps({"schema": 1, "prompts": listed}))
    plan = plan_of_run(run_request(run, tmp_path, prompts=manifest))
    assert len(plan.prompts) == 30 and list(plan.run.sampling.seeds) == [1]


def test_a_set_of_the_demo_is_the_file_beside_its_list(run: Path, tmp_path: Path) -> None:
    plan = plan_of_run(run_request(run, tmp_path, prompt_set="luminance"))
    tones = [prompt.tone for prompt in plan.prompts]
    assert tones.count("dark") == tones.count("bright") > 3
    assert plan.folder.name == "luminance"
    (lora,) = run.glob("*.safetensors")
    of_file = plan_of_lora(lora_request(lora, tmp_path, prompt_set="luminance"))
    assert [prompt.tone for prompt in of_file.prompts if prompt.tone] == [tone for tone in tones if tone]


def test_a_lora_file_is_drawn_as_its_recipe_says(run: Path, prompts: Path, tmp_path: Path) -> None:
    (lora,) = run.glob("*.safetensors")
    sampling = plan_of_lora(lora_request(lora, tmp_path, prompts=prompts)).run.sampling
    assert (sampling.steps, sampling.guidance_scale, list(sampling.seeds)) == (20, 2.0, [1, 2])


def test_a_set_of_prompts_is_made_of_the_words_that_are_given(tmp_path: Path) -> None:
    (tmp_path / "some.safetensors").write_bytes(b"")
    words = {"trigger": "sks", "class_word": "dog", "checkpoint": "demo/weights"}
    lora = tmp_path / "some.safetensors"
    options = {"model": "sd15", "prompt_set": "dreambooth_live_subject"}
    plan = plan_of_lora(lora_request(lora, tmp_path, **options, **words))
    assert "a sks dog in the jungle" in [prompt.text for prompt in plan.prompts]
    assert plan.size == (512, 512) and plan.run.sampling.guidance_scale == 7.5


REFUSED_RUNS: dict[str, tuple[dict[str, object], str]] = {
    "preset": ({"preset": "quik"}, "preset=quik: unknown (did you mean quick?)"),
    "set": ({"prompt_set": "dreambooth"}, "prompt_set=dreambooth: unknown"),
    "set of the demo": ({"prompt_set": "lycoris"}, "prompt_set=lycoris: the demo's model knows few words"),
    "no file": (
        {"prompts": Path("none.txt"), "preset": "quick"},
        "prompts=none.txt: no such file. Give a text file with one prompt a line, or a manifest (.json).",
    ),
    "both": (
        {"prompts": Path("a.txt"), "prompt_set": "luminance"},
        "prompt_set=luminance with prompts=a.txt: two lists of prompts.",
    ),
    "device": ({"device": "cuda:7"}, "device=cuda:7: torch sees no such device here"),
}


@pytest.mark.parametrize("name", list(REFUSED_RUNS))
def test_what_cannot_be_drawn_of_a_run_is_refused_before_a_model_is_loaded(
    run: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "load_family", _forbidden)
    options, sentence = REFUSED_RUNS[name]
    with pytest.raises(ConfigError) as refused:
        draw_for_scoring(run_request(run, tmp_path, **options), console=QUIET)
    assert "\n".join(refused.value.problems).startswith(sentence)
    assert not (run / "evaluation").exists()


def test_a_preset_that_passes_over_all_prompts_says_so(run: Path, prompts: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        draw_for_scoring(run_request(run, tmp_path, prompts=prompts, preset="confirm"), console=QUIET)
    assert refused.value.problems == [
        "preset=confirm: passes over 10 prompts, and mine.txt has 2 prompts. "
        "Give another preset, or more prompts."
    ]


def test_a_list_of_prompts_that_is_a_table_is_refused_for_a_run_too(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "pr.csv"
    path.write_text("path,prompt\na.png,a dog\n")
    with pytest.raises(ConfigError) as refused:
        draw_for_scoring(run_request(run, tmp_path, prompts=path, preset="quick"), console=QUIET)
    (problem,) = refused.value.problems
    assert problem.startswith(f"prompts={path}: is a table and no list of prompts.")
    assert f"python -m evaluation images=DIR prompts={path}" in problem


def test_a_run_whose_base_is_gone_is_told_to_put_it_back(run: Path, tmp_path: Path) -> None:
    record = run / "run.yaml"
    record.write_text(record.read_text().replace("demo/weights", "no/weights"))
    with pytest.raises(ConfigError) as refused:
        draw_for_scoring(run_request(run, tmp_path, preset="quick"), console=QUIET)
    assert "model.checkpoint=no/weights: not found. Put the base model" in refused.value.problems[0]
    assert "model.checkpoint=DIR" not in refused.value.problems[0]


def test_a_run_without_weights_another_base_or_no_record_is_refused(run: Path, tmp_path: Path) -> None:
    request = run_request(run, tmp_path, preset="quick")
    with pytest.raises(ConfigError, match=r"run\.yaml: no such file"):
        draw_for_scoring(run_request(tmp_path, tmp_path), console=QUIET)
    record = (run / "run.yaml").read_text()
    base = next(line for line in record.splitlines() if line.strip().startswith("base:"))
    (run / "run.yaml").write_text(record.replace(base, f"  base: '{'0' * 64}'"))
    with pytest.raises(ConfigError, match=r"the weights of demo/weights changed since .*its LoRA is not for"):
        draw_for_scoring(request, console=QUIET)
    (run / "run.yaml").write_text(record)
    (lora,) = run.glob("*.safetensors")
    lora.write_bytes(b"half a file")
    with pytest.raises(ConfigError, match="not a safetensors file"):
        draw_for_scoring(request, console=QUIET)
    lora.unlink()
    with pytest.raises(ConfigError, match=r"holds no weights\. Let the run end"):
        draw_for_scoring(request, console=QUIET)
    (run / "result.json").unlink()
    with pytest.raises(ConfigError, match=r"holds no weights\. Let the run end"):
        draw_for_scoring(request, console=QUIET)
    assert not (run / "evaluation").exists()


def test_a_prompt_that_is_cut_is_told_of_without_an_option_that_is_not_here(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "long.txt").write_text("a red star " * 40)
    with caplog.at_level(logging.WARNING):
        draw_for_scoring(run_request(run, tmp_path, prompts=tmp_path / "long.txt"), console=QUIET)
    cut = [record.getMessage() for record in caplog.records if "cut after" in record.getMessage()]
    assert len(cut) == 1 and cut[0].endswith("Shorten it.")


def test_no_more_than_two_batches_of_pictures_are_held(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[int] = []
    held: list[weakref.ref[Image.Image]] = []
    really = draw.to_images

    def counted(of_pixels: torch.Tensor) -> list[Image.Image]:
        images = really(of_pixels)
        held.extend(weakref.ref(image) for image in images)
        alive.append(sum(one() is not None for one in held))
        return images

    monkeypatch.setattr(draw, "to_images", counted)
    many = tmp_path / "many.txt"
    many.write_text("\n".join(f"a {number}" for number in range(8)))
    draw_for_scoring(run_request(run, tmp_path, prompts=many, batch_size=1), console=QUIET)
    assert len(alive) == 16 and max(alive) <= 2


def _forbidden(*_: object, **__: object) -> None:
    raise AssertionError("a model is loaded")


def _unet(run: Path) -> torch.nn.Module:
    plan = plan_of_run(RunRequest(run=run))
    family = load_family(plan.run.model, device=torch.device("cpu"), dtype=torch.float32)
    return family.adaptable_layers()[0].root
