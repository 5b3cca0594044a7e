import warnings
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import cross_entropy

from avalanche_pnr import ConvexProbe
from avalanche_pnr.evaluation.probes.base import LinearReadout
from tests.evaluation.probes.conftest import TEST, TRAIN


@pytest.mark.parametrize("l2", [1e-1, 1e-3])
def test_convex_probe_is_scikit_learns_logistic_regression(l2: float) -> None:
    x, y = TRAIN
    scaler = StandardScaler().fit(x.numpy())
    reference = LogisticRegression(C=1 / (l2 * len(x)), tol=1e-10, max_iter=10_000)
    reference.fit(scaler.transform(x.numpy()), y.numpy())

    readout = ConvexProbe(l2=l2).fit(x, y)
    queries = scaler.transform(TEST[0].numpy())
    scores = readout(TEST[0])
    assert np.array_equal(scores.argmax(1).numpy(), reference.predict(queries))
    np.testing.assert_allclose(
        scores.softmax(dim=1).numpy(), reference.predict_proba(queries), atol=1e-5
    )
    np.testing.assert_allclose(readout.weight.numpy(), reference.coef_, atol=1e-4)


def _gradient_ratio(readout: LinearReadout, l2: float, rows: slice) -> float:
    """Norm of the gradient at the solution over that at W = 0, by autograd."""
    x, solution = (TRAIN[0][rows] - readout.mean) * readout.scale, readout.weight
    solution = torch.cat([solution, readout.bias[:, None]], dim=1)
    norms = []
    for at in (solution, torch.zeros_like(solution)):
        head = at.clone().requires_grad_()
        loss = cross_entropy(x @ head[:, :-1].T + head[:, -1], TRAIN[1][rows])
        loss = loss + l2 / 2 * (head[:, :-1] ** 2).sum()
        norms.append(torch.autograd.grad(loss, head)[0].norm().item())
    return norms[0] / norms[1]


@pytest.mark.parametrize("l2", [1.0, 1e-3, 1e-5])
def test_the_gradient_ends_below_a_millionth_of_the_start(l2: float) -> None:
    readout = ConvexProbe(l2=l2).fit(*TRAIN)
    ratio = _gradient_ratio(readout, l2, slice(90))
    assert ratio < 1e-6
    assert readout.details == {"GradientRatio": pytest.approx(ratio, rel=1e-3)}


def test_too_few_iterations_are_said_and_told() -> None:
    separable = slice(6)
    probe = ConvexProbe(l2=1e-8, max_iterations=20)
    with pytest.warns(RuntimeWarning, match=r"above 1e-06: raise max_iterations or l2"):
        readout = probe.fit(TRAIN[0][separable], TRAIN[1][separable])
    ratio = _gradient_ratio(readout, 1e-8, separable)
    assert readout.details["GradientRatio"] == pytest.approx(ratio, rel=1e-3)
    assert ratio > 1e-6


def test_reaching_the_optimum_with_the_last_iteration_is_in_order() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        readout = ConvexProbe(l2=1.0, max_iterations=20).fit(*TRAIN)
    assert readout.details["GradientRatio"] < 1e-6


def test_convex_probe_reaches_the_same_optimum_in_single_precision() -> None:
    x, y = TRAIN
    double = ConvexProbe().fit(x, y)(TEST[0]).softmax(dim=1)
    single = ConvexProbe().fit(x.float(), y)(TEST[0].float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(
        single.softmax(dim=1).double(), double, atol=1e-4, rtol=0
    )


def test_convex_probe_does_not_care_for_scale_and_offset() -> None:
    x, y = TRAIN
    scale, offset = torch.tensor([2.0, 1e3, 1e-2, 5.0, 1.0]), 7.0
    plain = ConvexProbe().fit(x, y)(TEST[0])
    moved = ConvexProbe().fit(x * scale + offset, y)(TEST[0] * scale + offset)
    torch.testing.assert_close(moved.softmax(1), plain.softmax(1), atol=1e-5, rtol=0)


def test_convex_probe_leaves_out_a_feature_that_is_always_zero() -> None:
    x, y = TRAIN
    expected = ConvexProbe().fit(x, y)(TEST[0])
    readout = ConvexProbe().fit(torch.cat([x, torch.zeros(90, 1)], dim=1), y)
    actual = readout(torch.cat([TEST[0], torch.ones(60, 1)], dim=1))
    torch.testing.assert_close(actual.softmax(1), expected.softmax(1))


def test_convex_probe_with_one_class_predicts_it() -> None:
    readout = ConvexProbe().fit(TRAIN[0], torch.zeros(90, dtype=torch.long))
    assert readout(TEST[0]).argmax(dim=1).unique().tolist() == [0]
    assert readout.details == {"GradientRatio": 0.0}


def test_convex_probe_states_its_l2_weight() -> None:
    expected = "convex (logistic regression, L2 weight 0.02, L-BFGS)"
    assert str(ConvexProbe(l2=0.02)) == expected


@pytest.mark.parametrize("options", [{"l2": 0.0}, {"l2": -1}, {"max_iterations": 0}])
def test_convex_options_are_checked(options: dict[str, Any]) -> None:
    name, value = next(iter(options.items()))
    with pytest.raises(ValueError, match=f"ConvexProbe needs {name} >.*got {value}"):
        ConvexProbe(**options)


def test_a_collapsed_representation_is_at_its_optimum_from_the_start() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        readout = ConvexProbe().fit(torch.ones(90, 5), torch.arange(90) % 3)
    assert readout.details == {"GradientRatio": 0.0}
    assert readout(torch.rand(4, 5)).abs().max() < 1e-9
