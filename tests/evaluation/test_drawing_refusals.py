"""LoRA files and lists of prompts that cannot be drawn: said in the options of python -m evaluation."""

import json
import re
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file

from engine.config.errors import ConfigError
from engine.models import checkpoint
from evaluation.drawing.command_words import said_here
from evaluation.drawing.drawing_plan import LoRARequest
from evaluation.drawing.generation import draw_for_scoring

QUIET = Console(quiet=True)


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """A file that nobody looks into before all else is known."""
    path = tmp_path / "some.safetensors"
    path.write_bytes(b"")
    return path


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "mine.txt"
    path.write_text("a red star\na green heart")
    return path


def lora_request(lora: Path, tmp_path: Path, **options: object) -> LoRARequest:
    given = {"model": "demo", "out": tmp_path / "out", "cache_dir": tmp_path / "own_cache", **options}
    return LoRARequest(lora=lora, **given)


LISTS: dict[str, tuple[str, str]] = {
    "pr.csv": (
        "a.png,a dog",
        "is a table and no list of prompts. Give a text file with one prompt a line, or",
    ),
    "pr.txt": ("path,prompt\na.png,a dog", "is a table and no list of prompts."),
    "twice.txt": ("a dog\na cat\na dog", "the prompt 'a dog' stands twice. Give it once."),
    "plain.json": (
        json.dumps({"prompts": [{"prompt": "a", "kind": "plain"}]}),
        "has 1 plain prompts and no others.",
    ),
}


@pytest.mark.parametrize("name", list(LISTS))
@pytest.mark.parametrize("preset", [None, "quick"])
def test_a_list_that_cannot_be_drawn_is_named_by_its_option(
    lora: Path, tmp_path: Path, name: str, preset: str | None
) -> None:
    content, sentence = LISTS[name]
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ConfigError) as refused:
        draw_for_scoring(lora_request(lora, tmp_path, prompts=path, preset=preset), console=QUIET)
    (problem,) = refused.value.problems
    assert problem.startswith((f"prompts={path}: ", "preset=quick: plain.json ")) and sentence in problem
    assert "sampling." not in problem


REFUSED_FILES: dict[str, tuple[dict[str, object], str]] = {
    "recipe": ({"model": "sd_15"}, "model=sd_15: unknown (did you mean sd15?)"),
    "checkpoint": (
        {"model": "sd15", "checkpoint": "nowhere"},
        "checkpoint=nowhere: not found. Give a diffusers folder: checkpoint=DIR, or a .safetensors file.",
    ),
    "no prompts": (
        {"prompts": None, "model": "sd15", "checkpoint": "demo/weights"},
        "nothing says what to draw. Give prompts=FILE",
    ),
    "words": (
        {"prompts": None, "prompt_set": "luminance", "model": "sd15", "checkpoint": "demo/weights"},
        "made of the trigger and the class word. Give trigger and class_word.",
    ),
    "captions": (
        {
            "prompts": None,
            "prompt_set": "lycoris",
            "model": "sd15",
            "checkpoint": "demo/weights",
            "trigger": "sks",
            "class_word": "dog",
        },
        "prompt_set=lycoris: draws captions",
    ),
}


@pytest.mark.parametrize("name", list(REFUSED_FILES))
def test_what_cannot_be_drawn_of_a_file_is_refused_before_a_model_is_loaded(
    lora: Path, prompts: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "load_family", _forbidden)
    options, sentence = REFUSED_FILES[name]
    with pytest.raises(ConfigError) as refused:
        draw_for_scoring(lora_request(lora, tmp_path, **{"prompts": prompts, **options}), console=QUIET)
    told = "\n".join(refused.value.problems)
    assert sentence in told and not re.search(r"(model|sampling|dataset)\.\w+=", told)
    assert not (tmp_path / "out").exists()


WORDS: dict[str, str] = {
    "model.checkpoint=x/y: not found. Give a diffusers folder: model.checkpoint=DIR, or run: hf x/y.": (
        "checkpoint=x/y: not found. Give a diffusers folder: checkpoint=DIR, or run: hf x/y."
    ),
    "model.checkpoint=x: holds a A, and model.family=sd1 is B (C). Give a checkpoint of that family.": (
        "checkpoint=x: holds a A, and model=sd15 is B (C). Give a checkpoint of that family."
    ),
    "model.prediction=epsilon: the checkpoint's scheduler says v_prediction. Set model.prediction=v.": (
        "model=sd15, prediction=epsilon: the checkpoint's scheduler says v_prediction. "
        "Give the recipe of that checkpoint, or another checkpoint."
    ),
}


@pytest.mark.parametrize("problem", list(WORDS))
def test_what_is_wrong_with_a_checkpoint_is_said_in_the_options_of_this_command(
    tmp_path: Path, problem: str
) -> None:
    request = LoRARequest(lora=Path("a.safetensors"), out=tmp_path, model="sd15")
    assert said_here(problem, request) == WORDS[problem]


def test_a_lora_that_is_missing_or_for_another_model_is_refused(prompts: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    with pytest.raises(ConfigError, match=r"lora=.*: no such file"):
        draw_for_scoring(lora_request(other, tmp_path, prompts=prompts), console=QUIET)
    key = "lora_unet_input_blocks_4_1_proj_in"
    save_file({f"{key}.lora_down.weight": torch.ones(1, 4), f"{key}.lora_up.weight": torch.ones(4, 1)}, other)
    with pytest.raises(ConfigError, match=rf"1 of 1 layers of this LoRA are not .*, the first: {key}"):
        draw_for_scoring(lora_request(other, tmp_path, prompts=prompts), console=QUIET)
    assert not (tmp_path / "out").exists()


def _forbidden(*_: object, **__: object) -> None:
    raise AssertionError("a model is loaded")
