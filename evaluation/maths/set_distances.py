"""How far apart two sets of feature vectors are: Frechet, kernel and neighbour distances in float64."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.floating]  # [pictures, features], any float type
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BLOCK_ELEMENTS = 2**21  # of a matrix of pairs held at a time: 16 MiB, and a few of its like beside it
CMMD_SIGMA = 10.0
CMMD_SCALE = 1000.0
TIE = 1e-12  # squared distances nearer than this, relative to the squared lengths, are equal but for rounding


@dataclass(kw_only=True, slots=True, frozen=True)
class Neighbourhoods:
    """How two sets overlap, by balls around each point that reach to its k-th neighbour in its own set."""

    precision: float  # share of the pictures that lie in a ball of a true picture, 0 to 1
    recall: float  # share of the true pictures that lie in a ball of a picture, 0 to 1
    density: float  # balls of true pictures around a picture, / k; 0 and up, about 1 for equal distributions
    coverage: float  # share of the true pictures with a picture in their ball, 0 to 1


@dataclass(kw_only=True, slots=True, frozen=True)
class KernelSums:
    """Sums of a kernel over the pairs (row of x, row of y), whole and by group: what leaving out needs."""

    total: float
    of_x: Floats  # [groups] pairs whose row of x is in the group
    of_y: Floats  # [groups] pairs whose row of y is in the group
    of_both: Floats  # [groups] pairs with both rows in the group

    def without_group(self) -> Floats:
        """[groups] the sum over the pairs with neither row in the group."""
        return self.total - self.of_x - self.of_y + self.of_both


def frechet_distance(x: Features, y: Features) -> float:
    """Squared Frechet (2-Wasserstein) distance of the Gaussians fitted to both sets: the formula of FID.

    x, y     [n, d], [m, d]; n, m >= 2, also below d
    returns  |mean x - mean y|^2 + tr Cx + tr Cy - 2 tr (Cx Cy)^(1/2), unbiased covariances
    With centred rows A, B the last trace is the sum of the singular values of A B^T / sqrt((n-1)(m-1)). They
    are taken from the triangular QR factors: nothing is squared, and singular covariances cost no digits.
    Raises ValueError for a single row, which has no covariance.
    Source: Dowson and Landau 1982; Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule".
    """
    x, y = _matching(x, y)
    _need_rows(2, x, y)
    factors = [_covariance_factor(rows) for rows in (x, y)]
    traces = sum(float(np.sum(factor**2)) for factor in factors)
    shared = float(np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum())
    return max(0.0, centroid_distance(x, y) + traces - 2.0 * shared)


def polynomial_mmd2(x: Features, y: Features) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x.y / d + 1)^3: KID on whole sets.

    x, y     [n, d], [m, d]; n, m >= 2
    returns  mean of k over pairs within x + the same within y - 2 x mean over pairs across; may be negative
    Raises ValueError for a single row, which has no pairs.
    Source: Gretton et al. 2012, eq. 3; Binkowski et al. 2018, "Demystifying MMD GANs".
    """
    x, y = _matching(x, y)
    _need_rows(2, x, y)
    x_groups, y_groups = (np.zeros(len(rows), dtype=np.int64) for rows in (x, y))
    sums = _all_sums(x, y, x_groups=x_groups, y_groups=y_groups, num_groups=1)
    return float(_mmd2([part.total for part in sums], np.array(len(x)), np.array(len(y))))


def mmd2_without_groups(
    x: Features, x_groups: Sequence[int], y: Features, *, y_groups: Sequence[int] | None = None
) -> tuple[float, dict[int, float]]:
    """polynomial_mmd2 of the whole sets, and of the sets without each group (a prompt) of x.

    x, y      [n, d], [m, d]; n, m >= 2
    x_groups  [n]  the prompt of each row of x
    y_groups  [m]  the prompt of each row of y: they leave together with x's; None: y stays whole
    returns   value, value by the group that is left out; none where there is a single group, or where too few
              rows are left without one
    The kernel is passed over once: what is left without a group is the total less the group's own sums.
    """
    x, y = _matching(x, y)
    _need_rows(2, x, y)
    names, x_places, y_places = _places(x_groups, y_groups, len(y))
    if len(x_places) != len(x) or len(y_places) != len(y):
        raise ValueError(f"{len(x)} and {len(y)} rows, but groups of {len(x_places)} and {len(y_places)}")
    sums = _all_sums(x, y, x_groups=x_places, y_groups=y_places, num_groups=len(names))
    value = float(_mmd2([part.total for part in sums], np.array(len(x)), np.array(len(y))))
    x_left = len(x) - np.bincount(x_places, minlength=len(names))
    y_left = len(y) - np.bincount(y_places[y_places >= 0], minlength=len(names))
    if len(names) < 2 or min(x_left.min(), y_left.min()) < 2:
        return value, {}
    left_out = _mmd2([part.without_group() for part in sums], x_left, y_left)
    return value, dict(zip(names.tolist(), left_out.tolist(), strict=True))


def jackknife_mmd2(
    x: Features, x_groups: Sequence[int], y: Features, *, y_groups: Sequence[int] | None = None
) -> tuple[float, float | None]:
    """polynomial_mmd2 and its standard error, by leaving out one group (a prompt) at a time.

    The arguments are those of mmd2_without_groups. Without y_groups the error leaves out how y was drawn.
    returns  value, standard error; None where no group can be left out
    Groups of unequal size are weighted by the delete-m_j jackknife, Busing, Meijer and van der Leeden 1999,
    "Delete-m Jackknife for Unequal m", Statistics and Computing 9; with equal sizes it is Efron's.
    """
    value, without = mmd2_without_groups(x, x_groups, y, y_groups=y_groups)
    if not without:
        return value, None
    names, sizes = np.unique(np.asarray(x_groups), return_counts=True)
    left_out = np.array([without[name] for name in names.tolist()])
    return value, _jackknife_error(value, left_out, sizes / len(x))


def cmmd(x: Features, y: Features) -> float:
    """1000 x the biased squared discrepancy with the kernel exp(-|x - y|^2 / (2 x 10^2)): CMMD.

    x, y     [n, d], [m, d], as given (its authors use CLIP embeddings of length 1); n, m >= 1
    returns  0 and up; 0 for equal sets
    What is summed is kernel - 1, whose constants cancel: near 1 the kernel itself would lose digits.
    Source: Jayasumana et al. 2024, "Rethinking FID: Towards a Better Evaluation Metric for Image Generation".
    """
    x, y = _matching(x, y)
    within_x, within_y, across = (_mean_gaussian(a, b) for a, b in ((x, x), (y, y), (x, y)))
    return max(0.0, CMMD_SCALE * (within_x + within_y - 2.0 * across))


def precision_recall_density_coverage(true: Features, pictures: Features, k: int) -> Neighbourhoods:
    """Precision and recall, density and coverage of pictures against the true pictures.

    true      [m, d]  comes first, as in the reference (compute_prdc); m > k
    pictures  [n, d]  n > k
    k         the neighbour that a ball reaches to, not counting the point itself; 1 and up
    A point on the edge of a ball is outside; so is one that differs from the edge by rounding only, as a copy
    of the very picture that the ball reaches to does.
    Raises ValueError where a set has no k-th neighbour.
    Source: Kynkaanniemi et al. 2019, "Improved Precision and Recall Metric"; Naeem et al. 2020, "Reliable
    Fidelity and Diversity Metrics for Generative Models".
    """
    y, x = _matching(true, pictures)
    if k < 1:
        raise ValueError(f"the neighbour k={k} must be 1 or more")
    _need_rows(k + 1, x, y)
    tie = TIE * max(float(np.max(_squared_lengths(rows))) for rows in (x, y))
    x_reach, y_reach = _reach(x, k) - tie, _reach(y, k) - tie
    in_a_true_ball = np.zeros(len(x), dtype=bool)
    in_a_ball, covered, hits = 0, 0, 0
    for rows in _row_blocks(len(y), len(x)):
        distances = _squared_distances(y[rows], x)
        inside = distances < y_reach[rows, None]
        in_a_true_ball |= inside.any(axis=0)
        hits += int(inside.sum())
        covered += int(inside.any(axis=1).sum())
        in_a_ball += int((distances < x_reach).any(axis=1).sum())
    return Neighbourhoods(
        precision=float(in_a_true_ball.mean()),
        recall=in_a_ball / len(y),
        density=hits / (k * len(x)),
        coverage=covered / len(y),
    )


def centroid_distance(x: Features, y: Features) -> float:
    """|mean x - mean y|^2 of x [n, d] and y [m, d].

    Source: Yeh et al. 2024, "Navigating Text-To-Image Customization: From LyCORIS Fine-Tuning to Model
    Evaluation", squared centroid distance.
    """
    x, y = _matching(x, y)
    return float(np.sum((x.mean(axis=0) - y.mean(axis=0)) ** 2))


def mean_pairwise_cosine(x: Features, y: Features) -> float:
    """The mean cosine over all pairs (row of x, row of y) of x [n, d] and y [m, d]: -1 to 1.

    It is the product of both means of the rows at length 1, so no pair is looked at.
    Raises ValueError for a row of length 0, which has no direction.
    """
    x, y = _matching(x, y)
    return float(unit_rows(x).mean(axis=0) @ unit_rows(y).mean(axis=0))


def unit_rows(vectors: Features) -> Floats:
    """Rows [n, d] at length 1, float64; ValueError for a row of length 0, which has no direction."""
    rows = checked_features(vectors)
    # By its largest entry first: squares of very small or large entries would leave the range of floats.
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not largest.all():
        raise ValueError("a vector of length 0 has no direction")
    rows = rows / largest
    return rows / np.sqrt(_squared_lengths(rows))[:, None]


def checked_features(vectors: Features) -> Floats:
    """The same rows in float64; ValueError unless they are [1 or more, 1 or more] finite numbers."""
    rows = np.asarray(vectors, dtype=np.float64)
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"features must be [pictures, features] with one of each at least, not {rows.shape}")
    if not np.isfinite(rows).all():
        raise ValueError("features hold NaN or infinity")
    return rows


def grouped_kernel_sums(
    x: Floats, y: Floats, *, x_groups: Integers, y_groups: Integers, num_groups: int, same: bool = False
) -> KernelSums:
    """Sums of (x.y / d + 1)^3 - 1 over the pairs of rows, whole and by group, in blocks of rows.

    x, y      [n, d], [m, d]
    x_groups  [n]  0 .. num_groups - 1, or -1 for a row that is in none;  y_groups [m] likewise
    same      x and y are one set: the pairs of a row with itself are not counted
    The constant 1 cancels in every discrepancy. Without it u^3 + 3 u^2 + 3 u, u = x.y / d, keeps its digits
    where u is small, as it is for embeddings of length 1.
    """
    of_rows, of_rows_within, of_columns = np.empty(len(x)), np.empty(len(x)), np.zeros(len(y))
    for rows in _row_blocks(len(x), len(y)):
        products = x[rows] @ y.T / x.shape[1]
        kernel = products * (products * (products + 3.0) + 3.0)
        if same:
            kernel[np.arange(len(kernel)), np.arange(rows.start, rows.stop)] = 0.0
        of_rows[rows] = kernel.sum(axis=1)
        of_columns += kernel.sum(axis=0)
        kernel[x_groups[rows, None] != y_groups] = 0.0
        of_rows_within[rows] = kernel.sum(axis=1)
    return KernelSums(
        total=float(of_rows.sum()),
        of_x=_by_group(of_rows, x_groups, num_groups),
        of_y=_by_group(of_columns, y_groups, num_groups),
        of_both=_by_group(of_rows_within, x_groups, num_groups),
    )


def _all_sums(
    x: Floats, y: Floats, *, x_groups: Integers, y_groups: Integers, num_groups: int
) -> tuple[KernelSums, KernelSums, KernelSums]:
    """The kernel's sums within x, within y and across."""
    return (
        grouped_kernel_sums(x, x, x_groups=x_groups, y_groups=x_groups, num_groups=num_groups, same=True),
        grouped_kernel_sums(y, y, x_groups=y_groups, y_groups=y_groups, num_groups=num_groups, same=True),
        grouped_kernel_sums(x, y, x_groups=x_groups, y_groups=y_groups, num_groups=num_groups),
    )


def _mmd2(sums: Sequence[float] | Sequence[Floats], n: Integers, m: Integers) -> Floats:
    """The unbiased discrepancy from the sums within n rows, within m rows and across, whole or by group."""
    within_x, within_y, across = sums
    n, m = n.astype(np.float64), m.astype(np.float64)
    return np.asarray(within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2.0 * across / (n * m))


def _jackknife_error(value: float, left_out: Floats, shares: Floats) -> float:
    """The delete-m_j standard error from the values without each group and the groups' shares of the rows."""
    pseudo_values = value / shares - (1.0 / shares - 1.0) * left_out
    estimate = len(shares) * value - float(np.sum((1.0 - shares) * left_out))
    return float(np.sqrt(np.mean((pseudo_values - estimate) ** 2 / (1.0 / shares - 1.0))))


def _by_group(values: Floats, groups: Integers, num_groups: int) -> Floats:
    """[num_groups] the sums of the values of each group; those of group -1 are in none."""
    grouped = groups >= 0
    return np.bincount(groups[grouped], values[grouped], minlength=num_groups).astype(np.float64)


def _places(
    x_groups: Sequence[int], y_groups: Sequence[int] | None, num_y: int
) -> tuple[Integers, Integers, Integers]:
    """The groups of x, the place of each row of x among them, and of each row of y (-1: not among them)."""
    names, x_places = np.unique(np.asarray(x_groups, dtype=np.int64), return_inverse=True)
    if y_groups is None:
        return names, x_places, np.full(num_y, -1, dtype=np.int64)
    wanted = np.asarray(y_groups, dtype=np.int64)
    found = np.searchsorted(names, wanted).clip(max=len(names) - 1)
    return names, x_places, np.where(names[found] == wanted, found, -1)


def _covariance_factor(rows: Floats) -> Floats:
    """R [min(n, d), d] with R^T R = the unbiased covariance of rows [n, d]."""
    centred = (rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1)
    factor: Floats = np.linalg.qr(centred, mode="r")  # type: ignore[assignment]  # numpy types it as a pair
    return factor


def _mean_gaussian(x: Floats, y: Floats) -> float:
    """The mean of exp(-|x - y|^2 / (2 sigma^2)) - 1 over all pairs."""
    total = 0.0
    for rows in _row_blocks(len(x), len(y)):
        total += float(np.expm1(_squared_distances(x[rows], y) / (-2.0 * CMMD_SIGMA**2)).sum())
    return total / (len(x) * len(y))


def _reach(rows: Floats, k: int) -> Floats:
    """[n] the squared distance of each row to its k-th neighbour among the others."""
    reach = np.empty(len(rows))
    for block in _row_blocks(len(rows), len(rows)):
        distances = _squared_distances(rows[block], rows)
        distances[np.arange(len(distances)), np.arange(block.start, block.stop)] = 0.0
        reach[block] = np.partition(distances, k, axis=1)[:, k]  # at place 0 is the row itself
    return reach


def _squared_distances(x: Floats, y: Floats) -> Floats:
    """[n, m] |x - y|^2 of all pairs of rows."""
    return np.maximum(_squared_lengths(x)[:, None] + _squared_lengths(y) - 2.0 * (x @ y.T), 0.0)


def _squared_lengths(rows: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", rows, rows))


def _row_blocks(num_rows: int, num_columns: int) -> Iterator[slice]:
    """Slices of rows, so that a block of the matrix of pairs stays within BLOCK_ELEMENTS."""
    step = max(1, BLOCK_ELEMENTS // num_columns)
    for start in range(0, num_rows, step):
        yield slice(start, min(start + step, num_rows))


def _matching(x: Features, y: Features) -> tuple[Floats, Floats]:
    """Both in float64; ValueError unless they are features of one encoder, of equal width."""
    x, y = checked_features(x), checked_features(y)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"the sets have {x.shape[1]} and {y.shape[1]} features a picture: not one encoder's")
    return x, y


def _need_rows(least: int, *sets: Floats) -> None:
    fewest = min(len(rows) for rows in sets)
    if fewest < least:
        raise ValueError(f"{least} pictures a set are needed, one has {fewest}")
