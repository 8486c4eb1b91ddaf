"""Pictures are drawn once: by whom, under which key, and what is done about damage."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from engine.__main__ import main
from engine.config import ModelConfig, Sampler
from engine.models.checkpoint import load_family
from engine.models.family import ModelFamily
from engine.sampling import draw
from engine.sampling import draw_set as draw_set_module
from engine.sampling.draw import DrawSettings, Wanted, draw_pictures, list_wanted, to_png
from engine.sampling.draw_set import Drawer, Drawn, draw_set
from engine.sampling.drawing_bar import drawing_bar
from engine.sampling.picture_cache import BASE_PICTURES, PictureCache, picture_key
from engine.sampling.sample_folder import Filling
from tests.training.toy_runs import train_small

PROMPTS = ["a red star in the middle, blue background", "a small green heart at the top left"]
SETTINGS = DrawSettings(
    width=64, height=64, steps=2, guidance_scale=2.0, sampler=Sampler.ddim, negative_prompt=""
)
ONE = Wanted(prompt_index=0, prompt=PROMPTS[0], seed=1)
KEY = "ab" + "0" * 62
SIZE = (4, 4)


@pytest.fixture(scope="module")
def family() -> ModelFamily:
    return load_family(
        ModelConfig(checkpoint="demo/weights"), device=torch.device("cpu"), dtype=torch.float32
    )


@pytest.fixture
def cache(tmp_path: Path) -> PictureCache:
    return PictureCache(tmp_path / "cache")


def png(level: int, size: tuple[int, int] = SIZE) -> bytes:
    return to_png(Image.new("RGB", size, (level, level, level)))


def test_a_kept_picture_is_found_under_its_key_with_the_same_bytes(cache: PictureCache) -> None:
    assert cache.get(KEY, size=SIZE) is None
    cache.put(KEY, png(7))
    assert cache.get(KEY, size=SIZE) == png(7)
    assert [path.relative_to(cache.folder).as_posix() for path in cache.folder.rglob("*.*")] == [
        f"ab/{KEY}.png"
    ]


def cut_off(content: bytes) -> bytes:
    return content[:-20]


def empty(content: bytes) -> bytes:
    return b""


def zeros_at_the_end(content: bytes) -> bytes:
    return content[: len(content) // 2] + bytes(len(content) - len(content) // 2)


def one_bit_of_the_pixels(content: bytes) -> bytes:
    place = content.index(b"IDAT") + 8
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def another_format(content: bytes) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", SIZE).save(stream, format="BMP")
    return stream.getvalue()


def another_size(content: bytes) -> bytes:
    return png(7, (8, 4))


@pytest.mark.parametrize(
    "damage", [cut_off, empty, zeros_at_the_end, one_bit_of_the_pixels, another_format, another_size]
)
def test_a_damaged_picture_counts_as_none(cache: PictureCache, damage) -> None:
    cache.put(KEY, png(7))
    cache.path_of(KEY).write_bytes(damage(png(7)))
    assert cache.get(KEY, size=SIZE) is None
    cache.put(KEY, png(7))
    assert cache.get(KEY, size=SIZE) == png(7)


OTHER_SETTINGS = {
    "width": 72,
    "height": 56,
    "steps": 3,
    "guidance_scale": 3.0,
    "sampler": Sampler.euler,
    "negative_prompt": "red",
}


def test_the_key_is_of_everything_that_a_picture_depends_on(family: ModelFamily) -> None:
    keys = [picture_key(family, ONE, SETTINGS)]
    keys += [picture_key(family, replace(ONE, prompt="b"), SETTINGS)]
    keys += [picture_key(family, replace(ONE, seed=2), SETTINGS)]
    keys += [picture_key(family, ONE, SETTINGS, network="of some weights")]
    keys += [
        picture_key(family, ONE, replace(SETTINGS, **{name: value})) for name, value in OTHER_SETTINGS.items()
    ]
    for other in (
        {"clip_skip": 2},
        {"token_length": 150},
        {"weighted_captions": True},
        {"t5_token_length": 512},
        {"t5_attention_mask": True},
        {"zero_terminal_snr": True},
    ):
        config = replace(family.config, **other)
        keys.append(picture_key(family.with_config(config), ONE, SETTINGS))
    assert len(set(keys)) == len(keys) == 4 + len(OTHER_SETTINGS) + 6
    assert {*OTHER_SETTINGS, "batch_size"} == set(SETTINGS.__dataclass_fields__)


@pytest.mark.parametrize("name", ["dtype", "device", "fingerprints"])
def test_the_key_is_of_the_base_its_precision_and_its_device(
    family: ModelFamily, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = picture_key(family, ONE, SETTINGS)
    other = {
        "dtype": torch.bfloat16,
        "device": torch.device("cuda"),
        "fingerprints": replace(family.fingerprints, base="0" * 64),
    }
    monkeypatch.setattr(family, name, other[name])
    assert picture_key(family, ONE, SETTINGS) != key


def test_neither_the_place_in_the_list_nor_the_batch_nor_the_recipes_name_is_part_of_the_key(
    family: ModelFamily,
) -> None:
    key = picture_key(family, ONE, SETTINGS)
    assert picture_key(family, replace(ONE, prompt_index=5), replace(SETTINGS, batch_size=1)) == key
    assert picture_key(family.with_config(replace(family.config, name="other")), ONE, SETTINGS) == key


def drawn_into(folder: Path, drawer: Drawer, prompts: list[str], seeds: list[int]) -> Drawn:
    return draw_set(drawer, list_wanted(prompts, seeds), Filling(folder))


def test_what_is_in_the_cache_is_not_drawn_again_and_the_rest_is(
    family: ModelFamily, cache: PictureCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawer = Drawer(family=family, settings=SETTINGS, cache=cache)
    first = drawn_into(tmp_path / "one", drawer, PROMPTS[:1], [1, 2])
    assert (first.num_cached, first.num_drawn, first.warning) == (0, 2, None)
    asked: list[Wanted] = []
    really = draw_set_module.draw_batches
    monkeypatch.setattr(
        draw_set_module,
        "draw_batches",
        lambda family, wanted, settings: asked.extend(wanted) or really(family, wanted, settings),
    )
    second = drawn_into(tmp_path / "two", drawer, PROMPTS, [1, 2])
    assert (second.num_cached, second.num_drawn) == (2, 2)
    assert [(one.prompt_index, one.seed) for one in asked] == [(1, 1), (1, 2)]
    for name in ("p00_s1.png", "p00_s2.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    for sample in draw_pictures(family, PROMPTS, [1, 2], SETTINGS):
        with Image.open(tmp_path / "two" / f"p{sample.prompt_index:02d}_s{sample.seed}.png") as file:
            difference = np.asarray(file).astype(int) - np.asarray(sample.image).astype(int)
        assert np.abs(difference).max() <= 1  # of 255: a last bit before rounding


def test_a_picture_is_the_same_within_a_hundred_thousandth_from_batches_of_1_3_and_8(
    family: ModelFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[np.ndarray] = []  # of each batch size [8, 3, H, W] in [0, 1], before rounding
    for size in (1, 3, 8):
        kept: list[np.ndarray] = []
        monkeypatch.setattr(
            draw, "to_images", lambda pixels, kept=kept: kept.extend(pixels.numpy()) or [None] * len(pixels)
        )
        draw_pictures(family, PROMPTS, [1, 2, 3, 4], replace(SETTINGS, steps=3, batch_size=size))
        found.append(np.stack(kept))
    assert [len(pixels) for pixels in found] == [8, 8, 8]
    assert max(float(np.abs(pixels - found[0]).max()) for pixels in found) <= 1e-5


def test_a_damaged_picture_is_drawn_again(family: ModelFamily, cache: PictureCache, tmp_path: Path) -> None:
    drawer = Drawer(family=family, settings=SETTINGS, cache=cache)
    drawn_into(tmp_path / "one", drawer, PROMPTS[:1], [1])
    (file,) = cache.folder.rglob("*.png")
    whole = file.read_bytes()
    file.write_bytes(cut_off(whole))
    again = drawn_into(tmp_path / "two", drawer, PROMPTS[:1], [1])
    assert (again.num_cached, again.num_drawn) == (0, 1)
    assert file.read_bytes() == whole == (tmp_path / "two/p00_s1.png").read_bytes()


def test_a_cache_that_cannot_be_written_costs_no_picture(family: ModelFamily, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    drawer = Drawer(family=family, settings=SETTINGS, cache=PictureCache(tmp_path / "cache"))
    drawn = drawn_into(tmp_path / "one", drawer, PROMPTS[:1], [1, 2])
    assert drawn.num_drawn == len(list((tmp_path / "one").glob("p*.png"))) == 2
    assert drawn.warning is not None and "pictures cannot be kept there" in drawn.warning


def test_a_second_run_of_another_learning_rate_draws_no_base_picture(tmp_path: Path) -> None:
    options = ("sampling.num_prompts=2", "training.steps=1")
    one = train_small(tmp_path, *options)
    kept = sorted((tmp_path / "cache" / BASE_PICTURES).rglob("*.png"))
    before = [file.stat().st_ino for file in kept]
    other = train_small(tmp_path, *options, "optimizer.lr=1e-5", "sampling.num_prompts=2")
    assert len(kept) == 2 and other.folder != one.folder
    assert [
        file.stat().st_ino for file in sorted((tmp_path / "cache" / BASE_PICTURES).rglob("*.png"))
    ] == before
    for name in ("p00_s1.png", "p01_s1.png"):
        files = [folder / "samples/base" / name for folder in (one.folder, other.folder)]
        assert files[0].read_bytes() == files[1].read_bytes()
        assert files[0].stat().st_ino != files[1].stat().st_ino  # the run's own


def test_the_cache_tool_shows_and_prunes_pictures(
    cache: PictureCache, capsys: pytest.CaptureFixture[str]
) -> None:
    base = PictureCache(cache.folder / BASE_PICTURES)
    base.put(KEY, png(7))
    assert main(["cache", f"cache_dir={cache.folder}"]) == 0
    assert "base_pictures" in capsys.readouterr().out
    assert main(["cache", f"cache_dir={cache.folder}", "unused_days=0"]) == 0
    assert base.get(KEY, size=SIZE) is None


def test_the_bar_shows_how_many_pictures_are_done_and_is_silent_in_a_log() -> None:
    shown = {}
    for is_terminal in (True, False):
        console = Console(file=io.StringIO(), force_terminal=is_terminal, width=80)
        with drawing_bar(console, "drawing [with] brackets", total=3) as on_progress:
            on_progress(2)
        shown[is_terminal] = console.file.getvalue()
    assert "drawing [with] brackets" in shown[True] and "2/3" in shown[True]
    assert shown[False] == ""
