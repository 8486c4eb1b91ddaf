"""Copies of training pictures: both the hash and the embedding must say so."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from score_toys import ToyEncoder, material_of, scored

import evaluation.metrics.memorisation as memorisation
from evaluation.encoders.embedder import Embedder
from evaluation.material import Material
from evaluation.maths.statistics import values_by_picture
from evaluation.metrics.memorisation import find_nearest, measure_copies, measure_memorisation
from evaluation.metrics.metric import Measured
from evaluation.tools import Role, Tools

# Cosines with (1, 0): 1, .905, .8944, 0.
VECTORS = {
    10: (1.0, 0.0),
    20: (0.905, (1 - 0.905**2) ** 0.5),
    30: (2 / 5**0.5, 1 / 5**0.5),
    40: (0.0, 1.0),
}


def save_bits(path: Path, number: int, *, bits: int = 0) -> Path:
    """A picture with so many bits in its difference hash, and the one of its number, its first red."""
    grey = np.full((8, 9), 200, dtype=np.uint8)
    for bit in range(1, bits + 1):  # two apart, so that each dark pixel is one bit of its row
        grey[bit // 4, 2 * (bit % 4)] = 100
    pixels = np.repeat(grey[..., None], 3, axis=2)
    pixels[0, 0, 0] = number
    Image.fromarray(pixels).save(path)
    return path


def tools() -> Tools:
    return Tools({Role.image: Embedder(ToyEncoder(VECTORS))})


def values(measured: Measured) -> dict[tuple[int, int | None], float]:
    return {key: round(value, 6) for key, value in values_by_picture(measured.values).items()}


def bits_between(path: Path, other: Path) -> int:
    toys = Tools({})
    return (toys.facts(path).dhash ^ toys.facts(other).dhash).bit_count()


def test_memorisation_is_the_cosine_with_the_nearest_training_picture(tmp_path: Path) -> None:
    material = material_of(tmp_path, final={0: [10, 40], 1: [30]}, learnt={0: [20, 40]})
    training = [picture.path for picture in material.pictures["learnt"]]
    told = replace(material, training=training)
    assert values(measure_memorisation(told, "final", tools())) == {
        (0, 0): 0.905,
        (0, 1): 1.0,
        (1, 0): round((2 * 0.905 + (1 - 0.905**2) ** 0.5) / 5**0.5, 6),
    }


@pytest.mark.parametrize(
    ("number", "bits", "is_copy"),
    [
        (10, 0, True),  # the same embedding and the same hash
        (20, 10, True),  # both near their bound
        (20, 11, False),  # one bit too many: the hash is necessary
        (30, 0, False),  # a cosine of .894: the embedding is necessary
        (40, 30, False),
    ],
)
def test_a_copy_is_near_by_hash_and_by_embedding(
    tmp_path: Path, number: int, bits: int, is_copy: bool
) -> None:
    learnt = save_bits(tmp_path / "learnt.png", 10)
    drawn = save_bits(tmp_path / "drawn.png", number, bits=bits)
    assert bits_between(learnt, drawn) == bits
    material = Material(pictures={"final": [scored(drawn)]}, training=[learnt])
    assert values(measure_copies(material, "final", tools())) == {(0, 1): float(is_copy)}


def test_a_copy_need_not_be_of_the_picture_that_is_nearest_by_embedding(tmp_path: Path) -> None:
    nearest = save_bits(tmp_path / "nearest.png", 10, bits=30)
    copied = save_bits(tmp_path / "copied.png", 20)
    drawn = save_bits(tmp_path / "drawn.png", 10)
    (found,) = find_nearest([drawn], [nearest, copied], tools())
    assert found is not None
    assert (found.path, found.cosine, found.is_copy) == (nearest, pytest.approx(1), True)


def test_a_training_picture_is_not_compared_with_itself(tmp_path: Path) -> None:
    one, other = save_bits(tmp_path / "one.png", 10), save_bits(tmp_path / "other.png", 40)
    (found,) = find_nearest([one], [one, other], tools())
    assert found is not None and (found.path, found.cosine) == (other, pytest.approx(0))
    assert not found.is_copy
    assert find_nearest([one], [one], tools()) == [None]
    assert find_nearest([one], [], tools()) == [None]
    assert find_nearest([], [one], tools()) == []


def test_the_same_picture_in_another_file_is_a_copy(tmp_path: Path) -> None:
    one = save_bits(tmp_path / "one.png", 10)
    again = tmp_path / "again.png"
    again.write_bytes(one.read_bytes())
    (found,) = find_nearest([again], [one], tools())
    assert found is not None and found.is_copy


def test_held_out_pictures_say_how_near_true_pictures_are(tmp_path: Path) -> None:
    learnt, held_out = save_bits(tmp_path / "learnt.png", 10), save_bits(tmp_path / "held.png", 20)
    material = Material(pictures={}, training=[learnt], held_out=[held_out])
    assert values(measure_memorisation(material, "real", tools())) == {(-1, None): 0.905}
    broken = replace(material, faults={held_out: "black"})
    assert measure_memorisation(broken, "real", tools()).values == []


def test_faulty_training_pictures_and_plain_prompts_are_left_out(tmp_path: Path) -> None:
    learnt, faulty = save_bits(tmp_path / "learnt.png", 40), save_bits(tmp_path / "faulty.png", 10)
    drawn = save_bits(tmp_path / "drawn.png", 10)
    material = Material(pictures={"final": [scored(drawn)]}, training=[learnt, faulty])
    broken = replace(material, faults={faulty: "black"})
    assert values(measure_memorisation(broken, "final", tools())) == {(0, 1): 0.0}


def test_a_large_set_is_compared_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [save_bits(tmp_path / f"{number}.png", number) for number in (10, 20, 30, 40)]
    whole = find_nearest(paths, paths, tools())
    monkeypatch.setattr(memorisation, "_BLOCK", 3)
    assert find_nearest(paths, paths, tools()) == whole
