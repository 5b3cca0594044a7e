"""scikit-learn's handwritten digits."""

import numpy as np

from avalanche_pnr.benchmarks.reading.image_data import ImageData


def load_digits(test_fraction: float = 0.25, seed: int = 0) -> ImageData:
    """Load the 1797 handwritten 8x8 digits that scikit-learn ships, as RGB.

    Args:
        test_fraction: Fraction of each class that is held out.
        seed: Seed of the split.
    """
    from sklearn.datasets import load_digits as load_sklearn_digits
    from sklearn.model_selection import train_test_split

    images, y = load_sklearn_digits(return_X_y=True)
    grey = np.rint(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    x = np.repeat(grey[..., None], 3, axis=3)
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=test_fraction, random_state=seed, stratify=y
    )
    return ImageData.from_arrays("digits", (x_train, y_train), (x_test, y_test))
