"""network.init_from: a LoRA file is trained longer; one that does not fit is refused with both numbers."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.compose.record import read_run_yaml
from engine.compose.run_id import run_id
from engine.compose.start_file import start_problems
from engine.config import ConfigError, LoRAConfig
from engine.models.checkpoint import load_family
from engine.models.facts import FAMILIES
from engine.networks.files import save_lora
from engine.networks.lora import attach_lora
from tests.compose.toys import composed
from tests.models.tiny_recipes import TINY_CHECKPOINTS
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


def test_a_lora_of_another_family_is_refused_before_weights_are_read(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    down = {"lora_unet_a.lora_down.weight": torch.ones(2, 3)}
    options = (given(path), "network.rank=2", "network.alpha=2")
    for version in ("sdxl_base_v1-0", "sdxl_base_v0-9"):
        save_file(down, path, {"ss_base_model_version": version})
        assert start_problems(composed(*options)) == [
            f"{given(path)}: a LoRA of Stable Diffusion XL, and this run trains Stable Diffusion 1. "
            "Give one of that family."
        ]
        assert start_problems(composed("model=pony", *options)) == []
    for version in ("sd_v1", "sd_v1_v", "one that is not known"):
        save_file(down, path, {"ss_base_model_version": version})
        assert start_problems(composed(*options)) == []


def test_every_family_has_the_beginning_of_its_own_version() -> None:
    from engine.compose.start_file import _VERSIONS

    for family, facts in FAMILIES.items():
        fitting = [one for one, begin in _VERSIONS.items() if facts.kohya_version.startswith(begin)]
        assert fitting == [family]


def test_what_is_no_lora_is_refused(tmp_path: Path) -> None:
    def problem(path: Path) -> str:
        (found,) = start_problems(composed(given(path)))
        return found

    assert "no such file" in problem(tmp_path / "gone.safetensors")
    (tmp_path / "text").write_text("hello, this is no file of tensors")
    assert "can't be read as a safetensors file" in problem(tmp_path / "text")
    save_file({"weight": torch.ones(2)}, tmp_path / "other.safetensors")
    assert "holds no LoRA with kohya's keys" in problem(tmp_path / "other.safetensors")


def test_the_file_with_diffusers_names_is_shown_the_one_beside_it(tmp_path: Path) -> None:
    other = tmp_path / "dog.diffusers.safetensors"
    save_file({"transformer.x.lora_A.weight": torch.ones(2, 2)}, other)
    said = f"network.init_from={other}: holds no LoRA with kohya's keys (....lora_down.weight). "
    assert start_problems(composed(given(other))) == [f"{said}Give another file."]
    (tmp_path / "dog.safetensors").write_bytes(b"")
    assert start_problems(composed(given(other))) == [
        f"{said}The one with kohya's names lies beside it: network.init_from={tmp_path / 'dog.safetensors'}."
    ]


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


MID_BLOCK = "lora_unet_mid_block_"
TEXT = ("network.layers=[attention,text_encoder]", "dataset.cache_text_embeddings=false")


@pytest.fixture(scope="module")
def of_two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA of rank 2 and alpha 1; of rank 4, and so alpha 2, in the middle."""
    folder = tmp_path_factory.mktemp("ranks")
    result = train_small(folder, *QUICK, "network.rank=2", "network.alpha=1", "network.ranks=[mid_block:4]")
    assert result.weights is not None
    return result.weights


def layer(rank: int, alpha: float | None = None) -> dict[str, Tensor]:
    """What a file holds of a layer, but its up."""
    down = {"lora_down.weight": torch.ones(rank, 3)}
    return down if alpha is None else {**down, "alpha": torch.tensor(alpha)}


def write(path: Path, layers: dict[str, dict[str, Tensor]], metadata: dict[str, str] | None = None) -> Path:
    tensors = {f"{name}.{part}": x for name, parts in layers.items() for part, x in parts.items()}
    save_file(tensors, path, metadata)
    return path


def test_a_run_goes_on_from_a_file_of_several_ranks(tmp_path: Path, of_two_ranks: Path) -> None:
    options = ("network.rank=2", "network.alpha=1", "network.ranks=[mid_block:4]")
    result = train_small(tmp_path, *NO_STEP, given(of_two_ranks), *options)
    assert result.weights is not None
    before, after = load_file(of_two_ranks), load_file(result.weights)
    assert {len(value) for key, value in before.items() if "lora_down" in key} == {2, 4}
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_file_of_several_ranks_is_refused_by_its_first_layer_that_does_not_fit(of_two_ranks: Path) -> None:
    start, alpha = given(of_two_ranks), "network.alpha_ratio=0.5"
    in_middle = sorted(
        key.removesuffix(".alpha")
        for key in load_file(of_two_ranks)
        if key.startswith(MID_BLOCK) and key.endswith(".alpha")
    )
    first, more = in_middle[0], len(in_middle) - 1
    remedy = "Set network.rank=2 and network.ranks=[mid_block:4], or give another file."
    for ranks, own in (("network.ranks=[]", 2), ("network.ranks=[mid_block:8]", 8)):
        assert start_problems(composed(start, "network.rank=2", ranks, alpha)) == [
            f"{start}: the rank of {first} is 4 in it, and {own} in this run; {more} more layers differ too. "
            f"{remedy}"
        ]
    one = "network.ranks=[mid_block:4,mid_block.resnets.0.conv1:3]"
    assert start_problems(composed(start, "network.rank=2", one, alpha)) == [
        f"{start}: the rank of {MID_BLOCK}resnets_0_conv1 is 4 in it, and 3 in this run. {remedy}"
    ]


def test_a_file_of_one_rank_says_so_to_a_run_of_several(lora: Path) -> None:
    start = given(lora)
    (problem,) = start_problems(composed(start, "network.rank=2", "network.ranks=[mid_block:4]"))
    assert (
        problem.startswith(f"{start}: the rank of {MID_BLOCK}") and "is 2 in it, and 4 in this run" in problem
    )
    assert problem.endswith("Set network.rank=2 and network.ranks=[], or give another file.")
    same = ("network.rank=4", "network.alpha=4", "network.ranks=['.*:2']")  # said in another way
    assert start_problems(composed(start, *same)) == []


def test_a_file_of_several_alphas_names_the_first_that_does_not_fit(
    tmp_path: Path, of_two_ranks: Path
) -> None:
    start, ranks = given(of_two_ranks), ("network.rank=2", "network.ranks=[mid_block:4]")
    layers = sorted(key for key in load_file(of_two_ranks) if key.endswith(".alpha"))
    wrong = f"{start}: the alpha of {layers[0].removesuffix('.alpha')} is 1 in it, and 2 in this run; "
    for option, remedy in (("alpha=2", "alpha=1"), ("alpha_ratio=1", "alpha_ratio=0.5")):
        assert start_problems(composed(start, *ranks, f"network.{option}")) == [
            f"{wrong}{len(layers) - 1} more layers differ too. Set network.{remedy}, or give another file."
        ]
    path = write(tmp_path / "a.safetensors", {"lora_unet_a": layer(2, 1.0), "lora_unet_b": layer(4, 1.0)})
    (problem,) = start_problems(
        composed(given(path), "network.rank=2", "network.ranks=[]", "network.alpha=1")
    )
    assert (
        "the rank of lora_unet_b is 4 in it, and 2 in this run. Set network.rank and network.ranks" in problem
    )


@pytest.mark.parametrize("args", ["null", "None", '{"conv_dim": "4"}', "[]"])
def test_ranks_of_another_trainers_file_are_listed(tmp_path: Path, args: str) -> None:
    three = {"lora_unet_a": layer(2), "lora_unet_b": layer(4), "lora_unet_c": layer(8)}
    start = given(write(tmp_path / "a.safetensors", three, {"ss_network_args": args}))
    assert start_problems(composed(start, "network.rank=2", "network.alpha_ratio=1")) == [
        f"{start}: the rank of lora_unet_b is 4 in it, and 2 in this run; 1 more layer differs too. "
        "Set network.rank and network.ranks to its ranks (2, 4, 8), or give another file."
    ]


def test_a_file_with_a_text_encoder_is_refused_where_none_is_trained_and_the_other_way_round(
    tmp_path: Path,
) -> None:
    of_unet = {"lora_unet_a": layer(2, 1.0)}
    of_both = {**of_unet, "lora_te_a": layer(2, 1.0), "lora_te_b": layer(2, 1.0)}
    plain = given(write(tmp_path / "plain.safetensors", of_unet))
    both = given(write(tmp_path / "both.safetensors", of_both))
    fits = ("network.rank=2", "network.alpha=1")
    assert start_problems(composed(plain, *fits)) == start_problems(composed(both, *fits, *TEXT)) == []
    assert start_problems(composed(both, *fits)) == [
        f"{both}: 2 of its layers are of text_encoder, which this run does not train: what was learnt there "
        "would be lost. Add text_encoder to network.layers (with dataset.cache_text_embeddings=false), or "
        "give another file."
    ]
    assert start_problems(composed(plain, *fits, *TEXT)) == [
        f"{plain}: none of its layers is of text_encoder, which this run trains. Leave text_encoder out of "
        "network.layers, or give a file that was trained with it."
    ]


@pytest.mark.parametrize("option", ["exclude=[text_encoder]", "learning_rates=[text_encoder:0]"])
def test_a_text_encoder_that_is_left_out_again_is_not_missed(tmp_path: Path, option: str) -> None:
    plain = given(write(tmp_path / "plain.safetensors", {"lora_unet_a": layer(2, 1.0)}))
    fits = ("network.rank=2", "network.alpha=1", *TEXT, f"network.{option}")
    assert start_problems(composed(plain, *fits)) == []


def test_a_run_goes_on_from_a_file_with_a_text_encoder(tmp_path: Path) -> None:
    first = train_small(tmp_path, *QUICK, *TEXT)
    assert first.weights is not None
    again = train_small(tmp_path, *NO_STEP, *TEXT, given(first.weights))
    assert again.weights is not None
    before, after = load_file(first.weights), load_file(again.weights)
    assert any(key.startswith("lora_te_") for key in before) and before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("recipe", ["sd15", "sd21_base", "sdxl", "sd35_medium", "flux_dev", "anima"])
def test_every_layer_of_a_family_is_compared_before_its_weights_are_loaded(
    tmp_path: Path, recipe: str
) -> None:
    TINY_CHECKPOINTS[recipe](tmp_path / recipe)
    path = tmp_path / "lora.safetensors"
    plain = composed(f"model={recipe}", f"model.checkpoint={tmp_path / recipe}")
    groups = ",".join(["attention", *FAMILIES[plain.model.family].text_layers])
    options = (
        f"model={recipe}",
        f"model.checkpoint={tmp_path / recipe}",
        f"network.layers=[{groups}]",
        "network.rank=2",
    )
    run = composed(*options, "network.ranks=[text_encoder:3]")
    assert isinstance(run.network, LoRAConfig)
    cpu = torch.device("cpu")
    family = load_family(run.model, device=cpu, dtype=torch.float32)
    network = attach_lora(run.network, family.adaptable_layers(), family=run.model.family, seed=1, device=cpu)
    save_lora(path, network.state(), {}, dtype=torch.float16)
    assert start_problems(composed(*options, "network.ranks=[text_encoder:3]", given(path))) == []
    (problem,) = start_problems(composed(*options, "network.ranks=['.*:5']", given(path)))
    assert f"in this run; {len(network.layers) - 1} more layers differ too" in problem
