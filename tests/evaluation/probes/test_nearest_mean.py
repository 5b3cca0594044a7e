import numpy as np
import torch

from avalanche_pnr import NearestMeanProbe
from tests.evaluation.probes.conftest import TEST, TRAIN


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x)


def test_nearest_mean_probe_is_the_loop_over_classes() -> None:
    x, y = TRAIN[0].numpy(), TRAIN[1].numpy()
    expected = np.zeros((60, 3))
    for label in range(3):
        units = [_unit(each) for each, its in zip(x, y, strict=True) if its == label]
        mean = _unit(np.sum(units, axis=0) / len(units))
        for row, query in enumerate(TEST[0].numpy()):
            expected[row, label] = _unit(query) @ mean
    scores = NearestMeanProbe().fit(*TRAIN)(TEST[0])
    np.testing.assert_allclose(scores.numpy(), expected, atol=1e-12)


def test_a_class_without_images_is_never_predicted() -> None:
    labels = 2 * TRAIN[1]  # none of class 1 and 3
    # The cosine with a mean of zeros would be 0: more than that of opposite queries.
    readout = NearestMeanProbe().fit(TRAIN[0].abs(), labels)
    scores = readout(-TEST[0].abs())
    assert scores.shape == (60, 5)
    assert (scores[:, [1, 3]] == -torch.inf).all()
    assert scores[:, [0, 2, 4]].isfinite().all()
    assert set(scores.argmax(dim=1).tolist()) <= {0, 2, 4}


def test_every_image_counts_alike_whatever_its_length() -> None:
    lengths = torch.linspace(0.1, 10, 90)[:, None]
    expected = NearestMeanProbe().fit(*TRAIN)(TEST[0])
    scores = NearestMeanProbe().fit(TRAIN[0] * lengths, TRAIN[1])(TEST[0])
    torch.testing.assert_close(scores, expected)


def test_nearest_mean_probe_says_what_it_is() -> None:
    assert str(NearestMeanProbe()) == "ncm (nearest class mean, cosine)"
