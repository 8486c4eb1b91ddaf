"""Distances between sets of features: closed forms, published packages' numbers, properties, memory."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.maths import set_distances
from evaluation.maths.set_distances import (
    Floats,
    centroid_distance,
    cmmd,
    frechet_distance,
    jackknife_mmd2,
    mean_pairwise_cosine,
    mmd2_without_groups,
    polynomial_mmd2,
    precision_recall_density_coverage,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "evaluation_distances.json").read_text())
CASES = ("anisotropic", "unit_length", "fewer_pictures_than_features", "unequal_sizes")
EXACT = 1e-9  # relative
Distance = Callable[[Floats, Floats], float]
DISTANCES = (frechet_distance, polynomial_mmd2, cmmd, centroid_distance, mean_pairwise_cosine)


def golden(case: str) -> tuple[Floats, Floats]:
    return np.array(GOLDEN[case]["x"]), np.array(GOLDEN[case]["y"])


def draw(seed: int, *shape: int) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.fixture
def tiny_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Blocks of three rows or so: what is summed over blocks must not depend on where they end."""
    monkeypatch.setattr(set_distances, "BLOCK_ELEMENTS", 100)
    yield


# Closed forms and numbers by hand


def test_frechet_of_a_shift_by_a_half_in_16_dimensions_is_4() -> None:
    x = draw(1, 40, 16)
    assert frechet_distance(x, x + 0.5) == pytest.approx(4.0, rel=EXACT)


@pytest.mark.parametrize(("rows", "width"), [(40, 16), (7, 30), (2, 5)])
def test_frechet_of_a_set_spread_twice_as_wide_is_the_trace_of_its_covariance(rows: int, width: int) -> None:
    x = draw(2, rows, width)
    trace = float(np.var(x, axis=0, ddof=1).sum())
    assert frechet_distance(x, 2 * x - x.mean(axis=0)) == pytest.approx(trace, rel=EXACT)


@pytest.mark.parametrize("case", CASES)
def test_frechet_of_a_set_with_itself_is_0(case: str) -> None:
    x, _ = golden(case)
    assert frechet_distance(x, x) == pytest.approx(0.0, abs=EXACT)


def test_frechet_by_hand_of_covariances_that_do_not_overlap() -> None:
    # Both sets vary by 2 along an axis of their own: nothing of tr Cx + tr Cy = 4 is shared.
    x, y = np.array([[-1.0, 0.0], [1.0, 0.0]]), np.array([[3.0, -1.0], [3.0, 1.0]])
    assert frechet_distance(x, y) == pytest.approx(9.0 + 4.0, rel=EXACT)


def test_polynomial_mmd2_by_hand() -> None:
    # d = 1, k = (x y + 1)^3: within x k(0, 1) = 1; within y k(1, 2) = 27; across 1, 1, 8, 27.
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    assert polynomial_mmd2(x, y) == pytest.approx(1 + 27 - 2 * 37 / 4, rel=EXACT)


def test_polynomial_mmd2_by_hand_of_sets_of_unequal_size() -> None:
    # Within y k(1, 2), k(1, 0), k(2, 0) = 27, 1, 1; across x = 0: 1, 1, 1 and x = 1: 8, 27, 1.
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0], [0.0]])
    assert polynomial_mmd2(x, y) == pytest.approx(1 + 29 / 3 - 2 * 39 / 6, rel=EXACT)


def test_cmmd_of_two_unit_vectors_at_right_angles() -> None:
    e0, e1 = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    assert cmmd(e0, e1) == pytest.approx(19.90033250, abs=5e-9)
    assert cmmd(e0, e1) == pytest.approx(1000 * (2 - 2 * np.exp(-2 / 200)), rel=EXACT)


def test_cmmd_of_vectors_that_differ_by_little_keeps_its_digits() -> None:
    # 1000 x 2 x (1 - exp(-h^2 / 200)) = 10 h^2 to first order; 1 - exp(...) itself would have 4 digits left.
    x = np.array([[1.0, 0.0]])
    assert cmmd(x, x + np.array([0.0, 1e-5])) == pytest.approx(1e-9, rel=1e-5)


def test_neighbourhoods_by_hand() -> None:
    # Balls to the nearest neighbour: of true 0, 1, 3 reach 1, 1, 2; of pictures 0.5, 2.5, 9 reach 2, 2, 6.5.
    pictures, true = np.array([[0.5], [2.5], [9.0]]), np.array([[0.0], [1.0], [3.0]])
    found = precision_recall_density_coverage(true, pictures, 1)
    assert found.precision == pytest.approx(2 / 3)  # .5 lies in two balls, 2.5 in that of 3, 9 in none
    assert found.density == pytest.approx(3 / 3)
    assert found.coverage == 1.0
    assert found.recall == 1.0


def test_a_point_on_the_edge_of_a_ball_is_outside() -> None:
    pictures, true = np.array([[2.0], [9.0]]), np.array([[0.0], [1.0]])  # 2 lies 1 from 1, which reaches 1
    found = precision_recall_density_coverage(true, pictures, 1)
    assert (found.precision, found.density, found.coverage) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("tenths", range(-20, 20))
def test_a_point_on_the_edge_is_outside_where_its_coordinates_are_not_exact(tenths: int) -> None:
    true = np.array([[tenths / 10], [tenths / 10 + 0.3]])
    pictures = np.array([[tenths / 10 - 0.3], [100.0]])  # .3 from a true picture that reaches .3
    found = precision_recall_density_coverage(true, pictures, 1)
    assert (found.precision, found.density, found.coverage) == (0.0, 0.0, 0.0)


def test_copies_of_the_true_pictures_lie_on_the_edges_whatever_the_rounding() -> None:
    """Each copy sits in its own picture's ball, and on the edge of those that reach just to it."""
    true = draw(3, 60, 48) + 5.0
    found = precision_recall_density_coverage(true, true[np.random.default_rng(4).permutation(60)], 1)
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)
    assert found.density == 1.0  # its own ball only: a copy of the neighbour is on the edge


def test_the_centroid_distance_is_squared() -> None:
    assert centroid_distance(np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([[1.0, 3.0]])) == 9.0


def test_the_mean_cosine_by_hand() -> None:
    x, y = np.array([[5.0, 0.0], [0.0, 0.1]]), np.array([[3.0, 0.0]])
    assert mean_pairwise_cosine(x, y) == pytest.approx(0.5, rel=EXACT)
    assert mean_pairwise_cosine(x, x) == pytest.approx(0.5, rel=EXACT)  # 1, 0, 0, 1


# What published packages compute


@pytest.mark.parametrize("case", CASES)
def test_frechet_equals_the_packages(case: str) -> None:
    x, y = golden(case)
    assert GOLDEN[case]["frechet"]
    for package, value in GOLDEN[case]["frechet"].items():
        assert frechet_distance(x, y) == pytest.approx(value, rel=EXACT), package


@pytest.mark.parametrize("case", [case for case in CASES if case != "unequal_sizes"])
def test_polynomial_mmd2_equals_the_packages(case: str) -> None:
    x, y = golden(case)
    assert set(GOLDEN[case]["mmd2"]) == {"torch-fidelity", "torchmetrics", "clean-fid"}
    for package, value in GOLDEN[case]["mmd2"].items():
        assert polynomial_mmd2(x, y) == pytest.approx(value, rel=EXACT), package


@pytest.mark.parametrize("case", CASES)
def test_cmmd_and_the_mean_cosine_equal_scikit_learns_kernels(case: str) -> None:
    x, y = golden(case)
    assert cmmd(x, y) == pytest.approx(GOLDEN[case]["cmmd"], rel=EXACT)
    assert mean_pairwise_cosine(x, y) == pytest.approx(GOLDEN[case]["mean_cosine"], rel=EXACT)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("k", [1, 3, 5])
def test_neighbourhoods_equal_prdc(case: str, k: int, tiny_blocks: None) -> None:
    x, y = golden(case)
    found, wanted = precision_recall_density_coverage(y, x, k), GOLDEN[case]["neighbourhoods"][str(k)]
    for name in ("precision", "recall", "density", "coverage"):
        assert getattr(found, name) == pytest.approx(wanted[name], rel=EXACT), name


# The jackknife


def by_leaving_out(x: Floats, x_groups: list[int], y: Floats, y_groups: list[int] | None) -> float:
    """The delete-m_j jackknife as it is written, a whole discrepancy for each group."""
    whole, n, groups = polynomial_mmd2(x, y), len(x), sorted(set(x_groups))
    left, h = [], []
    for group in groups:
        rest = y if y_groups is None else y[np.array(y_groups) != group]
        left.append(polynomial_mmd2(x[np.array(x_groups) != group], rest))
        h.append(n / x_groups.count(group))
    estimate = len(groups) * whole - sum(
        (1 - 1 / share) * value for share, value in zip(h, left, strict=True)
    )
    squares = [
        (share * whole - (share - 1) * value - estimate) ** 2 / (share - 1)
        for share, value in zip(h, left, strict=True)
    ]
    return float(np.sqrt(sum(squares) / len(groups)))


@pytest.mark.parametrize("y_groups", [None, [7, 5, 5, 9, 9, 9, 11, 7, 2, 2, 30, 30]])
def test_the_jackknife_in_one_pass_equals_leaving_out_group_by_group(
    y_groups: list[int] | None, tiny_blocks: None
) -> None:
    x, y = draw(5, 13, 9), draw(6, 12, 9) + 0.3
    x_groups = [9, 5, 5, 7, 9, 9, 2, 2, 2, 2, 5, 7, 9]
    value, error = jackknife_mmd2(x, x_groups, y, y_groups=y_groups)
    assert value == pytest.approx(polynomial_mmd2(x, y), rel=EXACT)
    assert error == pytest.approx(by_leaving_out(x, x_groups, y, y_groups), rel=EXACT)


def test_the_value_without_each_group_is_that_of_the_rest(tiny_blocks: None) -> None:
    x, y, groups = draw(5, 13, 9), draw(6, 12, 9), [9, 5, 5, 7, 9, 9, 2, 2, 2, 2, 5, 7, 9]
    whole, without = mmd2_without_groups(x, groups, y)
    assert whole == pytest.approx(polynomial_mmd2(x, y), rel=EXACT)
    assert sorted(without) == [2, 5, 7, 9]
    for group, value in without.items():
        rest = x[np.array(groups) != group]
        assert value == pytest.approx(polynomial_mmd2(rest, y), rel=EXACT), group


def test_with_equal_groups_the_jackknife_is_efrons() -> None:
    x, y = draw(7, 12, 4), draw(8, 10, 4)
    groups = [0, 1, 2, 3] * 3
    left = [polynomial_mmd2(x[np.array(groups) != g], y) for g in range(4)]
    by_hand = np.sqrt(3 / 4 * np.sum((np.array(left) - np.mean(left)) ** 2))
    assert jackknife_mmd2(x, groups, y)[1] == pytest.approx(by_hand, rel=EXACT)


def test_the_jackknife_error_is_the_spread_over_repeated_draws() -> None:
    """Pictures of a prompt share a part: an error by picture is less than half of what it should be."""
    generator = np.random.default_rng(5)
    y, values, errors, errors_by_picture = generator.uniform(-1, 1, (400, 3)), [], [], []
    prompts = np.repeat(np.arange(20), 5)
    for _ in range(300):
        shared, own = generator.uniform(-1, 1, (20, 3))[prompts], generator.uniform(-1, 1, (100, 3))
        x = shared + 0.3 * own + 0.5
        value, error = jackknife_mmd2(x, prompts.tolist(), y)
        by_picture = jackknife_mmd2(x, list(range(100)), y)[1]
        assert error is not None and by_picture is not None
        values.append(value)
        errors.append(error)
        errors_by_picture.append(by_picture)
    spread = np.std(values, ddof=1)
    assert np.mean(errors) == pytest.approx(spread, rel=0.12)
    assert np.mean(errors_by_picture) < 0.55 * spread


def test_a_single_group_has_no_error() -> None:
    value, error = jackknife_mmd2(draw(1, 6, 3), [4] * 6, draw(2, 6, 3))
    assert np.isfinite(value) and error is None


def test_groups_that_leave_a_single_picture_have_no_error() -> None:
    assert jackknife_mmd2(draw(1, 3, 3), [0, 0, 1], draw(2, 6, 3))[1] is None
    assert jackknife_mmd2(draw(1, 6, 3), [0, 0, 0, 1, 1, 1], draw(2, 3, 3), y_groups=[0, 0, 1])[1] is None


def test_a_group_for_each_row_is_asked_for() -> None:
    with pytest.raises(ValueError, match="5 and 4 rows, but groups of 3 and 4"):
        jackknife_mmd2(draw(1, 5, 2), [1, 2, 3], draw(2, 4, 2))


# Properties

SETS = st.tuples(st.integers(2, 12), st.integers(2, 12), st.integers(1, 15), st.integers(0, 2**31))


@settings(max_examples=40, deadline=None)
@given(SETS)
def test_distances_are_symmetric_and_do_not_see_the_order_of_rows(sizes: tuple[int, int, int, int]) -> None:
    n, m, width, seed = sizes
    x, y = draw(seed, n, width), draw(seed + 1, m, width) + 0.5
    order = np.random.default_rng(seed).permutation(n)
    for distance in DISTANCES:
        value = distance(x, y)
        assert distance(y, x) == pytest.approx(value, rel=EXACT, abs=1e-12), distance.__name__
        assert distance(x[order], y) == pytest.approx(value, rel=EXACT, abs=1e-12), distance.__name__


@settings(max_examples=40, deadline=None)
@given(SETS)
def test_the_neighbourhoods_of_swapped_sets_swap_precision_and_recall(
    sizes: tuple[int, int, int, int],
) -> None:
    n, m, width, seed = sizes
    x, y = draw(seed, n, width), draw(seed + 1, m, width)
    there, back = precision_recall_density_coverage(x, y, 1), precision_recall_density_coverage(y, x, 1)
    assert (there.precision, there.recall) == (back.recall, back.precision)


@settings(max_examples=40, deadline=None)
@given(SETS)
def test_frechet_does_not_see_rotations_or_constant_features(sizes: tuple[int, int, int, int]) -> None:
    """Fewer pictures than features in particular: constant features make any covariance singular."""
    n, m, width, seed = sizes
    x, y = draw(seed, n, width), draw(seed + 1, m, width) * 1.5 + 0.2
    turn = np.linalg.qr(draw(seed + 2, width + 20, width + 20))[0]
    wide_x, wide_y = (np.pad(rows, ((0, 0), (0, 20))) @ turn + 3.0 for rows in (x, y))
    assert frechet_distance(wide_x, wide_y) == pytest.approx(frechet_distance(x, y), rel=EXACT, abs=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_size_of_the_blocks_changes_nothing(distance: Distance, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = golden("unequal_sizes")
    whole = distance(x, y)
    for elements in (1, 37, 100):
        monkeypatch.setattr(set_distances, "BLOCK_ELEMENTS", elements)
        assert distance(x, y) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
def test_narrow_floats_are_computed_in_float64(distance: Distance) -> None:
    x, y = draw(1, 9, 6).astype(np.float16), draw(2, 8, 6).astype(np.float32)
    wide = distance(x.astype(np.float64), y.astype(np.float64))
    assert distance(cast(Floats, x), cast(Floats, y)) == wide


def test_one_row_each_has_the_distances_that_need_no_spread() -> None:
    x, y = np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])
    assert centroid_distance(x, y) == 5.0
    assert mean_pairwise_cosine(x, y) == 0.0
    assert cmmd(x, y) == pytest.approx(2000 * (1 - np.exp(-5 / 200)), rel=EXACT)
    for distance in (frechet_distance, polynomial_mmd2):
        with pytest.raises(ValueError, match="2 pictures a set are needed, one has 1"):
            distance(x, y)


def test_neighbourhoods_need_more_pictures_than_neighbours() -> None:
    x, y = draw(1, 4, 2), draw(2, 9, 2)
    assert precision_recall_density_coverage(x, y, 3).recall >= 0
    with pytest.raises(ValueError, match="5 pictures a set are needed, one has 4"):
        precision_recall_density_coverage(x, y, 4)
    with pytest.raises(ValueError, match="k=0"):
        precision_recall_density_coverage(x, y, 0)


@pytest.mark.parametrize("distance", DISTANCES)
def test_what_is_no_feature_matrix_is_refused(distance: Distance) -> None:
    good = draw(1, 3, 4)
    with pytest.raises(ValueError, match="NaN"):
        distance(good, np.where(good > 0, np.nan, good))
    with pytest.raises(ValueError, match="4 and 5 features"):
        distance(good, draw(2, 3, 5))
    with pytest.raises(ValueError, match="one of each at least"):
        distance(good, draw(2, 0, 4))
    with pytest.raises(ValueError, match="one of each at least"):
        distance(good, draw(2, 4))


def test_a_vector_without_length_has_no_cosine() -> None:
    with pytest.raises(ValueError, match="no direction"):
        mean_pairwise_cosine(np.zeros((1, 3)), draw(1, 2, 3))


def test_no_matrix_of_all_pairs_is_held() -> None:
    """3,000 x 3,000 pairs are 72 MB; blocks of a 1 MiB hold a few of their like, and the rows a little."""
    x, y = draw(1, 3000, 4), draw(2, 3000, 4)
    groups = np.arange(3000).tolist()  # a group a picture: nothing may grow with groups x groups either
    calls = (
        lambda: jackknife_mmd2(x, groups, y, y_groups=groups),
        lambda: cmmd(x, y),
        lambda: precision_recall_density_coverage(x, y, 5),
        lambda: frechet_distance(x, y),
        lambda: mean_pairwise_cosine(x, y),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(set_distances, "BLOCK_ELEMENTS", 2**17)
        for call in calls:
            tracemalloc.start()
            call()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 12e6
