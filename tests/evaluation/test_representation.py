import math

import pytest
import torch
from torch import Tensor

from avalanche_pnr.evaluation import (
    alignment,
    effective_rank,
    linear_cka,
    uniformity,
)


def _features(n: int, dim: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, dim, generator=generator, dtype=torch.float64)


def _rotation(dim: int) -> Tensor:
    return torch.linalg.qr(_features(dim, dim, seed=9)).Q


def _cka_by_kernels(x: Tensor, y: Tensor) -> float:
    """As defined: HSIC of the kernels X X^T and Y Y^T with a centring matrix."""
    n = len(x)
    h = torch.eye(n, dtype=torch.float64) - 1 / n
    k, m = h @ x @ x.T @ h, h @ y @ y.T @ h
    return (((k * m).sum()) / ((k * k).sum() * (m * m).sum()).sqrt()).item()


def test_cka_by_hand() -> None:
    # Centred: x = (-1, 0, 1); y = (-1, 2, -1). x.y = 0, so they have nothing in common.
    x, y = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[0.0], [3.0], [0.0]])
    assert linear_cka(x, y) == pytest.approx(0)
    # Centred: z = (-1, -1, 2), z.x = 3, |z|^2 = 6, |x|^2 = 2: 3^2 / (6 * 2).
    z = torch.tensor([[1.0], [1.0], [4.0]])
    assert linear_cka(z, x) == pytest.approx(0.75)


def test_cka_of_one_common_dimension_out_of_two() -> None:
    # Orthogonal directions of equal size: |Y^T X|^2 = 1, |X^T X| = 1, |Y^T Y|^2 = 2.
    y = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    assert linear_cka(y[:, :1], y) == pytest.approx(1 / math.sqrt(2))


@pytest.mark.parametrize("n", [4, 12, 60], ids=["few images", "between", "many images"])
def test_cka_is_that_of_the_kernels_for_any_shape(n: int) -> None:
    x, y = _features(n, 8), _features(n, 20, seed=1)
    y[:, :8] += x
    expected = _cka_by_kernels(x, y)
    assert 0.1 < expected < 0.99
    assert linear_cka(x, y) == pytest.approx(expected)
    assert linear_cka(y, x) == pytest.approx(expected)


@pytest.mark.parametrize("n", [5, 50])
def test_cka_does_not_see_rotation_scale_and_shift(n: int) -> None:
    x = _features(n, 6)
    y = 3 * x @ _rotation(6) + 7
    assert linear_cka(x, y) == pytest.approx(1)
    other = _features(n, 6, seed=1) + x
    assert linear_cka(other, y) == pytest.approx(linear_cka(other, x))


def test_cka_sees_a_stretched_direction() -> None:
    x = _features(50, 6)
    stretched = x * torch.tensor([9.0, 1, 1, 1, 1, 1])
    assert linear_cka(x, stretched) < 0.8


def test_cka_falls_as_noise_grows() -> None:
    x, noise = _features(50, 6), _features(50, 6, seed=1)
    values = [linear_cka(x, x + s * noise) for s in (0, 0.5, 1, 4)]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(1)


@pytest.mark.parametrize("point", [0.0, 0.1, -300.7])
def test_cka_of_a_point_is_not_defined(point: float) -> None:
    x = _features(20, 6).float()
    assert math.isnan(linear_cka(x, torch.full((20, 3), point)))


def test_rounding_of_a_collapsed_network_is_no_similarity() -> None:
    x = _features(20, 6).float()
    noise = torch.finfo(torch.float32).eps * x.sign()
    assert math.isnan(linear_cka(x, 1 + noise))
    assert effective_rank(1 + noise) == 0


def test_alignment_by_hand() -> None:
    # On the sphere: equal; opposite, distance 2; orthogonal, distance sqrt(2).
    x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
    y = torch.tensor([[5.0, 0.0], [0.0, -1.0], [0.0, 0.1]])
    assert alignment(x, y) == pytest.approx((0 + 4 + 2) / 3)


def test_uniformity_by_hand() -> None:
    # Squared distances on the sphere: 2, 4 and 2.
    x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    expected = math.log((math.exp(-4) + math.exp(-8) + math.exp(-4)) / 3)
    assert uniformity(x) == pytest.approx(expected)
    assert uniformity(x[:2], t=1.5) == pytest.approx(-3)


@pytest.mark.parametrize("chunk", [1, 7, 29, 30, 1000])
def test_uniformity_is_that_of_all_pairs_whatever_the_chunk(chunk: int) -> None:
    x = _features(30, 5)
    rows = x / x.norm(dim=1, keepdim=True)
    pairs = [
        math.exp(-2 * (rows[i] - rows[j]).square().sum())
        for i in range(30)
        for j in range(i + 1, 30)
    ]
    expected = math.log(sum(pairs) / len(pairs))
    assert uniformity(x, chunk=chunk) == pytest.approx(expected)


def test_uniformity_of_sharp_kernels_does_not_underflow() -> None:
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert uniformity(x, t=1000) == pytest.approx(-4000)


def test_length_does_not_count_on_the_sphere() -> None:
    x, y = _features(20, 5), _features(20, 5, seed=1)
    lengths = torch.linspace(0.1, 9, 20, dtype=torch.float64)[:, None]
    assert alignment(x * lengths, y) == pytest.approx(alignment(x, y))
    assert uniformity(x * lengths) == pytest.approx(uniformity(x))


def test_what_covers_the_sphere_is_more_uniform_than_what_keeps_to_one_side() -> None:
    x = _features(200, 5)
    assert uniformity(x) < uniformity(x.abs()) < uniformity(x.abs() + 5) < 0


@pytest.mark.parametrize("dim", [1, 4, 9])
def test_effective_rank_of_even_directions_is_their_number(dim: int) -> None:
    axes = torch.eye(dim, dtype=torch.float64)
    x = torch.cat([axes, -axes]) @ _rotation(dim)
    assert effective_rank(5 * x + 100) == pytest.approx(dim)


def test_effective_rank_by_hand() -> None:
    # Orthogonal centred columns of lengths 6 and 2: shares 3/4 and 1/4.
    x = torch.tensor([[3.0, 1.0], [-3.0, 1.0], [3.0, -1.0], [-3.0, -1.0]])
    entropy = 0.75 * math.log(4 / 3) + 0.25 * math.log(4)
    assert effective_rank(x) == pytest.approx(math.exp(entropy))


def test_effective_rank_of_a_line_is_one() -> None:
    x = _features(30, 1) @ _features(1, 8, seed=1) + 3
    assert effective_rank(x) == pytest.approx(1)
    assert effective_rank(x.float()) == pytest.approx(1, abs=1e-4)


def test_effective_rank_is_at_most_the_rank_and_does_not_see_the_mean() -> None:
    x = _features(4, 10)
    assert 1 < effective_rank(x) <= 3
    assert effective_rank(x + 50) == pytest.approx(effective_rank(x))


@pytest.mark.parametrize("point", [0.0, 0.1, -300.7])
def test_a_collapse_to_a_point_is_the_extreme_of_each(point: float) -> None:
    x = torch.full((30, 8), point)
    assert effective_rank(x) == 0
    assert uniformity(x) == pytest.approx(0, abs=1e-12)
    assert alignment(x, x) == 0


def test_all_is_computed_in_double_precision() -> None:
    x, y = _features(40, 6).float(), _features(40, 6, seed=1).float()
    assert linear_cka(x, y) == linear_cka(x.double(), y.double())
    assert alignment(x, y) == alignment(x.double(), y.double())
    assert uniformity(x) == uniformity(x.double())
    assert effective_rank(x) == effective_rank(x.double())


@pytest.mark.parametrize(
    "x",
    [
        pytest.param(torch.rand(4), id="one dimension"),
        pytest.param(torch.rand(4, 2, 3), id="views"),
        pytest.param(torch.rand(0, 3), id="empty"),
        pytest.param(torch.ones(4, 3, dtype=torch.long), id="integers"),
    ],
)
def test_what_are_no_features_is_refused(x: Tensor) -> None:
    for measure in (uniformity, effective_rank):
        with pytest.raises(ValueError, match=r"floating-point tensor \(N, F\)"):
            measure(x)
    for compare in (linear_cka, alignment):
        with pytest.raises(ValueError, match=r"floating-point tensor \(N, F\)"):
            compare(torch.rand(4, 3), x)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_features_of_a_diverged_network_are_refused(value: float) -> None:
    x = torch.rand(4, 3)
    x[2, 1] = value
    for measure in (uniformity, effective_rank):
        with pytest.raises(ValueError, match="NaN or infinite"):
            measure(x)
    for compare in (linear_cka, alignment):
        with pytest.raises(ValueError, match="NaN or infinite"):
            compare(torch.rand(4, 3), x)


def test_features_of_different_images_are_refused() -> None:
    for compare in (linear_cka, alignment):
        with pytest.raises(ValueError, match="5 and 4 features cannot be compared"):
            compare(torch.rand(5, 3), torch.rand(4, 3))


def test_views_of_different_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="different sizes, 3 and 2"):
        alignment(torch.rand(5, 3), torch.rand(5, 2))


def test_uniformity_needs_pairs_and_a_kernel() -> None:
    with pytest.raises(ValueError, match="got 1 rows"):
        uniformity(torch.rand(1, 3))
    with pytest.raises(ValueError, match="t=0"):
        uniformity(torch.rand(4, 3), t=0)
