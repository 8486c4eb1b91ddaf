"""files.diffusers_names: a second file, for programs that read no other names."""

from pathlib import Path

from safetensors.torch import load_file

from tests.training.toy_runs import train_small

QUICK = ("training.steps=1", "sampling.num_prompts=0", "network.rank=2", "network.alpha=1")


def test_a_finished_run_gets_the_file_when_it_is_asked_for(tmp_path: Path) -> None:
    first = train_small(tmp_path, *QUICK)
    named = first.folder / "demo.diffusers.safetensors"
    assert first.weights is not None and not named.exists()
    again = train_small(tmp_path, *QUICK, "files.diffusers_names=true")
    assert again.reused and named.is_file()
    before = named.read_bytes()
    forced = train_small(tmp_path, *QUICK, "files.diffusers_names=true", "force=true")
    assert not forced.reused and named.read_bytes() == before


def test_its_pairs_hold_the_strength_that_the_other_file_keeps_apart(tmp_path: Path) -> None:
    result = train_small(tmp_path, *QUICK, "files.diffusers_names=true")
    assert result.weights is not None
    plain = load_file(result.weights)
    named = load_file(result.folder / "demo.diffusers.safetensors")
    assert len(named) == len(plain) * 2 // 3  # no alpha
    place = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
    key = f"lora_unet_{place.replace('.', '_')}"
    up, down = named[f"unet.{place}.lora_B.weight"], named[f"unet.{place}.lora_A.weight"]
    assert (down == plain[f"{key}.lora_down.weight"]).all()
    assert (up == plain[f"{key}.lora_up.weight"] * 0.5).all()  # alpha 1 of rank 2
