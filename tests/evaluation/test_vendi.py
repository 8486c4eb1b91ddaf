"""The Vendi score: closed forms, the published package's numbers, properties."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.maths.vendi import vendi_score

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "evaluation_distances.json").read_text())
CASES = ("anisotropic", "unit_length", "fewer_pictures_than_features", "unequal_sizes")


def test_five_vectors_at_right_angles_count_as_five() -> None:
    assert vendi_score(np.eye(5)) == pytest.approx(5.0, rel=1e-9)


def test_identical_vectors_count_as_one() -> None:
    assert vendi_score(np.full((7, 3), 0.3)) == pytest.approx(1.0, rel=1e-9)


def test_two_identical_pairs_count_as_two() -> None:
    assert vendi_score(np.eye(2)[[0, 0, 1, 1]]) == pytest.approx(2.0, rel=1e-9)


def test_two_vectors_at_60_degrees() -> None:
    vectors = np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    assert vendi_score(vectors) == pytest.approx(1.75476535, abs=5e-9)
    # The eigenvalues of [[1, .5], [.5, 1]] / 2 are 3/4 and 1/4.
    assert vendi_score(vectors) == pytest.approx(4 / 3**0.75, rel=1e-9)


def test_a_single_vector_counts_as_one() -> None:
    assert vendi_score(np.array([[3.0, -4.0]])) == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_the_score_equals_the_packages(case: str) -> None:
    for name, value in GOLDEN[case]["vendi"].items():
        assert vendi_score(np.array(GOLDEN[case]["x"])) == pytest.approx(value, rel=1e-9), name


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 2**31))
def test_the_score_lies_between_one_and_the_number_of_vectors(rows: int, width: int, seed: int) -> None:
    """Neither the vectors' lengths nor their order nor a copy of the whole set change it."""
    generator = np.random.default_rng(seed)
    vectors = generator.standard_normal((rows, width))
    score = vendi_score(vectors)
    assert 1 - 1e-12 <= score <= min(rows, width) + 1e-9
    scaled = vectors * np.exp(generator.uniform(-20, 20, size=(rows, 1)))
    assert vendi_score(scaled[generator.permutation(rows)]) == pytest.approx(score, rel=1e-9)
    assert vendi_score(np.concatenate([vectors, vectors])) == pytest.approx(score, rel=1e-9)


def test_the_least_floats_have_a_direction_too() -> None:
    assert vendi_score(np.eye(3) * 1e-300) == pytest.approx(3.0, rel=1e-9)
    assert vendi_score(np.eye(3, dtype=np.float16)) == pytest.approx(3.0, rel=1e-9)


def test_a_vector_without_direction_is_refused() -> None:
    with pytest.raises(ValueError, match="no direction"):
        vendi_score(np.array([[1.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="NaN"):
        vendi_score(np.array([[1.0, np.nan]]))
    with pytest.raises(ValueError, match="one of each at least"):
        vendi_score(np.empty((0, 3)))
