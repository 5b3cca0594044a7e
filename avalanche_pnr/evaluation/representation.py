"""Measures of features without labels: drift and collapse.

All are computed in float64, whatever the features' type.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr.evaluation.float64 import in_float64


def linear_cka(x: Tensor, y: Tensor) -> float:
    r"""Compute the centred kernel alignment of two representations of the same images.

    With centred columns, |Y^T X|_F^2 / (|X^T X|_F |Y^T Y|_F): between 0 and 1, and 1
    if one is the other but for a rotation, an isotropic scale and a shift.

    Args:
        x: Features, shape (N, F).
        y: Features of the same images, shape (N, G).

    Returns:
        The similarity; NaN if either has collapsed to a point.

    Raises:
        ValueError: If the numbers of images differ, or features are not finite.

    Source: Kornblith et al. 2019, arXiv 1905.00414, section 3 and table 1.
    """
    _check_pairs(x, y)
    x, y = _centred(x), _centred(y)
    norms = (_shared_variance(x, x) * _shared_variance(y, y)).sqrt()
    return (_shared_variance(x, y) / norms).item()


def alignment(x: Tensor, y: Tensor) -> float:
    r"""Compute the mean squared distance of positive pairs on the sphere.

    The mean of |x_i/|x_i| - y_i/|y_i||^2, in 0..4; lower is better, but 0 is also what
    a collapse gives.

    Args:
        x: Features of the first views, shape (N, F).
        y: Features of the second views, shape (N, F).

    Raises:
        ValueError: If the shapes differ, or features are not finite.

    Source: Wang & Isola 2020, arXiv 2005.10242, section 4.1, exponent 2.
    """
    _check_pairs(x, y)
    if x.shape != y.shape:
        raise ValueError(
            f"views have features of different sizes, {x.shape[1]} and {y.shape[1]}: "
            "alignment compares the features of one network"
        )
    return (_on_sphere(x) - _on_sphere(y)).square().sum(dim=1).mean().item()


def uniformity(x: Tensor, t: float = 2.0, chunk: int = 1024) -> float:
    r"""Compute uniformity on the sphere, log mean_{i<j} e^{-t |x_i - x_j|^2}.

    The x_i are L2-normalised. At most 0, if all are equal; lower is more even.

    Args:
        x: Features, shape (N, F).
        t: Sharpness of the kernel.
        chunk: Number of rows compared with all others at a time.

    Raises:
        ValueError: If there are fewer than two rows, features are not finite, or t is
            not above 0.

    Source: Wang & Isola 2020, arXiv 2005.10242, section 4.1.
    """
    _check(x)
    if len(x) < 2 or not t > 0:
        raise ValueError(
            f"uniformity needs pairs of features and t > 0, got {len(x)} rows, t={t}"
        )
    x = _on_sphere(x)
    sums = [
        _log_sum_of_pairs(x[start : start + chunk], x[start:], t)
        for start in range(0, len(x), chunk)
    ]
    pairs = len(x) * (len(x) - 1) / 2
    return torch.stack(sums).logsumexp(dim=0).item() - math.log(pairs)


def effective_rank(x: Tensor) -> float:
    r"""Compute the dimensions in use, e^H of the centred features' spectrum.

    H is the entropy of p_i = s_i / sum_j s_j. The mean does not count as a dimension in
    use, hence the centring.

    Args:
        x: Features, shape (N, F).

    Returns:
        Between 1 (features on a line) and the rank (all directions alike); 0 if the
        features have collapsed to a point.

    Raises:
        ValueError: If the shape is not (N, F), or features are not finite.

    Source: Roy & Vetterli 2007, "The effective rank: a measure of effective
    dimensionality", EUSIPCO.
    """
    _check(x)
    values = torch.linalg.svdvals(_centred(x))
    if not values.any():
        return 0.0
    entropy: Tensor = torch.special.entr(values / values.sum()).sum()
    return entropy.exp().item()


def _shared_variance(x: Tensor, y: Tensor) -> Tensor:
    """|Y^T X|_F^2 by the smaller of two equal ways; the other sums X X^T * Y Y^T."""
    if len(x) ** 2 < x.shape[1] * y.shape[1]:
        return ((x @ x.T) * (y @ y.T)).sum()
    return (y.T @ x).square().sum()


def _log_sum_of_pairs(rows: Tensor, following: Tensor, t: float) -> Tensor:
    """Each pair once: the rows are the first of those following."""
    squares = torch.cdist(rows, following).square()
    later = torch.ones_like(squares, dtype=torch.bool).triu(diagonal=1)
    return torch.where(later, -t * squares, -torch.inf).flatten().logsumexp(dim=0)


def _centred(x: Tensor) -> Tensor:
    """Columns without their mean; all 0 where only rounding sets rows apart.

    A ratio would make that rounding as large as any signal.
    """
    wide = in_float64(x)
    centred = wide - wide.mean(dim=0)
    rounding = 8 * torch.finfo(x.dtype).eps * wide.abs().max()
    return centred if centred.abs().max() > rounding else torch.zeros_like(centred)


def _on_sphere(x: Tensor) -> Tensor:
    return normalize(in_float64(x), dim=1)


def _check(x: Tensor) -> None:
    if x.dim() != 2 or x.numel() == 0 or not x.is_floating_point():
        raise ValueError(
            "features must be a floating-point tensor (N, F) that is not empty, got "
            f"{x.dtype} of shape {tuple(x.shape)}"
        )
    if not x.isfinite().all():
        raise ValueError(
            "features hold NaN or infinite values: the network has diverged, lower "
            "its learning rate"
        )


def _check_pairs(x: Tensor, y: Tensor) -> None:
    _check(x)
    _check(y)
    if len(x) != len(y):
        raise ValueError(
            f"{len(x)} and {len(y)} features cannot be compared: give those of the "
            "same images in the same order"
        )
