"""Writes evaluation_distances.json: what published packages compute on the features that it draws.

Run in an environment of its own, none of it is needed by the project:
    pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 mpmath==1.3.0 prdc==0.2 vendi-score==0.0.3
    pip install torch==2.13.0
    pip install --no-deps torchmetrics==1.9.0 lightning-utilities torch-fidelity==0.4.0 clean-fid==0.1.35
    python tests/golden/make_evaluation_distances.py
torch-fidelity and clean-fid import torchvision for their picture readers; the formulas called here use none,
so a stub stands in for it. All inputs are float64; features are rounded, so that JSON holds them exactly.
"""

import contextlib
import io
import json
import sys
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np

PACKAGES = (
    "numpy", "scipy", "scikit-learn", "mpmath", "prdc", "vendi-score", "torch", "torchmetrics",
    "torch-fidelity", "clean-fid",
)  # fmt: skip
FEW = "fewer_pictures_than_features"  # singular covariances: only mpmath's digits are good to 1e-9


def stub_torchvision() -> None:
    """Modules whose every attribute exists: enough to import what is never called."""
    for name in ("", ".transforms", ".transforms.functional", ".datasets", ".models"):
        sys.modules[f"torchvision{name}"] = MagicMock(__spec__=ModuleSpec(f"torchvision{name}", None))


def cases() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Features of two sets by name; RandomState's stream is frozen, so the draws never change."""
    draw = np.random.RandomState(20240607)
    mix = draw.randn(6, 6)
    anisotropic = draw.randn(40, 6) @ mix, draw.randn(40, 6) @ mix + 0.5
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in draw.randn(2, 30, 16)]
    few = draw.randn(9, 24), 1.3 * draw.randn(9, 24) + 0.2
    unequal = draw.randn(35, 5), 0.7 * draw.randn(20, 5) + 0.3
    drawn = {
        "anisotropic": anisotropic,
        "unit_length": (unit[0], unit[1]),
        FEW: few,
        "unequal_sizes": unequal,
    }
    return {name: (np.round(x, 4), np.round(y, 4)) for name, (x, y) in drawn.items()}


def frechet(name: str, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """By mpmath in 60 digits; by the packages where both covariances have full rank."""
    import torch
    from cleanfid.fid import frechet_distance
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torchmetrics.image.fid import _compute_fid

    found = {"mpmath": frechet_in_60_digits(x, y)}
    if name == FEW:
        return found
    x_mean, y_mean, x_cov, y_cov = x.mean(0), y.mean(0), np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    statistics = [fid_features_to_statistics(torch.from_numpy(rows)) for rows in (x, y)]
    tensors = [torch.from_numpy(part) for part in (x_mean, x_cov, y_mean, y_cov)]
    found["torch-fidelity"] = fid_statistics_to_metric(*statistics, False)["frechet_inception_distance"]
    found["torchmetrics"] = _compute_fid(*tensors).item()
    found["clean-fid"] = float(frechet_distance(x_mean, x_cov, y_mean, y_cov))
    return found


def frechet_in_60_digits(x: np.ndarray, y: np.ndarray) -> float:
    """tr (Cx Cy)^(1/2) is the sum of the singular values of the centred rows' products."""
    import mpmath

    mpmath.mp.dps = 60
    a, b = mpmath.matrix(x.tolist()), mpmath.matrix(y.tolist())
    means = []
    for rows in (a, b):
        mean = [sum(rows[:, j]) / rows.rows for j in range(rows.cols)]
        means.append(mean)
        for i in range(rows.rows):
            for j in range(rows.cols):
                rows[i, j] -= mean[j]
    traces = sum(sum(entry**2 for entry in rows) / (rows.rows - 1) for rows in (a, b))
    shared = sum(mpmath.svd_r(a * b.T, compute_uv=False)) / mpmath.sqrt((a.rows - 1) * (b.rows - 1))
    apart = sum((p - q) ** 2 for p, q in zip(*means, strict=True))
    return float(apart + traces - 2 * shared)


def mmd2(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Of sets of equal size, as the packages ask for: one subset that is the whole set."""
    import torch
    from cleanfid.fid import kernel_distance
    from torch_fidelity.metric_kid import kernel_mmd
    from torchmetrics.image.kid import poly_mmd

    options = {"kid_kernel": "poly"}
    options |= {
        f"kid_kernel_poly_{name}": value for name, value in (("degree", 3), ("gamma", None), ("coef0", 1))
    }
    return {
        "torch-fidelity": float(kernel_mmd(x, y, **options)),
        "torchmetrics": poly_mmd(torch.from_numpy(x), torch.from_numpy(y)).item(),
        "clean-fid": kernel_distance(x, y, num_subsets=1, max_subset_size=len(x)),
    }


def gaussian_mmd(x: np.ndarray, y: np.ndarray) -> float:
    from sklearn.metrics.pairwise import rbf_kernel

    within_x, within_y, across = (rbf_kernel(a, b, gamma=1 / 200).mean() for a, b in ((x, x), (y, y), (x, y)))
    return float(1000 * (within_x + within_y - 2 * across))


def neighbourhoods(x: np.ndarray, y: np.ndarray) -> dict[str, dict[str, float]]:
    from prdc import compute_prdc

    with contextlib.redirect_stdout(io.StringIO()):
        found = {str(k): compute_prdc(real_features=y, fake_features=x, nearest_k=k) for k in (1, 3, 5)}
    return {k: {name: float(value) for name, value in scores.items()} for k, scores in found.items()}


def student() -> dict[str, object]:
    """Quantiles of t, the power of the paired t test, and a one-way table's F."""
    from scipy import stats

    quantiles = [
        [p, degrees, float(stats.t.ppf(p, degrees))]
        for p in (0.6, 0.8, 0.9, 0.975, 0.995)
        for degrees in (1, 2, 3, 4, 9, 13, 50, 99, 199, 200, 1000, 100000)
    ]
    needed = []
    for effect in (0.2, 0.3, 0.5, 0.8, 1.0, 1.5):  # difference / standard deviation
        n = 2
        while True:
            edge, shift = stats.t.ppf(0.975, n - 1), effect * np.sqrt(n)
            if stats.nct.sf(edge, n - 1, shift) + stats.nct.cdf(-edge, n - 1, shift) >= 0.8:
                break
            n += 1
        needed.append([effect, n])
    table = [[4.25, 5.5, 6.125], [7.0, 8.5], [3.0, 2.5, 4.0, 3.75], [9.5]]
    f = float(stats.f_oneway(*[np.array(group) for group in table]).statistic)
    return {"t_quantiles": quantiles, "prompts_needed": needed, "one_way": {"table": table, "f": f}}


def main() -> None:
    stub_torchvision()
    np.random.seed(0)  # clean-fid shuffles by the global generator, which moves its last digit
    from sklearn.metrics.pairwise import cosine_similarity
    from vendi_score import vendi

    versions = {name: version(name) for name in PACKAGES}
    found: dict[str, object] = {"recipe": Path(__file__).name, "versions": versions}
    for name, (x, y) in cases().items():
        found[name] = {
            "x": x.tolist(),
            "y": y.tolist(),
            "frechet": frechet(name, x, y),
            "mmd2": mmd2(x, y) if len(x) == len(y) else {},
            "cmmd": gaussian_mmd(x, y),
            "neighbourhoods": neighbourhoods(x, y),
            "mean_cosine": float(cosine_similarity(x, y).mean()),
            "vendi": {"score_X": float(vendi.score_X(x)), "score_dual": float(vendi.score_dual(x))},
        }
    found["student"] = student()
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items()]
    text = "{" + ",\n".join(lines) + "}"
    Path(__file__).with_name("evaluation_distances.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
