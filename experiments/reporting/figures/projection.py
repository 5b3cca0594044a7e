"""Features that a run kept, and their two principal components."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """Some test images as a network sees them, in the random order of the file.

    Attributes:
        features: Shape (n, F).
        labels: Class of each, shape (n,).
        experience: Experience of each, shape (n,).
    """

    features: NDArray[np.float32]
    labels: Integers
    experience: Integers

    @classmethod
    def read(cls, path: Path) -> "Sample":
        """Read what a run kept."""
        with np.load(path) as arrays:
            return cls(arrays["features"], arrays["labels"], arrays["experience"])


def project(
    features: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First two principal components.

    Args:
        features: Shape (n, F).

    Returns:
        Points (n, 2), and the shares of the variance (2,), 0 for collapsed features.
    """
    # Features of one dimension have no second component of their own.
    padded = np.pad(features.astype(np.float64), ((0, 0), (0, 1)))
    if np.ptp(padded, axis=0).max() == 0:
        return np.zeros((len(padded), 2)), np.zeros(2)
    pca = PCA(n_components=2, svd_solver="full")
    return pca.fit_transform(padded), pca.explained_variance_ratio_
