"""Where images come from: scikit-learn, ``.npz`` files, torchvision."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits as load_sklearn_digits
from sklearn.model_selection import train_test_split
from torchvision.datasets import CIFAR10, CIFAR100
from torchvision.datasets.utils import check_integrity

from avalanche_pnr.benchmarks.image_data import ImageData

NPZ_REMEDY = "write it with numpy.savez(path, x=images, y=classes, split=split)"


def load_digits(test_fraction: float = 0.25, seed: int = 0) -> ImageData:
    """The 1797 handwritten 8x8 digits that scikit-learn ships, as RGB.

    Args:
        test_fraction: Part of each class that is held out.
        seed: Of the split.
    """
    images, y = load_sklearn_digits(return_X_y=True)
    grey = np.rint(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    x = np.repeat(grey[..., None], 3, axis=3)
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=test_fraction, random_state=seed, stratify=y
    )
    return ImageData.from_arrays("digits", (x_train, y_train), (x_test, y_test))


def load_npz(path: str | Path) -> ImageData:
    """Images from a ``.npz`` file with arrays ``x``, ``y`` and ``split``.

    Args:
        path: The file. ``x`` is uint8 (N, H, W, 3), ``y`` holds the classes 0..C-1,
            ``split`` 0 for training and 1 for test images. If there, ``domain`` holds
            the domains 0..D-1, ``fine_names`` or ``class_names`` name the classes and
            ``domain_names`` the domains.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or its arrays do not fit.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist: data.path must name a .npz file with arrays "
            "x, y and split"
        )
    arrays = _read_arrays(path)
    missing = [name for name in ("x", "y", "split") if name not in arrays]
    if missing:
        raise ValueError(
            f"{path} lacks the arrays {', '.join(missing)}; it holds "
            f"{', '.join(arrays) or 'nothing'}: {NPZ_REMEDY}"
        )
    split = arrays["split"]
    per_image = {n: arrays[n] for n in ("x", "y", "domain") if n in arrays}
    if any(array.shape[:1] != split.shape for array in per_image.values()):
        shapes = ", ".join(str(array.shape) for array in per_image.values())
        raise ValueError(
            f"{path}: {', '.join(per_image)} and split must be equally long, got "
            f"shapes {shapes} and {split.shape}"
        )
    if not np.isin(split, (0, 1)).all():
        raise ValueError(f"{path}: split must hold 0 (training) and 1 (test) only")
    return ImageData.from_arrays(
        str(path),
        [array[split == 0] for array in per_image.values()],
        [array[split == 1] for array in per_image.values()],
        arrays.get("fine_names", arrays.get("class_names")),
        arrays.get("domain_names"),
    )


def load_cifar10(path: str | Path, download: bool = False) -> ImageData:
    """CIFAR-10 through torchvision: 50,000 + 10,000 images of 32 px.

    Args:
        path: Folder that holds ``cifar-10-batches-py`` or the archive.
        download: Whether to fetch the archive if it is not there.

    Raises:
        FileNotFoundError: If the data is not there and cannot be downloaded.
    """
    return _torchvision(CIFAR10, path, download)


def load_cifar100(path: str | Path, download: bool = False) -> ImageData:
    """CIFAR-100 through torchvision: 50,000 + 10,000 images of 32 px.

    Args:
        path: Folder that holds ``cifar-100-python`` or the archive.
        download: Whether to fetch the archive if it is not there.

    Raises:
        FileNotFoundError: If the data is not there and cannot be downloaded.
    """
    return _torchvision(CIFAR100, path, download)


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds
        raise ValueError(
            f"{path} cannot be read, damaged or not plain arrays: {NPZ_REMEDY}"
        ) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{path}: {name} in it is no array: {NPZ_REMEDY}")
    return arrays


def _torchvision(source: type[CIFAR10], path: str | Path, download: bool) -> ImageData:
    # With an intact archive "downloading" is unpacking it.
    archive = str(Path(path) / source.filename)
    download = download or check_integrity(archive, source.tgz_md5)
    try:
        train = source(path, train=True, download=download)
        test = source(path, train=False, download=download)
    except (RuntimeError, OSError) as error:
        remedy = "" if download else ", or set download=True (data.download=true)"
        raise FileNotFoundError(
            f"{source.__name__} is not usable in {path} ({error}): put "
            f"{source.filename} from {source.url} there{remedy}"
        ) from error
    return ImageData.from_arrays(
        f"{source.__name__} in {path}",
        (train.data, np.asarray(train.targets)),
        (test.data, np.asarray(test.targets)),
        train.classes,
    )
