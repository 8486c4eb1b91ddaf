"""The build: a killed stage goes on, a finished one is skipped, and every stage trains at toy size."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from demo.build import main, parse
from demo.build_plan import STAGES, Build, Steps
from demo.folder import WEIGHTS
from demo.judge import JudgeTrainee
from demo.muon import Muon, orthogonalise
from demo.scorer import ScorerTrainee, build_scorer
from demo.stage import Log, State, Trainee, cosine, train
from demo.text_tower import TextTrainee, load_tokenizer
from demo.unet import Mix, Parts, UNetTrainee, write_data
from demo.vae import CropTrainee, DecoderTrainee, draw_pool

_POOL = draw_pool


class KilledError(Exception):
    """What the test throws in the middle of a stage."""


class KilledAt:
    """A trainee that dies at one step."""

    def __init__(self, trainee: Trainee, step: int) -> None:
        self.trainee, self.last = trainee, step

    def step(self, index: int) -> float:
        if index == self.last:
            raise KilledError
        return self.trainee.step(index)

    def state(self) -> State:
        return self.trainee.state()

    def load_state(self, state: State) -> None:
        self.trainee.load_state(state)


def toy(name: str, folder: Path) -> Trainee:
    text, tokenizer = WEIGHTS / "text_encoder", WEIGHTS / "tokenizer"
    if name == "text":
        return TextTrainee(load_tokenizer(tokenizer), 4)
    if name == "vae":
        return CropTrainee(4, pool=6)
    if name == "decoder":
        return DecoderTrainee(WEIGHTS / "vae", 4, pool=6)
    if name == "scorer":
        return ScorerTrainee(build_scorer(text), tokenizer, 4, num_groups=9)
    if name == "judge":
        return JudgeTrainee(4, pool=8)
    data = folder / "latents.safetensors"
    if not data.exists():
        write_data(data, parts=Parts(tokenizer, text, WEIGHTS / "vae"), mix=Mix(8, 1, 0.5, 0.5))
    return UNetTrainee(data, text, 4)


def flatten(value: object) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [tensor for key in sorted(value, key=str) for tensor in flatten(value[key])]
    return [tensor for item in value for tensor in flatten(item)] if isinstance(value, list | tuple) else []


@pytest.mark.parametrize(
    "name",
    [
        "judge",
        "vae",
        "text",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("decoder", "scorer", "unet")),
    ],
)
def test_a_stage_that_was_killed_ends_in_the_same_bits(name: str, tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    whole = toy(name, tmp_path)
    train(whole, name=name, num_steps=3, checkpoint=tmp_path / "whole.pt", log=log)
    killed = KilledAt(toy(name, tmp_path), step=2)
    with pytest.raises(KilledError):
        train(killed, name=name, num_steps=3, checkpoint=tmp_path / "cut.pt", log=log, save_seconds=0.0)
    resumed = KilledAt(toy(name, tmp_path), step=-1)
    train(resumed, name=name, num_steps=3, checkpoint=tmp_path / "cut.pt", log=log)
    one, two = flatten(whole.state()), flatten(resumed.state())
    assert len(one) == len(two) > 2
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_a_finished_stage_is_not_repeated(tmp_path: Path) -> None:
    log, checkpoint = Log(tmp_path / "log.jsonl"), tmp_path / "judge.pt"
    train(JudgeTrainee(2, pool=8), name="judge", num_steps=2, checkpoint=checkpoint, log=log)
    train(
        KilledAt(JudgeTrainee(2, pool=8), step=0), name="judge", num_steps=2, checkpoint=checkpoint, log=log
    )
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 1


def test_the_log_tells_stage_step_loss_and_seconds(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    train(JudgeTrainee(1, pool=8), name="judge", num_steps=1, checkpoint=tmp_path / "judge.pt", log=log)
    line = json.loads((tmp_path / "log.jsonl").read_text())
    assert line.keys() == {"stage", "step", "loss", "seconds"}
    assert (line["stage"], line["step"]) == ("judge", 1)


def test_toy_stages_from_nothing_write_a_folder_that_diffusers_loads(tmp_path: Path) -> None:
    from demo import unet, vae
    from demo.build_stages import RUNNERS
    from demo.sampling import draw_pictures, load_pipeline

    build = Build(
        tmp_path / "build", tmp_path / "weights", steps=Steps(text=1, vae=1, unet=1, creatures=1, decoder=1)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unet, "WORLD_MIX", Mix(4, 1, 0.2, 0.0))
        patch.setattr(unet, "CREATURE_MIX", Mix(4, 2, 0.5, 0.5))
        patch.setattr(
            vae, "draw_pool", lambda count, seed, **_: _POOL(min(count, 4), seed=seed, collages=0.0)
        )
        for stage in ("tokenizer", "text", "vae", "unet", "creatures", "decoder"):
            assert RUNNERS[stage](build) == 0
    pipeline = load_pipeline(tmp_path / "weights")
    assert draw_pictures(pipeline, ["a red star"], seeds=(1,)).shape == (1, 64, 64, 3)


def test_arguments_are_key_value_and_wrong_ones_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    build = parse(["stage=vae", "threads=3", "folder=somewhere"])
    assert (build.stage, build.threads, build.folder) == ("vae", 3, Path("somewhere"))
    assert replace(build, stage="all", threads=0, folder=Path(".cache/demo-build")) == parse([])
    assert main(["stage=unett"]) == 2
    assert f"stage=unett: unknown. Choose one of all, {', '.join(STAGES)}" in capsys.readouterr().err
    assert main(["step=3"]) == 2
    assert "step=3: unknown. Write folder=..., weights=..., stage=..., threads=..." in capsys.readouterr().err
    assert main(["threads=many"]) == 2
    assert "threads=many: not a number" in capsys.readouterr().err


def test_orthogonalise_brings_all_singular_values_near_one() -> None:
    matrix = torch.randn(12, 30, generator=torch.Generator().manual_seed(0))
    for candidate in (matrix, matrix.T):
        values = torch.linalg.svdvals(orthogonalise(candidate))
        assert float(values.min()) > 0.6 and float(values.max()) < 1.3


def test_muon_moves_by_the_learning_rate_whatever_the_gradient_is() -> None:
    moved = []
    for scale in (1.0, 1000.0):
        parameter = torch.nn.Parameter(torch.zeros(8, 8))
        parameter.grad = scale * torch.randn(8, 8, generator=torch.Generator().manual_seed(1))
        Muon([parameter], lr=0.1).step()
        moved.append(parameter.detach().clone())
    torch.testing.assert_close(moved[0], moved[1], atol=1e-5, rtol=1e-4)
    assert float(moved[0].square().mean().sqrt()) == pytest.approx(0.1 * 0.2 * 8**0.5 * 8**-0.5, rel=0.2)


def test_cosine_warms_up_stays_flat_and_ends_at_zero() -> None:
    factors = [cosine(index, num_steps=100, flat=0.5, warmup=10) for index in (0, 9, 50, 75, 100)]
    assert factors == pytest.approx([0.1, 1.0, 1.0, 0.5, 0.0], abs=1e-6)
