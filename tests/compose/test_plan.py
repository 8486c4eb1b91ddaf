"""The plan's numbers by hand, and what a checkpoint's files say about it."""
# ruff: noqa: E501

import shutil
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console
from toys import composed, write_checkpoint, write_header_only

from engine.compose.checkpoint import Layer, checkpoint_problems, read_checkpoint
from engine.compose.device import imitates_bf16
from engine.compose.plan import num_parameters, plan_lines, print_plan
from engine.compose.planning import _precision_notes
from engine.compose.preflight import disk_problems, preflight
from engine.config import ConfigError, Family, LayerGroup, LoRAConfig, RunConfig
from engine.config.sources import Sources
from engine.models.layer_words import choose_layers
from engine.models.weight_headers import read_header


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, size in enumerate([(64, 64)] * 5 + [(128, 64)] * 3):
        Image.new("RGB", size, "red").save(folder / f"{index}.png")
        (folder / f"{index}.txt").write_text("a red wall")
    return folder


def planned(tmp_path: Path, photos: Path, *overrides: str):  # type: ignore[no-untyped-def]
    checkpoint = tmp_path / "model"
    if not checkpoint.exists():
        write_checkpoint(checkpoint)
    base = ["model=sd15", f"model.checkpoint={checkpoint}", f"dataset.path={photos}", "dataset.resolution=64"]
    more = [
        "dataset.bucket_reso_steps=8",
        "dataset.batch_size=2",
        "evaluation.enabled=false",
        "training.threads=3",
    ]
    run = composed(
        *base, *more, f"output_dir={tmp_path / 'runs'}", f"cache_dir={tmp_path / 'cache'}", *overrides
    )
    return run, preflight(run, _no_demo, _no_scores)


def test_plan_counts_batches_steps_layers_and_parameters(tmp_path: Path, photos: Path) -> None:
    _, plan = planned(
        tmp_path, photos, "training.epochs=4", "network.rank=2", "network.layers=[attention,convolutions]"
    )
    assert plan.batches_per_epoch == 3 + 2  # five square pictures and three wide ones, two at a time
    assert plan.total_steps == 20
    assert plan.num_layers == 2
    assert plan.num_parameters == 2 * (4 + 8) + 2 * (4 * 9 + 6)
    assert plan.threads == 3 and plan.device in ("cpu", "cuda", "mps")
    assert plan.cached_files == 0
    assert plan.folder.parent == tmp_path / "runs" and not plan.folder.parent.exists()


def test_levels_that_the_checkpoint_does_not_speak_of_are_noted_where_they_are_stretched(
    tmp_path: Path, photos: Path
) -> None:
    write_checkpoint(tmp_path / "model", prediction="v_prediction")
    _, plain = planned(tmp_path, photos, "model.prediction=v")
    _, stretched = planned(tmp_path, photos, "model.prediction=v", "model.zero_terminal_snr=true")
    (note,) = set(stretched.notes) - set(plain.notes)
    assert note.startswith("model.zero_terminal_snr=true, and the checkpoint does not say")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("training.save_every=100", "training.steps=4"), "training.save_every=100 has 4 steps"),
        (("training.save_every=4", "training.steps=4"), "training.save_every=4 has 4 steps"),
        (
            ("training.save_every_epochs=1", "training.steps=4"),
            "training.save_every_epochs=1 has 4 steps, an epoch 5",
        ),
        (("training.save_every=3", "training.steps=4"), None),
        (("training.save_every_epochs=1", "training.epochs=2"), None),
        (("training.steps=4",), None),
    ],
)
def test_a_rhythm_of_saves_that_writes_nothing_is_noted(
    options: tuple[str, ...], said: str | None, tmp_path: Path, photos: Path
) -> None:
    _, plan = planned(tmp_path, photos, *options)
    told = [note for note in plan.notes if "save_every" in note]
    assert [note.replace(" writes nothing on the way: the run", "") for note in told] == (
        [f"{said}, and its last weights are its own file"] if said else []
    )


def test_accumulation_makes_fewer_steps_of_as_many_batches(tmp_path: Path, photos: Path) -> None:
    _, plan = planned(tmp_path, photos, "training.epochs=4", "training.gradient_accumulation=2")
    assert (plan.batches_per_epoch, plan.steps_per_epoch, plan.total_steps) == (5, 3, 12)


def test_plan_is_printed_with_every_number(tmp_path: Path, photos: Path) -> None:
    run, plan = planned(tmp_path, photos, "optimizer=prodigy", "optimizer.lr=0.5")
    console = Console(record=True, width=200, file=(tmp_path / "out").open("w"))
    print_plan(run, plan, console)
    text = console.export_text()
    for words in (
        "8 in",
        "64x64: 5",
        "1500 in all",
        "LoRA, rank 16, alpha 8",
        "scales it by lr: 1.0 is usual",
        plan.run_id,
    ):
        assert words in text


def test_warmup_longer_than_the_epochs_is_refused_when_their_steps_are_known(
    tmp_path: Path, photos: Path
) -> None:
    with pytest.raises(ConfigError, match=r"lr_schedule\.warmup=20: 4 epochs are 20 steps"):
        planned(tmp_path, photos, "training.epochs=4", "lr_schedule.warmup=20")


def test_memory_grows_with_the_batch_and_shrinks_with_checkpointing(tmp_path: Path, photos: Path) -> None:
    sizes = [
        planned(tmp_path, photos, *words)[1].memory.peak
        for words in (["training.gradient_checkpointing=true"], ["seed=1"], ["dataset.batch_size=4"])
    ]
    assert sizes == sorted(sizes) and len(set(sizes)) == 3


def test_areas_ranks_and_rates_are_counted_and_told(tmp_path: Path, photos: Path) -> None:
    run, plan = planned(
        tmp_path,
        photos,
        "network.rank=2",
        "network.layers=[attention,convolutions]",
        "network.ranks=[attention:3]",
        "network.learning_rates=[convolutions:0.5]",
    )
    assert plan.num_parameters == 3 * (4 + 8) + 2 * (4 * 9 + 6)
    lines = dict(plan_lines(run, plan))
    assert lines["network"].startswith("LoRA, rank 2 (attention:3), alpha 1: 120 parameters on 2 layers")
    assert lines["optimizer"].endswith(", times convolutions:0.5")


def test_words_for_layers_that_the_checkpoint_lacks_are_refused_with_the_plan(
    tmp_path: Path, photos: Path
) -> None:
    with pytest.raises(ConfigError, match=r"network\.include=\[up_blocks\]: fits none of the layers"):
        planned(tmp_path, photos, "network.include=[up_blocks]")


def test_parameters_of_a_convolution_count_its_kernel_in_the_first_matrix() -> None:
    layers = [Layer(name="x", group=LayerGroup.convolutions, shape=(5, 3, 3, 3))]
    choices = choose_layers(LoRAConfig(rank=4, layers=[LayerGroup.convolutions]), Family.sd1, layers)
    assert num_parameters(choices) == 4 * (3 * 9 + 5)


def test_header_lists_tensors_with_shape_and_bytes(tmp_path: Path) -> None:
    write_header_only(tmp_path / "x.safetensors", {"a": [2, 3], "b": [5]})
    assert [(row.name, row.shape, row.num_bytes) for row in read_header(tmp_path / "x.safetensors")] == [
        ("a", (2, 3), 12),
        ("b", (5,), 10),
    ]


def test_checkpoint_is_read_without_loading_it(tmp_path: Path) -> None:
    run = composed("model=sd15", f"model.checkpoint={write_checkpoint(tmp_path / 'm')}", "dataset.path=x")
    found = read_checkpoint(run.model)
    groups = ["attention", "feed_forward", "projections", "convolutions"]
    assert [layer.group.name for layer in found.layers] == groups
    assert found.latent_factor == 4
    assert found.num_values == 32 + 1 + 1 + 216 + 4 + 144 + 10 + 10


def test_wrong_checkpoints_are_each_named(tmp_path: Path) -> None:
    other = write_checkpoint(tmp_path / "xl", pipeline="StableDiffusionXLPipeline")
    velocity = write_checkpoint(tmp_path / "v", prediction="v_prediction")
    half = write_checkpoint(tmp_path / "half")
    shutil.rmtree(half / "tokenizer")
    wordless = write_checkpoint(tmp_path / "wordless")
    (wordless / "tokenizer/vocab.json").unlink()
    cut_off = write_checkpoint(tmp_path / "cut_off")
    weights = cut_off / "vae/diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    damaged = write_checkpoint(tmp_path / "damaged")
    (damaged / "unet/diffusion_pytorch_model.safetensors").write_bytes(b"\xff" * 20)
    bare = write_checkpoint(tmp_path / "bare")
    (bare / "vae/diffusion_pytorch_model.safetensors").unlink()
    expected = {
        other: "this is a checkpoint of Stable Diffusion XL, and model.family=sd1 is Stable Diffusion 1. Use model=sdxl.",
        velocity: "model.prediction=epsilon: the checkpoint's scheduler says v_prediction. Set model.prediction=v.",
        half: "tokenizer is missing in it. Give a whole diffusers folder.",
        wordless: "no vocab.json or tokenizer.json in tokenizer/. Get it again.",
        cut_off: "a weights file in vae/ is damaged. Copy it again.",
        damaged: "a weights file in unet/ is damaged. Copy it again.",
        bare: "no .safetensors file in vae/. Convert its weights.",
    }
    for folder, words in expected.items():
        (problem,) = checkpoint_problems(composed("model=sd15", f"model.checkpoint={folder}").model)
        assert words in problem


def test_missing_hub_checkpoint_tells_how_to_fetch_it() -> None:
    (problem,) = checkpoint_problems(composed("model.checkpoint=someone/nothing").model)
    assert 'or run: hf download someone/nothing --include "*.json"' in problem


def test_preflight_collects_everything_before_the_demo_is_drawn(tmp_path: Path) -> None:
    run = composed("sampling.prompt_file=none", "evaluation.encoder=nowhere", "model.checkpoint=gone")
    with pytest.raises(ConfigError) as refused:
        preflight(run, _no_demo, _no_scores)
    assert len(refused.value.problems) == 3


def test_gpu_that_is_not_there_is_refused_by_the_devices_of_torch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    checkpoint = f"model.checkpoint={write_checkpoint(tmp_path / 'm')}"
    assert disk_problems(composed(checkpoint, "training.device=cuda")) == [
        "training.device=cuda: torch sees no such device here. Use training.device=auto."
    ]
    assert disk_problems(composed(checkpoint, "training.mixed_precision=fp16")) == [
        "training.mixed_precision=fp16: needs a GPU, and torch sees none here. Use bf16 or no."
    ]


def test_a_gpu_older_than_bfloat16_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (7, 5))
    assert imitates_bf16("cuda:0") and not imitates_bf16("cpu")
    (note,) = _precision_notes(composed("training.mixed_precision=bf16"), "cuda:0")
    assert note.startswith("training.mixed_precision=bf16: this GPU has no bfloat16")
    assert _precision_notes(composed("training.mixed_precision=fp16"), "cuda:0") == []
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (8, 6))
    assert _precision_notes(composed("training.mixed_precision=bf16"), "cuda:0") == []


def test_tensorboard_is_refused_where_it_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    checkpoint = f"model.checkpoint={write_checkpoint(tmp_path / 'm')}"
    (problem,) = disk_problems(composed(checkpoint, "tracking.tensorboard=true"))
    assert problem.startswith("tracking.tensorboard=true: the package tensorboard is not installed.")


def _no_demo(concept: str, cache: Path):  # type: ignore[no-untyped-def]
    raise AssertionError("no demo is drawn here")


def _no_scores(run: RunConfig, sources: Sources) -> list[str]:
    raise AssertionError("nothing is scored here")


def test_a_recipes_encoder_that_is_not_here_is_a_note_and_a_typed_one_a_refusal(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "model")
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (512, 512)).save(tmp_path / "photos/a.png")
    options = ["model=sd15", f"model.checkpoint={tmp_path / 'model'}", f"dataset.path={tmp_path / 'photos'}"]
    options += ["dataset.class_tokens=thing", f"output_dir={tmp_path}", f"cache_dir={tmp_path}"]
    plan = preflight(composed(*options), _no_demo, lambda run, sources: [])
    assert plan.sources.encoder is None
    assert any("openai/clip-vit-large-patch14 is not on this machine" in note for note in plan.notes)
    with pytest.raises(ConfigError, match=r"evaluation\.encoder=openai/clip-vit-base-patch32"):
        preflight(composed(*options, "evaluation.encoder=openai/clip-vit-base-patch32"), _no_demo, _no_scores)


def test_small_pictures_and_the_error_of_the_buckets_are_told(tmp_path: Path, photos: Path) -> None:
    Image.new("RGB", (20, 30), "red").save(photos / "small.png")
    (photos / "small.txt").write_text("a red wall")
    run, plan = planned(tmp_path, photos)
    (note,) = [note for note in plan.notes if "enlarged" in note]
    assert "small.png (20x30, 2." in note and "0.png" not in note
    errors = [abs(choice.aspect_error) for choice in plan.choices]
    (line,) = [text for label, text in plan_lines(run, plan) if label == "buckets"]
    assert line.endswith(f"aspect error {sum(errors) / 9:.3f} on average, {max(errors):.3f} at most")
