"""network.init_from: a LoRA file is trained longer; one that does not fit is refused with both numbers."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.compose.record import read_run_yaml
from engine.compose.run_id import run_id
from engine.compose.start_file import start_problems
from engine.config import ConfigError
from tests.compose.toys import composed
from tests.training.toy_runs import train_small

QUICK = ("training.steps=2", "sampling.num_prompts=0", "lr_schedule=constant")
NO_STEP = ("training.steps=1", "sampling.num_prompts=0", "optimizer.lr=1e-30")


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of rank 2 and alpha 2."""
    result = train_small(tmp_path_factory.mktemp("first"), *QUICK)
    assert result.weights is not None
    return result.weights


def given(path: Path) -> str:
    return f"network.init_from={path}"


def test_a_run_goes_on_from_a_lora_file(tmp_path: Path, lora: Path) -> None:
    result = train_small(tmp_path, *NO_STEP, given(lora))
    assert result.weights is not None
    before, after = load_file(lora), load_file(result.weights)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert len(read_run_yaml(result.folder).fingerprints["init"]) == 64


def test_a_file_in_half_precision_without_alphas_is_taken(tmp_path: Path, lora: Path) -> None:
    half = {key: value.half() for key, value in load_file(lora).items() if not key.endswith(".alpha")}
    save_file(half, tmp_path / "half.safetensors")
    result = train_small(tmp_path, *NO_STEP, given(tmp_path / "half.safetensors"), "network.alpha=2")
    assert result.weights is not None
    after = load_file(result.weights)
    assert all(torch.equal(after[key], value.float()) for key, value in half.items())


def test_another_rank_or_alpha_is_refused_with_both_numbers(lora: Path) -> None:
    start = given(lora)
    assert start_problems(composed(start, "network.rank=2")) == []
    assert start_problems(composed(start, "network.rank=4", "network.alpha=2")) == [
        f"{start}: its rank is 2, and network.rank=4. Set network.rank=2, or give another file."
    ]
    assert start_problems(composed(start, "network.rank=2", "network.alpha=4")) == [
        f"{start}: its alpha is 2, and the network's is 4. Set network.alpha=2, or give another file."
    ]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int64])
def test_an_alpha_is_read_in_any_dtype(tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "a.safetensors"
    tensors = {
        "lora_unet_a.alpha": torch.tensor(5.3).to(dtype),
        "lora_unet_a.lora_down.weight": torch.ones(2, 3),
    }
    save_file(tensors, path)
    alpha = 5 if dtype is torch.int64 else 5.3
    assert start_problems(composed(given(path), "network.rank=2", f"network.alpha={alpha}")) == []
    assert start_problems(composed(given(path), "network.rank=2", "network.alpha=5.4")) != []


def test_what_is_no_lora_is_refused(tmp_path: Path) -> None:
    def problem(path: Path) -> str:
        (found,) = start_problems(composed(given(path)))
        return found

    assert "no such file" in problem(tmp_path / "gone.safetensors")
    (tmp_path / "text").write_text("hello, this is no file of tensors")
    assert "can't be read as a safetensors file" in problem(tmp_path / "text")
    save_file({"weight": torch.ones(2)}, tmp_path / "other.safetensors")
    assert "holds no LoRA with kohya's keys" in problem(tmp_path / "other.safetensors")
    two = {f"lora_unet_{rank}.lora_down.weight": torch.ones(rank, 3) for rank in (2, 4)}
    save_file(two, tmp_path / "two.safetensors")
    assert "its layers have several ranks (2, 4)" in problem(tmp_path / "two.safetensors")


def test_a_file_of_other_layers_ends_the_run_with_a_sentence(tmp_path: Path, lora: Path) -> None:
    with pytest.raises(ConfigError, match=r"of its are not here .* Set network.layers to the groups"):
        train_small(tmp_path, *QUICK, given(lora), "network.layers=[attention]")


def test_a_file_that_changed_since_the_run_was_started_is_refused(tmp_path: Path, lora: Path) -> None:
    own = tmp_path / "own.safetensors"
    own.write_bytes(lora.read_bytes())
    first = train_small(tmp_path, *QUICK, given(own))
    save_file({key: value * 2 if "lora_up" in key else value for key, value in load_file(lora).items()}, own)
    with pytest.raises(ConfigError, match=r"the LoRA file .*own.safetensors changed since demo-.*force=true"):
        train_small(tmp_path, *QUICK, given(own))
    forced = train_small(tmp_path, *QUICK, given(own), "force=true")
    assert forced.folder == first.folder and not forced.reused


def test_runs_without_a_file_keep_their_ids() -> None:
    plain, other = composed(), composed("network.init_from=a.safetensors")
    assert run_id(plain) != run_id(other)
    assert run_id(composed("network.init_from=./a.safetensors")) == run_id(other)
