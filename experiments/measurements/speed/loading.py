"""Views of JPEG files made by processes, beside those by torchvision's decoder."""

import io
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images
from torch.utils.data import DataLoader, Dataset
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.transforms.functional import to_pil_image

from avalanche_pnr import make_eval_transform, make_ssl_transform
from avalanche_pnr.benchmarks import FileImages
from avalanche_pnr.transforms.reduction import Reduction
from experiments.measurements.speed.measure import Setting, ratio, seconds
from experiments.measurements.speed.small import MEAN, STD
from experiments.measurements.speed.table import Cell, Table


class Photographs(NamedTuple):
    """JPEG files, and the views that are made of them.

    Attributes:
        width: Width of a photograph in pixels.
        height: Height of a photograph in pixels.
        files: Photographs of an epoch.
        view: Height and width of a view, pixels.
    """

    width: int
    height: int
    files: int
    view: int


SETS = {
    "ImageNet, 500 x 375": Photographs(500, 375, 96, 224),
    "telephone, 4000 x 3000": Photographs(4000, 3000, 16, 224),
}
QUICK = Photographs(500, 375, 4, 64)
PACKAGE, ALL_PIXELS, TORCHVISION = "package", "all pixels", "torchvision"
BATCH = 8
GRAIN = 6
"""Standard deviation of the noise of a camera, of 255."""


class TorchvisionImages(Dataset[tuple[Image.Image, int]]):
    """Photographs by ``torchvision.io.decode_jpeg``, as PIL images for the views."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        content = read_file(self.paths[index])
        return to_pil_image(decode_jpeg(content, ImageReadMode.RGB)), 0


class Viewed(Dataset[Any]):
    """Two views of every image, and the seconds of processor that they took."""

    def __init__(self, images: Any, views: Callable[[Any], Any]) -> None:
        self.images, self.views = images, views

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, float]:
        start = time.process_time()
        views = self.views(self.images[index][0])
        return views, time.process_time() - start


class Reader:
    """Reads all images once, whenever it is called.

    Args:
        images: As they are read.
        views: Transform of an image.
        workers: Processes that do it.

    Attributes:
        processor: Seconds that these processes have read and made views in all.
        walls: Seconds that each call took.
    """

    def __init__(self, images: Any, views: Callable[[Any], Any], workers: int) -> None:
        self.loader = DataLoader(
            Viewed(images, views), BATCH, num_workers=workers, persistent_workers=True
        )
        self.processor = 0.0
        self.walls: list[float] = []

    def __call__(self) -> None:
        """Read them."""
        start = time.perf_counter()
        self.processor += sum(float(taken.sum()) for _, taken in self.loader)
        self.walls.append(time.perf_counter() - start)


def measure(setting: Setting) -> Table:
    """Epochs of views by each reader, in turn, with one and with two processes."""
    sets = {"small": QUICK} if setting.quick else SETS
    rows: list[Mapping[str, Cell]] = []
    for name, photographs in sets.items():
        with tempfile.TemporaryDirectory() as folder:
            paths = _write(Path(folder), photographs)
            rows += [
                {"files": name, "workers": workers, **each}
                for workers in (1, 2)
                for each in [_compare(paths, photographs.view, workers, setting)]
            ]
    return Table("Two PIL views a JPEG file; ratios of processor time", rows)


def _compare(
    paths: list[str], size: int, workers: int, setting: Setting
) -> dict[str, Cell]:
    views = make_ssl_transform(size, mean=MEAN, std=STD, min_scale=0.2)
    plain = make_eval_transform(mean=MEAN, std=STD, resize=size * 8 // 7, crop=size)
    files = FileImages(paths, [0] * len(paths))
    sources = {
        PACKAGE: files.reduced(Reduction.for_transforms(views, plain)),
        ALL_PIXELS: files,
        TORCHVISION: TorchvisionImages(paths),
    }
    readers = {name: Reader(each, views, workers) for name, each in sources.items()}
    taken = seconds(
        readers, setting, clock=lambda: sum(each.processor for each in readers.values())
    )
    return {
        "images/s": len(paths) / median(readers[PACKAGE].walls[1:]),
        "torchvision, images/s": len(paths) / median(readers[TORCHVISION].walls[1:]),
        "processor (ms/image)": 1000 * median(taken[PACKAGE]) / len(paths),
        "all pixels / package": ratio(taken[ALL_PIXELS], taken[PACKAGE]),
        "torchvision / package": ratio(taken[TORCHVISION], taken[PACKAGE]),
    }


def _write(folder: Path, photographs: Photographs) -> list[str]:
    """Two photographs enlarged to that size, with noise of a camera, as files."""
    rng = np.random.default_rng(0)
    contents = []
    for pixels in load_sample_images().images:
        image = Image.fromarray(pixels).resize(photographs[:2])
        noise = rng.normal(0, GRAIN, (photographs.height, photographs.width, 3))
        noisy = (np.asarray(image) + noise).clip(0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(noisy).save(file, "JPEG", quality=88)
        contents.append(file.getvalue())
    paths = [folder / f"{number}.jpg" for number in range(photographs.files)]
    for number, path in enumerate(paths):
        path.write_bytes(contents[number % len(contents)])
    return [str(path) for path in paths]
