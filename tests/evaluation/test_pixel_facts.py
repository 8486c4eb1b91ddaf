"""Facts of pixels by hand and by numpy's slower ways; kept by content; one decoding for all who look."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from score_toys import ToyEncoder, save_picture, save_tiny_clip

import evaluation.encoders.look
from engine.config.errors import ConfigError
from evaluation.encoders.embedder import Embedder
from evaluation.encoders.facts_memory import FactsMemory
from evaluation.encoders.pictures import decode_picture
from evaluation.encoders.pixel_facts import (
    PixelFacts,
    difference_hash,
    facts_of,
    find_pixel_fault,
    read_facts,
)
from evaluation.tools import Role, Tools, load_tools

NUMBERS = {number: (1.0, float(number)) for number in range(1, 9)}


def picture_of(*rows: list[tuple[int, int, int]]) -> Image.Image:
    return Image.fromarray(np.array(rows, dtype=np.uint8))


def test_luminance_by_hand() -> None:
    facts = facts_of(picture_of([(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (100, 100, 100)]))
    assert (facts.width, facts.height) == (2, 2)
    assert facts.luminance_mean == pytest.approx((255 + 100) / 4)  # the three weights add up to 1
    expected = {54: 1, 182: 1, 18: 1, 100: 1}  # .2126, .7152 and .0722 of 255, rounded
    assert {
        int(level): int(facts.luminance_counts[level]) for level in np.flatnonzero(facts.luminance_counts)
    } == expected


def test_a_hash_by_hand() -> None:
    rising = Image.fromarray(np.tile(np.arange(9, dtype=np.uint8) * 20, (8, 1))).convert("RGB")
    assert difference_hash(rising) == 2**64 - 1
    assert difference_hash(rising.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) == 0
    one = np.full((8, 9), 100, dtype=np.uint8)
    one[0, 0] = 50  # the first of 64 bits: darker than its right neighbour
    one[7, 8] = 150  # the last
    assert difference_hash(Image.fromarray(one).convert("RGB")) == 2**63 + 1


def test_a_hash_hardly_sees_size_brightness_and_jpeg(tmp_path: Path) -> None:
    y, x = np.mgrid[0:200, 0:300]
    waves = 128 + 60 * np.sin(x / 23 + y / 31) + 40 * np.cos(y / 11)
    picture = Image.fromarray(waves.astype(np.uint8)).convert("RGB")
    picture.save(tmp_path / "picture.jpg", quality=60)
    first = difference_hash(picture)
    others = [
        picture.resize((150, 100)),
        picture.point(lambda level: level * 0.8),
        Image.open(tmp_path / "picture.jpg"),
    ]
    assert all((first ^ difference_hash(other)).bit_count() <= 4 for other in others)
    assert (first ^ difference_hash(picture.transpose(Image.Transpose.ROTATE_90))).bit_count() > 15


def slowly(pixels: NDArray[np.uint8]) -> str | None:
    """The definitions of the faults, with numpy on the pixels themselves."""
    if np.percentile(pixels.max(axis=2), 99) <= 8:
        return "black"
    if np.percentile(pixels.min(axis=2), 1) >= 247:
        return "white"
    if pixels.reshape(-1, 3).std(axis=0).max() < 2.0:
        return "flat"
    return "saturated" if np.mean((pixels <= 1) | (pixels >= 254)) > 0.98 else None


@given(
    seed=st.integers(0, 10_000),
    low=st.sampled_from([0, 5, 120, 240, 246]),
    span=st.integers(1, 16),
    stray=st.integers(0, 6),
)
def test_faults_from_counts_are_those_of_the_pixels(seed: int, low: int, span: int, stray: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(low, min(low + span, 256), size=(11, 23, 3)).astype(np.uint8)
    pixels.reshape(-1, 3)[:stray] = 255 - low  # some of 253 that differ: about the hundredth that is let pass
    assert find_pixel_fault(pixels) == slowly(pixels)


def test_a_file_that_is_no_picture_says_only_that(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for path in (tmp_path / "broken.png", tmp_path / "missing.png"):
        for facts in (read_facts(path), Tools({}).facts(path)):
            assert (facts.fault, facts.width, facts.luminance_counts.sum()) == ("unreadable", 0, 0)


def same(first: PixelFacts, second: PixelFacts) -> bool:
    np.testing.assert_array_equal(first.luminance_counts, second.luminance_counts)
    parts = ("fault", "width", "height", "luminance_mean", "dhash")
    return all(getattr(first, part) == getattr(second, part) for part in parts)


def test_facts_are_found_again_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = save_picture(tmp_path / "good.png", 3)
    Image.new("RGB", (16, 8)).save(tmp_path / "black.png")
    paths = [good, tmp_path / "black.png"]
    first = Tools({}, facts=FactsMemory(tmp_path / "cache"))
    found = [first.facts(path) for path in paths]
    assert [facts.fault for facts in found] == [None, "black"]
    monkeypatch.setattr(evaluation.encoders.look, "decode_picture", None)  # whoever decodes now fails
    second = Tools({}, facts=FactsMemory(tmp_path / "cache"))
    assert all(same(one, second.facts(path)) for one, path in zip(found, paths, strict=True))
    moved = good.rename(tmp_path / "moved.png")
    assert same(second.facts(moved), found[0])


def test_a_picture_is_decoded_once_for_its_facts_and_all_encoders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[BinaryIO] = []

    def decode(stream: BinaryIO) -> Image.Image:
        decoded.append(stream)
        return decode_picture(stream)

    monkeypatch.setattr(evaluation.encoders.look, "decode_picture", decode)
    paths = [save_picture(tmp_path / f"{number}.png", number) for number in range(1, 8)]
    text_image, image = ToyEncoder(NUMBERS), ToyEncoder(NUMBERS)
    tools = Tools(
        {Role.text_image: Embedder(text_image, batch_size=3), Role.image: Embedder(image, batch_size=4)}
    )
    tools.look(paths)
    for path in paths:
        assert tools.facts(path).fault is None
    for role in (Role.text_image, Role.image):
        assert tools.embedder(role).images(paths)[:, 1].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert len(decoded) == 7
    assert (text_image.batches, image.batches) == ([3, 3, 1], [4, 3])


def test_faulty_pictures_are_kept_from_encoders_and_only_asked_roles_look(tmp_path: Path) -> None:
    Image.new("RGB", (16, 8)).save(tmp_path / "black.png")
    (tmp_path / "broken.png").write_bytes(b"")
    paths = [tmp_path / "black.png", save_picture(tmp_path / "1.png", 1), tmp_path / "broken.png"]
    text_image, image = ToyEncoder(NUMBERS), ToyEncoder(NUMBERS)
    tools = Tools({Role.text_image: Embedder(text_image), Role.image: Embedder(image)})
    for _ in range(2):  # known or not makes no difference
        tools.look(paths, roles=[Role.image])
    assert [tools.facts(path).fault for path in paths] == ["black", None, "unreadable"]
    assert (text_image.batches, image.batches) == ([], [1])


def test_progress_counts_every_picture_once_and_ends_with_all(tmp_path: Path) -> None:
    paths = [save_picture(tmp_path / f"{number}.png", number) for number in range(1, 6)]
    seen: list[tuple[int, int]] = []
    Tools({}).look([*paths, paths[0]], on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 5) for done in range(1, 6)]


def test_a_picture_that_was_drawn_again_has_new_facts(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "picture.png", 3)
    tools = Tools({})
    before = tools.facts(path)
    Image.new("RGB", (30, 20), (200, 10, 10)).save(path)
    assert tools.facts(path).fault == "flat"
    assert before.fault is None


def test_two_roles_that_name_one_folder_share_one_embedder(tmp_path: Path, tiny_clip: Path) -> None:
    alone = load_tools(encoder=str(tiny_clip), device="cpu")
    assert alone.embedder(Role.image) is alone.embedder(Role.text_image)
    assert not alone.has(Role.preference)
    other = save_tiny_clip(tmp_path / "other", seed=1)
    tools = load_tools(
        encoder=str(tiny_clip), image_encoder=str(other), preference=str(tiny_clip), device="cpu"
    )
    assert tools.embedder(Role.preference) is tools.embedder(Role.text_image)
    assert tools.embedder(Role.image) is not tools.embedder(Role.text_image)
    assert load_tools(image_encoder="pixels").has(Role.image)
    assert not any(load_tools().has(role) for role in Role)


def test_all_that_is_wrong_with_the_tools_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        load_tools(
            encoder="no/such/encoder",
            image_encoder=str(tmp_path),
            preference="nobody/nothing",
            aesthetic=tmp_path / "none.pth",
        )
    starts = [problem.partition(":")[0] for problem in refusal.value.problems]
    assert starts == [
        "evaluation.encoder=no/such/encoder",
        f"evaluation.image_encoder={tmp_path}",
        "evaluation.preference=nobody/nothing",
        f"evaluation.aesthetic={tmp_path / 'none.pth'}",
    ]
    with pytest.raises(ConfigError, match=r"^device=cuda:99: not on this machine"):
        load_tools(device="cuda:99")
