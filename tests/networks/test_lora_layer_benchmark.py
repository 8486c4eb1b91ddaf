"""The benchmark of the LoRA layers at toy size, so that it does not rot; its timing is not judged."""

import runpy
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "lora_layer.py"


def test_the_benchmark_measures_both_choices_of_layers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["threads=1", "width=16", "latents=8", "batch=1", "rank=2", "rounds=1"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
    threads = torch.get_num_threads()
    try:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    finally:
        torch.set_num_threads(threads)
    printed = capsys.readouterr().out
    assert printed.count("peft / ours = ") == 2
