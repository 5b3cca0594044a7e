"""Features that a run kept, and their two principal components."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from avalanche_pnr.runs.array_files import read_arrays

MOST_BYTES = 2**26
"""Largest size of all arrays in bytes: 1000 images with 16,000 features."""
LARGEST_FEATURE = 1e30
"""Largest value of a feature, whose square is still finite."""

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """Features of some test images, in the random order of the file.

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
        """Read the features that a run kept.

        Raises:
            ValueError: If the file is damaged or of another kind; the message names it.
        """
        names = [field.name for field in fields(cls)]
        try:
            arrays = read_arrays(path, names, MOST_BYTES)
            if missing := [name for name in names if name not in arrays]:
                raise ValueError(f"{', '.join(missing)} missing")
            sample = cls(**arrays)
            sample.check()
        except ValueError as error:
            raise ValueError(
                f"{path} does not hold what a run kept ({error}): remove it, to have a "
                "report without its picture"
            ) from error
        return sample

    def check(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            ValueError: If they do not, with the reason.
        """
        features, numbers = self.features, (self.labels, self.experience)
        if features.ndim != 2 or not features.size or features.dtype.kind != "f":
            raise ValueError(f"features are {features.dtype} of shape {features.shape}")
        if not (np.abs(features) <= LARGEST_FEATURE).all():  # NaN is not, either
            raise ValueError(f"features are not all finite and up to {LARGEST_FEATURE}")
        for each in numbers:
            if each.shape != features.shape[:1] or each.dtype.kind not in "iu":
                raise ValueError(
                    f"labels and experience are not {len(features)} whole numbers"
                )


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
