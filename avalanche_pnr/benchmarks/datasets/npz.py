"""Images in a ``.npz`` file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.runs.array_files import array_names, read_arrays

REMEDY = "write it with numpy.savez(path, x=images, y=classes, split=split)"
NAMES = ("x", "y", "split", "domain", "fine_names", "class_names", "domain_names")
"""Arrays that are read."""


def load_npz(path: str | Path) -> ImageData:
    """Load images from a ``.npz`` file with arrays ``x``, ``y`` and ``split``.

    Args:
        path: The file. ``x`` is uint8 (N, H, W, 3), ``y`` holds the classes 0..C-1,
            ``split`` 0 for training and 1 for test images. If there, ``domain`` holds
            the domains 0..D-1, ``fine_names`` or ``class_names`` name the classes and
            ``domain_names`` the domains.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, or its arrays do not fit together or into
            memory. Other arrays in it are not read.
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
            f"{', '.join(array_names(path)) or 'nothing'}: {REMEDY}"
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
        return read_arrays(path, NAMES)
    except ValueError as error:
        raise ValueError(
            f"{path} cannot be read, damaged or not plain arrays ({error}): {REMEDY}"
        ) from error
