"""How many different pictures a set holds: the Vendi score of feature vectors."""

import numpy as np

from evaluation.maths.set_distances import Features, unit_rows


def vendi_score(vectors: Features) -> float:
    """The effective number of different vectors, by the cosine of each pair: the Vendi score of order 1.

    vectors  [n, d], any float type; n >= 1, also below or above d
    returns  exp(-sum p log p) over the eigenvalues p of K / n, K = cosines of all pairs; 1 (all alike) to n
    The eigenvalues are the squared singular values of the rows at length 1, / n: K is never held, and a
    squared number cannot be negative by rounding.
    Raises ValueError for a row of length 0, which has no cosine, and for NaN.
    Source: Friedman and Dieng 2023, "The Vendi Score: A Diversity Evaluation Metric for Machine Learning".
    """
    rows = unit_rows(vectors)
    shares = np.linalg.svd(rows, compute_uv=False) ** 2 / len(rows)
    shares = shares[shares > 0]
    return float(np.exp(-np.sum(shares * np.log(shares))))
