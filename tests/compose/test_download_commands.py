"""Commands in refusals get the files that are missing: they are given to the program that they name."""

import re
import shlex
import sys
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import pytest
from toys import composed, write_header_only

from engine.compose.checkpoint import checkpoint_problems
from engine.config import Family, ModelConfig

OF_A_PIPELINE = (
    "model_index.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
    "unet/diffusion_pytorch_model.safetensors.index.json",
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
)
OF_OTHER_PROGRAMS = ("sd_xl_base_1.0.safetensors", "text_encoders/t5xxl_fp16.safetensors", "unet/model.onnx")
OF_WORDS = ("tokenizer.json", "vocab.json", "merges.txt", "spiece.model")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[object, object]]:
    """What of a repository would have been fetched: patterns to take, patterns to leave, per download."""
    from huggingface_hub.cli import download

    calls: list[tuple[object, object]] = []

    def fetched(**given: object) -> str:
        calls.append((given["allow_patterns"], given["ignore_patterns"]))
        return "x"

    monkeypatch.setattr(download, "snapshot_download", fetched)
    for place in ("huggingface_hub.constants", "huggingface_hub.file_download.constants"):
        monkeypatch.setattr(f"{place}.HF_HUB_CACHE", str(tmp_path / "hub"))
    return calls


def run_commands(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every `hf download` of a refusal."""
    from huggingface_hub.cli.hf import main

    commands = re.findall(r'hf download \S+(?: --(?:include|exclude)(?: "[^"]+")+)*', said)
    assert commands != []
    for command in commands:
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        try:
            main()
        except SystemExit as end:
            assert end.code in (0, None)


def taken(names: tuple[str, ...], patterns: tuple[object, object]) -> list[str]:
    """The files that are fetched, as huggingface_hub.utils.filter_repo_objects has it."""
    allowed, ignored = patterns
    assert isinstance(allowed, list)
    left = ignored if isinstance(ignored, list) else []
    return [
        name
        for name in names
        if any(fnmatch(name, one) for one in allowed) and not any(fnmatch(name, one) for one in left)
    ]


@pytest.mark.parametrize("recipe", ["sd15", "sd35_large", "flux_dev"])
def test_the_command_for_a_recipe_gets_its_folders_and_nothing_else(
    recipe: str, asked: list[tuple[object, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (problem,) = checkpoint_problems(composed(f"model={recipe}", "dataset.path=photos").model)
    run_commands(problem, monkeypatch)
    (patterns,) = asked
    assert taken((*OF_A_PIPELINE, *OF_OTHER_PROGRAMS), patterns) == list(OF_A_PIPELINE)


def test_the_commands_for_the_words_of_a_file_get_all_that_tokenizers_are_written_in(
    asked: list[tuple[object, object]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_header_only(tmp_path / "m.safetensors", {"double_blocks.0.img_attn.qkv.weight": [12, 4]})
    model = replace(ModelConfig(), family=Family.flux, checkpoint=str(tmp_path / "m.safetensors"))
    run_commands(" ".join(checkpoint_problems(model)), monkeypatch)
    assert len(asked) == 2  # CLIP's and T5's
    assert all(taken(OF_WORDS, patterns) == list(OF_WORDS) for patterns in asked)
