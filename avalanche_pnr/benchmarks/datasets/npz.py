"""Images in a ``.npz`` file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avalanche_pnr.benchmarks.reading.image_data import ImageData

REMEDY = "write it with numpy.savez(path, x=images, y=classes, split=split)"


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
    path = Path(path).expanduser()
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
            f"{', '.join(arrays) or 'nothing'}: {REMEDY}"
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


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds
        raise ValueError(
            f"{path} cannot be read, damaged or not plain arrays: {REMEDY}"
        ) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{path}: {name} in it is no array: {REMEDY}")
    return arrays
