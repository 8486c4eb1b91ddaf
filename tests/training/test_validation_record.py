"""validation.json: the base's losses and the result's, whatever stopped the run and whatever it varied."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import cast

import pytest
import torch
from rich.console import Console
from torch import Tensor

from demo.folder import prepare_demo
from engine.config import LayerGroup, LoRAConfig
from engine.config.outcome import Outcome
from engine.models.checkpoint import load_family
from engine.models.precision import model_dtype
from engine.networks.lora import LoRANetwork, attach_lora
from engine.training import parts, revisit, validation_record
from engine.training import train as order_of_events
from engine.training.clock import Clock
from engine.training.job import Hooks, Job
from engine.training.parts import Model, load_model, load_pictures
from engine.training.result import TrainResult, read_result
from engine.training.validation_record import FILE_NAME, ValidationRecord
from engine.validation import validation_losses
from evaluation.reading.losses_file import read_losses
from tests.training import toy_runs
from tests.training.option_cases import OPTIONS, Changes
from tests.training.option_desk import lay_desk
from tests.training.toy_runs import small_run, train_small

LOOKS = ("training.validation_images=3", "training.validation_timesteps=4", "sampling.num_prompts=0")
OTHER_LOOKS = ("training.validation_images=2", "training.validation_timesteps=5", "sampling.num_prompts=0")
STOPPABLE = ("training.validate_every=1", "training.checkpoint_every=1")
CANNOT_MOVE = "optimizer.lr=1e-300"  # of a step whose float32 weights stay as they are

# What decides which latents and texts are looked at, how the base answers, or what it is asked for. Every
# other option leaves the losses of given weights as they are, to the last bit.
DECISIVE = {
    *("model.checkpoint", "model.prediction", "model.token_length", "model.weighted_captions"),
    *("model.clip_skip", "model.resolution", "model.bucket_step", "training.mixed_precision"),
    *("model.default_precision", "model.zero_terminal_snr"),
    *("dataset.path", "dataset.concept", "dataset.class_tokens", "dataset.caption_extension"),
    *("dataset.caption_prefix", "dataset.caption_suffix", "dataset.secondary_separator"),
    *("dataset.metadata_file", "dataset.resize_interpolation", "dataset.alpha_mask"),
    *("dataset.validation_split", "dataset.validation_seed", "dataset.resolution"),
    *("dataset.resolution_height", "dataset.enable_bucket", "dataset.min_bucket_reso"),
    *("dataset.max_bucket_reso", "dataset.bucket_reso_steps", "dataset.bucket_no_upscale"),
    *("training.validation_images", "training.validation_timesteps"),
}
VARIED = (
    ("noise.offset=0.2",),
    ("loss.min_snr_gamma=1",),
    ("loss.kind=huber", "loss.huber_c=0.01", "loss.huber_schedule=constant"),
    ("loss.kind=smooth_l1",),
    ("dataset.batch_size=3", "network.dropout=0.5", "seed=5", "dataset.flip_aug=true"),
)


@pytest.fixture(scope="module", autouse=True)
def one_demo() -> Iterator[None]:
    """The demo's folder is looked through once, not at each run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toy_runs, "prepare_demo", cache(prepare_demo))
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A run that nothing stopped."""
    return train_small(tmp_path_factory.mktemp("whole"), *LOOKS, *STOPPABLE)


def test_a_run_writes_the_losses_of_its_base_and_of_what_it_saved(whole: TrainResult) -> None:
    content = read(whole.folder)
    assert content["schema"] == 1 and content["missing"] == {}
    assert (content["num_timesteps"], content["timesteps"]) == (1000, [125, 375, 625, 875])
    assert (content["on"], content["pictures"]) == ("training", ["00.png", "04.png", "08.png"])
    steps = dict(whole.val_losses)
    for name, step in (("base", 0), ("final", 3)):
        losses = torch.tensor(content[name], dtype=torch.float64)
        assert losses.shape == (3, 4) and bool((losses > 0).all())
        assert float(losses.mean()) == pytest.approx(steps[step], rel=1e-9)
    assert content["base"] != content["final"]


def test_evaluation_reads_what_a_run_writes(whole: TrainResult) -> None:
    losses, content = read_losses(whole.folder), read(whole.folder)
    assert losses is not None and (losses.on, losses.pictures) == (content["on"], content["pictures"])
    for name in ("base", "final"):
        rows = losses.of(name)
        assert rows is not None and [list(row) for row in rows] == content[name]
    assert [losses.places(quarter) for quarter in (1, 2, 3, 4)] == [[0], [1], [2], [3]]


def test_the_losses_are_written_with_nine_digits(whole: TrainResult) -> None:
    content = read(whole.folder)
    numbers = [
        loss for name in ("base", "final") for row in cast(list[list[float]], content[name]) for loss in row
    ]
    assert all(float(f"{number:.9g}") == number for number in numbers)


def test_a_network_at_its_start_has_the_losses_of_the_base_to_the_last_bit(tmp_path: Path) -> None:
    run, plan = small_run(tmp_path, *LOOKS)
    job = Job(run=run, plan=plan, console=Console(quiet=True), hooks=Hooks())
    model = load_model(run, plan, clock=job.clock, console=job.console)
    try:
        pictures = load_pictures(run, plan, model.family, clock=job.clock, console=job.console)
        plan.folder.mkdir(parents=True)
        record = ValidationRecord(job, model, pictures.validation)
        assert torch.equal(record.take_base().losses, record.take().losses)
    finally:
        model.network.detach()


def test_held_out_pictures_are_looked_at_where_there_are_some(tmp_path: Path) -> None:
    result = train_small(tmp_path, *LOOKS, "dataset.validation_split=0.25")
    content = read(result.folder)
    _, plan = small_run(tmp_path, *LOOKS, "dataset.validation_split=0.25")
    held_out = {plan.scan.name(picture) for picture in plan.scan.pictures if picture.held_out}
    names = cast(list[str], content["pictures"])
    assert content["on"] == "held_out" and len(names) == 3 and set(names) <= held_out
    assert len(held_out) < len(plan.scan.pictures)


@pytest.mark.parametrize("looks", [LOOKS, OTHER_LOOKS], ids=["as before", "with other options"])
def test_a_run_that_was_stopped_ends_in_the_same_file(
    tmp_path: Path, whole: TrainResult, looks: Sequence[str]
) -> None:
    stopped = train_small(tmp_path, *LOOKS, *STOPPABLE, hooks=stopping_at(2))
    half = read(stopped.folder)
    assert stopped.outcome is Outcome.interrupted and half["base"] == read(whole.folder)["base"]
    assert half["final"] is None and half["missing"] == {"final": "no weights were saved"}
    ended = train_small(tmp_path, *looks, *STOPPABLE)
    assert ended.outcome is Outcome.completed and not ended.reused
    direct = whole if looks is LOOKS else train_small(tmp_path / "direct", *looks, *STOPPABLE)
    assert content_of(ended.folder) == content_of(direct.folder)


def test_a_run_stopped_between_its_last_step_and_its_weights_ends_in_the_same_file(
    tmp_path: Path, whole: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(order_of_events, "save_weights", stopped)
        early = train_small(tmp_path, *LOOKS, *STOPPABLE)
    assert early.outcome is Outcome.interrupted and read(early.folder)["final"] is None
    ended = train_small(tmp_path, *LOOKS, *STOPPABLE)
    assert ended.outcome is Outcome.completed and not ended.reused
    assert content_of(ended.folder) == content_of(whole.folder)


def test_a_pruned_run_has_the_losses_of_its_base_alone(tmp_path: Path, whole: TrainResult) -> None:
    result = train_small(
        tmp_path, *LOOKS, *STOPPABLE, hooks=Hooks(on_validation=lambda step, loss: step == 3)
    )
    content = read(result.folder)
    assert result.outcome is Outcome.pruned and content["base"] == read(whole.folder)["base"]
    assert content["final"] is None and content["missing"] == {"final": "no weights were saved"}


def test_a_diverged_run_has_the_losses_of_its_base_alone(tmp_path: Path) -> None:
    result = train_small(tmp_path, *LOOKS, *diverging(), "training.steps=3")
    content = read(result.folder)
    assert result.outcome is Outcome.diverged and content["base"] is not None
    assert content["final"] is None and content["missing"] == {"final": "no weights were saved"}


def test_losses_that_are_no_numbers_are_null_and_counted(tmp_path: Path) -> None:
    result = train_small(tmp_path, *LOOKS, *diverging(), "training.steps=1")
    content = read(result.folder)
    assert result.outcome is Outcome.completed  # the loss of the one step was of the weights before it
    assert content["final"] == [[None] * 4] * 3
    assert content["missing"] == {"final": "12 of 12 losses are not finite numbers"}
    assert "NaN" not in content_of(result.folder) and content["base"] is not None
    assert "NaN" not in (result.folder / "result.json").read_text()
    recorded = read_result(result.folder)
    assert recorded is not None and [step for step, _ in recorded.val_losses] == [0, 1]
    assert math.isfinite(recorded.val_losses[0][1]) and math.isnan(recorded.val_losses[1][1])


def test_a_finished_run_typed_again_keeps_its_file_and_loads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train_small(tmp_path, *LOOKS)
    made = (first.folder / FILE_NAME).stat().st_mtime_ns
    monkeypatch.delattr(revisit, "load_model")
    monkeypatch.delattr(revisit, "load_pictures")
    assert train_small(tmp_path, *LOOKS, "training.validate_every=2").reused
    assert (first.folder / FILE_NAME).stat().st_mtime_ns == made


def test_other_validation_options_measure_a_finished_run_anew_and_score_it_again(tmp_path: Path) -> None:
    scored: list[Path] = []

    def score(result: TrainResult) -> Mapping[str, float]:
        scored.append(result.folder)
        (result.folder / "scores.json").write_text("{}")
        return {"final/likeness": 0.5}

    drawn = "sampling.num_prompts=1"
    first = train_small(tmp_path, *LOOKS[:2], drawn, hooks=Hooks(score=score))
    assert first.weights is not None
    made = first.weights.stat().st_mtime_ns
    for _ in range(2):
        again = train_small(tmp_path, *OTHER_LOOKS[:2], drawn, hooks=Hooks(score=score))
        assert again.reused and first.weights.stat().st_mtime_ns == made
    assert len(scored) == 2
    direct = train_small(tmp_path / "direct", *OTHER_LOOKS)
    assert content_of(first.folder) == content_of(direct.folder)


def test_a_file_that_is_gone_or_broken_is_made_again(tmp_path: Path) -> None:
    path = train_small(tmp_path, *LOOKS, "training.steps=1").folder / FILE_NAME
    content = path.read_text()
    for broken in ("", "[]", '{"schema": 1}', content.replace('"schema": 1', '"schema": 2'), None):
        path.unlink()
        if broken is not None:
            path.write_text(broken)
        assert train_small(tmp_path, *LOOKS, "training.steps=1").reused
        assert path.read_text() == content, broken


def test_stopped_while_it_is_scored_again_a_run_is_not_left_with_the_scores_of_before(tmp_path: Path) -> None:
    def score(result: TrainResult) -> Mapping[str, float]:
        (result.folder / "scores.json").write_text("{}")
        return {}

    def broken(_: TrainResult) -> Mapping[str, float]:
        raise KeyboardInterrupt

    drawn = ("sampling.num_prompts=1", "training.steps=1")
    first = train_small(tmp_path, *LOOKS[:2], *drawn, hooks=Hooks(score=score))
    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path, *OTHER_LOOKS[:2], *drawn, hooks=Hooks(score=broken))
    assert not (first.folder / "scores.json").exists()


@pytest.mark.slow
def test_no_option_but_those_of_what_is_looked_at_changes_the_losses_of_given_weights(tmp_path: Path) -> None:
    desk = lay_desk(tmp_path / "desk", tmp_path / "cache")
    known: dict[tuple[str, ...], Tensor] = {}

    def losses(overrides: Sequence[str]) -> Tensor:
        merged = {text.lstrip("+").split("=")[0]: text for text in (*LOOKS, *overrides)}
        key = tuple(text.replace("{desk}", str(desk)) for text in merged.values())
        if key not in known:
            known[key] = losses_of_fixed_weights(tmp_path, *key)
        return known[key]

    cases = {path: case for path, case in OPTIONS.items() if isinstance(case, Changes) and is_learnt(case)}
    assert len(cases) > 50
    changing = {
        path
        for path, case in cases.items()
        if not torch.equal(losses(case.of), losses((*case.of, case.to, *case.also)))
    }
    assert changing == DECISIVE & cases.keys()


@pytest.mark.parametrize("switch", ["dataset.cache_latents=false", "dataset.cache_text_embeddings=false"])
def test_what_is_encoded_for_the_validation_alone_has_the_losses_of_what_is_kept(
    tmp_path: Path, switch: str
) -> None:
    kept, fresh = (losses_of_fixed_weights(tmp_path, *LOOKS, *one) for one in ((), (switch,)))
    assert torch.equal(kept, fresh)


def test_runs_that_end_in_the_same_weights_write_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_attach = attach_lora

    def attach_fixed(*given: object, **named: object) -> LoRANetwork:
        network = cast(Callable[..., LoRANetwork], plain_attach)(*given, **named)
        move(network)
        return network

    monkeypatch.setattr(parts, "attach_lora", attach_fixed)
    options = (*LOOKS, CANNOT_MOVE, "training.steps=2")
    plain = train_small(tmp_path, *options)
    content = read(plain.folder)
    assert content["base"] != content["final"]
    for others in VARIED:
        varied = train_small(tmp_path, *options, *others)
        assert varied.run_id != plain.run_id
        assert content_of(varied.folder) == content_of(plain.folder), others


def test_the_losses_are_taken_no_more_often_than_the_log_shows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    take = validation_losses

    def counted(*given: object, **named: object) -> object:
        calls.append(1)
        return cast(Callable[..., object], take)(*given, **named)

    monkeypatch.setattr(validation_record, "validation_losses", counted)
    result = train_small(tmp_path, *LOOKS, "training.validate_every=2")
    assert len(calls) == len(result.val_losses) == 3


def is_learnt(case: Changes) -> bool:
    return bool(case.things & {"weights", "validation"})


def losses_of_fixed_weights(folder: Path, *options: str) -> Tensor:
    """The losses of one LoRA in a run with these options, which is not trained: [P, T]."""
    run, plan = small_run(folder, *options)
    clock, console = Clock(), Console(quiet=True)
    family = load_family(run.model, device=torch.device("cpu"), dtype=model_dtype(run.training))
    config = LoRAConfig(rank=2, alpha=2, layers=[LayerGroup.attention])
    network = attach_lora(config, family.adaptable_layers(), family=run.model.family, seed=8, device="cpu")
    try:
        move(network)
        pictures = load_pictures(run, plan, family, clock=clock, console=console)
        job = Job(run=run, plan=plan, console=console, hooks=Hooks())
        model = Model(family=family, network=network)
        return ValidationRecord(job, model, pictures.validation).take().losses
    finally:
        network.detach()


def move(network: LoRANetwork) -> None:
    """Give a network weights that change what the base says, the same whatever its seed."""
    state = network.state()
    for place, (key, value) in enumerate(state.items()):
        if not key.endswith(".alpha"):
            generator = torch.Generator().manual_seed(place)
            state[key] = 0.1 * torch.randn(value.shape, generator=generator)
    network.load_state(state)


def diverging() -> tuple[str, ...]:
    return "optimizer.lr=1e30", "lr_schedule=constant", "training.max_grad_norm=0"


def stopping_at(last: int) -> Hooks:
    """Ctrl-C while the validation loss of a step is looked at."""

    def stop(step: int, _: float) -> bool:
        if step == last:
            raise KeyboardInterrupt
        return False

    return Hooks(on_validation=stop)


def content_of(folder: Path) -> str:
    return (folder / FILE_NAME).read_text(encoding="utf-8")


def read(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads(content_of(folder))
    assert read_result(folder) is not None
    return content
