"""The LAION head: its layers by hand and in torch, and files that are not it."""

import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from score_toys import save_picture, save_tiny_clip, save_tiny_siglip

from engine.config.errors import ConfigError
from evaluation.encoders.aesthetic_head import AestheticHead, check_aesthetic_file, check_fits
from evaluation.tools import Role, load_tools

SIZES = [768, 1024, 128, 64, 16, 1]
NUMBERS = [0, 2, 4, 6, 7]  # between them lie the dropouts of the training


def weights(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for number, num_in, num_out in zip(NUMBERS, SIZES[:-1], SIZES[1:], strict=True):
        found[f"layers.{number}.weight"] = torch.randn(num_out, num_in, generator=generator) / num_in**0.5
        found[f"layers.{number}.bias"] = torch.randn(num_out, generator=generator)
    return found


def as_published() -> torch.nn.Sequential:
    """The layers of the repository that published the head."""
    layers: list[torch.nn.Module] = []
    for place, (num_in, num_out) in enumerate(pairwise(SIZES)):
        layers += [torch.nn.Linear(num_in, num_out)] + ([torch.nn.Dropout(0.2)] if place < 3 else [])
    model = torch.nn.Sequential(*layers).eval()
    model.load_state_dict({key.removeprefix("layers."): value for key, value in weights().items()})
    return model


def vectors() -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.random.default_rng(0).standard_normal((5, 768)).astype(np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def test_constant_layers_by_hand(tmp_path: Path) -> None:
    given = {key: torch.zeros_like(value) for key, value in weights().items()}
    given["layers.0.weight"][0, 0] = 2.0
    for number in NUMBERS[1:]:
        given[f"layers.{number}.weight"][0, 0] = 1.0
    given["layers.7.bias"][0] = 5.0
    save_file(given, tmp_path / "head.safetensors")
    first, second = np.zeros((2, 768), dtype=np.float32)
    first[0], second[0] = 1.0, -1.0  # a negative number passes: there is no activation between the layers
    np.testing.assert_allclose(
        AestheticHead(tmp_path / "head.safetensors").rate(np.stack([first, second])), [7, 3]
    )


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_ratings_are_those_of_the_published_layers(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"head{ending}"
    if ending == ".pth":
        torch.save(weights(), file)
    else:
        save_file(weights(), file)
    with torch.no_grad():
        expected = as_published()(torch.from_numpy(vectors()))[:, 0]
    np.testing.assert_allclose(AestheticHead(file).rate(vectors()), expected, rtol=1e-5)


def without(name: str) -> dict[str, torch.Tensor]:
    return {key: value for key, value in weights().items() if key != name}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (without("layers.4.bias"), r"holds no layers\.4\.bias"),
        (
            weights() | {"layers.0.weight": torch.zeros(1024, 512)},
            r"has the shape \[1024, 512\], not \[1024, 768\]",
        ),
        (
            weights() | {"layers.7.bias": torch.full((1,), float("nan"))},
            r"layers\.7\.bias holds what is not a num",
        ),
        ([1, 2], "holds no table of weights"),
        ({"layers.0.weight": 3}, "holds no table of weights"),
    ],
)
def test_a_file_with_other_weights_is_refused(tmp_path: Path, content: object, sentence: str) -> None:
    torch.save(content, tmp_path / "head.pth")
    with pytest.raises(ConfigError, match=rf"evaluation\.aesthetic=.*head\.pth: .*{sentence}"):
        AestheticHead(tmp_path / "head.pth")


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run by a pickle",)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@pytest.mark.parametrize("written_by", ["torch", "pickle"])
def test_a_file_that_would_run_code_is_refused_and_not_run(
    tmp_path: Path, written_by: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "head.pth"
    if written_by == "torch":
        torch.save({"layers.0.weight": Harmful()}, file)
    else:
        file.write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(ConfigError, match=r"cannot be read .it holds more than weights"):
        AestheticHead(file)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [b"", b"no weights"])
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_damaged_file_is_refused(tmp_path: Path, ending: str, content: bytes) -> None:
    file = tmp_path / f"head{ending}"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        AestheticHead(file)


def test_a_missing_file_and_one_of_another_ending_are_refused_before_loading(tmp_path: Path) -> None:
    (tmp_path / "head.ckpt").write_bytes(b"")
    for name, sentence in (("none.pth", "no such file"), ("head.ckpt", "neither .pth nor .safetensors")):
        (problem,) = check_aesthetic_file(tmp_path / name)
        assert problem.startswith(f"evaluation.aesthetic={tmp_path / name}: {sentence}. Use ")


def test_the_encoder_must_be_the_one_that_the_head_was_trained_on(tmp_path: Path, tiny_clip: Path) -> None:
    file = tmp_path / "head.pth"
    (problem,) = check_fits(file, str(tiny_clip))
    assert f"768 numbers; {tiny_clip} is a clip model with 12. Set evaluation.encoder=openai/" in problem
    (problem,) = check_fits(file, None)
    assert "no encoder is named. Set evaluation.encoder=openai/" in problem
    (problem,) = check_fits(file, str(save_tiny_siglip(tmp_path / "siglip")))
    assert f"{tmp_path / 'siglip'} is a siglip model. Set" in problem
    large = save_tiny_clip(tmp_path / "large", width=768)
    assert check_fits(file, str(large)) == []


def test_tools_rate_pictures_by_their_embeddings(tmp_path: Path) -> None:
    torch.save(weights(), tmp_path / "head.pth")
    large = save_tiny_clip(tmp_path / "large", width=768)
    tools = load_tools(encoder=str(large), aesthetic=tmp_path / "head.pth", device="cpu")
    pictures = [save_picture(tmp_path / f"{number}.png", number) for number in (1, 2)]
    assert tools.has_aesthetic
    with torch.no_grad():
        embeddings = torch.from_numpy(tools.embedder(Role.text_image).images(pictures))
        expected = as_published()(embeddings)[:, 0]
    np.testing.assert_allclose(tools.rate(pictures), expected, rtol=1e-5)


def test_tools_refuse_a_head_beside_another_encoder(tmp_path: Path, tiny_clip: Path) -> None:
    torch.save(without("layers.0.bias"), tmp_path / "head.pth")
    with pytest.raises(ConfigError) as refusal:
        load_tools(encoder=str(tiny_clip), aesthetic=tmp_path / "head.pth", device="cpu")
    assert ["rates embeddings" in problem for problem in refusal.value.problems] == [True, False]
