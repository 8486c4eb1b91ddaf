"""LoRA files: bytes, header, hashes and metadata."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from engine.config import Family, Prediction
from engine.models.facts import FAMILIES
from engine.networks.files import (
    TrainingFacts,
    file_hashes,
    kohya_version,
    lora_metadata,
    read_lora,
    save_lora,
)

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"

FACTS = TrainingFacts(
    output_name="k_unet_sdpa_1",
    base_model_version="sd_v1",
    base_model_name="somewhere/private/sd15_random",
    rank=16,
    alpha=8.0,
    dropout=0.0,
    steps=20,
    learning_rate=0.0001,
    optimizer="torch.optim.adamw.AdamW",
    lr_schedule="constant",
    batch_size=1,
    resolution=(128, 128),
    seed=42,
    noise_offset=0.0,
    min_snr_gamma=None,
    mixed_precision="no",
    convolutions=False,
)


def state() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return {
        "lora_unet_b.lora_up.weight": torch.randn(3, 2, generator=draw),
        "lora_unet_b.lora_down.weight": torch.randn(2, 5, generator=draw),
        "lora_unet_b.alpha": torch.tensor(5.3),
        "lora_unet_a.lora_up.weight": torch.randn(3, 2, 1, 1, generator=draw),
        "lora_unet_a.lora_down.weight": torch.randn(2, 5, 3, 3, generator=draw),
        "lora_unet_a.alpha": torch.tensor(5.3),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_saved_file_is_read_back_by_safetensors(tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "a.safetensors"
    save_lora(path, state(), {"ss_steps": "3"}, dtype=dtype)
    loaded = load_file(path)
    assert loaded.keys() == state().keys()
    for key, tensor in state().items():
        wanted = tensor if key.endswith("alpha") else tensor.to(dtype)
        assert loaded[key].dtype == wanted.dtype
        assert torch.equal(loaded[key], wanted)
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["ss_steps"] == "3"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]


def test_the_header_is_sorted_and_aligned_to_eight_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for text in ("x", "xx", "xxx", "ä"):
        save_lora(path, state(), {"ss_output_name": text, "ss_a": "1"}, dtype=torch.float16)
        content = path.read_bytes()
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])
        assert size % 8 == 0
        assert list(header) == sorted(header)
        assert list(header["__metadata__"]) == sorted(header["__metadata__"])
        assert read_lora(path).metadata["ss_output_name"] == text


SAVE_A_NEW_LORA = """
import sys
from pathlib import Path
from types import SimpleNamespace
import torch
from engine.config import Family, LayerGroup, LoRAConfig
from engine.networks.files import save_lora
from engine.networks.lora import attach_lora

root = torch.nn.ModuleDict({"a": torch.nn.Linear(30, 40), "b": torch.nn.Conv2d(30, 40, 3)})
root.requires_grad_(False)
given = dict(component="unet", root=root, group=LayerGroup.attention, joined=())
targets = [SimpleNamespace(name=n, **given) for n in "ab"]
config = LoRAConfig(layers=[LayerGroup.attention], rank=4)
state = attach_lora(config, targets, family=Family.sd1, seed=3, device="cpu").state()
metadata = {word: "1" for word in {"ss_seed", "ss_steps", "ss_v2", "ss_network_dim"}}
save_lora(Path(sys.argv[1]), state, metadata, dtype=torch.float16)
"""


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for hash_seed in ("1", "2"):
        path = tmp_path / hash_seed / "lora.safetensors"
        path.parent.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", SAVE_A_NEW_LORA, str(path)]
        subprocess.run(command, check=True, cwd=tmp_path, env=environment)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert len(contents[0]) > 3000


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_lora(path, state(), {}, dtype=torch.float16)
    before = path.read_bytes()
    with pytest.raises(KeyError):
        save_lora(path, state(), {}, dtype=torch.complex64)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.safetensors"]


def test_hashes_equal_the_reference_and_only_ss_entries_count() -> None:
    given = read_lora(GOLDEN / "m_hash_input.safetensors")
    model_hash, legacy_hash = json.loads((GOLDEN / "m_metadata.json").read_text())["hashes"][
        "precalculate(model_hash,legacy_hash)"
    ]
    assert file_hashes(given.state, given.metadata) == (model_hash, legacy_hash)
    assert file_hashes(given.state, {"ss_network_dim": "2"}) == (model_hash, legacy_hash)


def test_the_legacy_hash_of_a_large_file_is_that_of_a_file_with_the_ss_entries_alone(tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(0)
    large = {f"lora_unet_{i}.lora_down.weight": torch.randn(50, 1000, generator=draw) for i in range(8)}
    path = tmp_path / "ss_only.safetensors"
    save_file(large, path, {"ss_steps": "3"})
    window = path.read_bytes()[0x100000 : 0x100000 + 0x10000]
    expected = hashlib.sha256(window).hexdigest()[:8]
    assert file_hashes(large, {"ss_steps": "3", "modelspec.title": "x"})[1] == expected != "e3b0c442"


def test_a_saved_file_carries_the_hashes_of_its_own_content(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_lora(path, state(), {"ss_steps": "3"}, dtype=torch.float16)
    lora = read_lora(path)
    hashes = (lora.metadata["sshs_model_hash"], lora.metadata["sshs_legacy_hash"])
    assert hashes == file_hashes(lora.state, {"ss_steps": "3"})


def test_metadata_is_written_as_the_reference_writes_it() -> None:
    reference = json.loads((GOLDEN / "m_metadata.json").read_text())["metadata"]
    ours = lora_metadata(FACTS)
    assert {key: reference[key] for key in ours} == ours
    assert not any("date" in key or "time" in key or "session" in key for key in ours)
    assert "private" not in json.dumps(ours)


def test_metadata_of_convolutions_is_kohyas_conv_dim() -> None:
    ours = lora_metadata(replace(FACTS, convolutions=True, alpha=4.0, rank=8))
    assert json.loads(ours["ss_network_args"]) == {"conv_dim": "8", "conv_alpha": "4.0"}


@pytest.mark.parametrize("name", [field.name for field in fields(TrainingFacts)])
def test_every_fact_reaches_the_metadata(name: str) -> None:
    value = getattr(FACTS, name)
    other = {
        bool: True,
        int: 7,
        float: 0.25,
        str: "other",
        tuple: ("up_blocks:2",) if name == "ranks" else (64, 96),
        type(None): 5.0,
    }[type(value)]
    assert lora_metadata(replace(FACTS, **{name: other})) != lora_metadata(FACTS)


def test_a_file_with_int64_alpha_is_read(tmp_path: Path) -> None:
    path = tmp_path / "kohya.safetensors"
    save_file({"lora_unet_a.alpha": torch.tensor(1)}, path)
    lora = read_lora(path)
    assert lora.state["lora_unet_a.alpha"].dtype == torch.int64
    assert lora.metadata == {}


@pytest.mark.parametrize(
    ("version", "module", "v2"),
    [
        ("sd_v1", "networks.lora", "False"),
        ("sd_v1_v", "networks.lora", "False"),
        ("sd_v2", "networks.lora", "True"),
        ("sd_v2_v", "networks.lora", "True"),
        ("sdxl_base_v1-0", "networks.lora", "False"),
        ("sd3", "networks.lora_sd3", "False"),
        ("flux1", "networks.lora_flux", "False"),
        ("anima", "networks.lora_anima", "False"),
    ],
)
def test_the_file_names_kohyas_module_of_its_family(version: str, module: str, v2: str) -> None:
    metadata = lora_metadata(replace(FACTS, base_model_version=version))
    assert (metadata["ss_network_module"], metadata["ss_v2"]) == (module, v2)


def test_every_family_has_a_version_that_is_told_apart() -> None:
    assert {facts.kohya_version for facts in FAMILIES.values()} == {
        "sd_v1", "sd_v2", "sdxl_base_v1-0", "sd3", "flux1", "anima",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("family", "epsilon", "v"),
    [
        (Family.sd1, "sd_v1", "sd_v1_v"),
        (Family.sd2, "sd_v2", "sd_v2_v"),
        (Family.sdxl, "sdxl_base_v1-0", "sdxl_base_v1-0"),
    ],
)
def test_v_models_of_sd1_and_sd2_are_told_apart_as_kohya_does(family: Family, epsilon: str, v: str) -> None:
    """By kohya's rule: "sd", then "_v1" or "_v2", then "_v" where it was trained with v_parameterization."""
    assert (kohya_version(family, Prediction.epsilon), kohya_version(family, Prediction.v)) == (epsilon, v)


def test_flow_models_have_their_familys_version() -> None:
    versions = [kohya_version(family, Prediction.flow) for family in (Family.sd3, Family.flux, Family.anima)]
    assert versions == ["sd3", "flux1", "anima"]
