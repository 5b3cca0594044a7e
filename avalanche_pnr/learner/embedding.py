"""Features of images as a table, written row by row."""

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import Compose
from tqdm import tqdm

from avalanche_pnr.evaluation.features import evaluation_mode
from avalanche_pnr.learner.images import Arrivals
from avalanche_pnr.learner.options import check_out
from avalanche_pnr.runs.files import replacing
from avalanche_pnr.transforms.reduction import Reduction

FeatureBatches = Iterator[tuple[list[str], NDArray[np.float32]]]
"""Names and features (n, F) of one batch after another, in the order of the images."""


ROW_GROUP = 4096
"""Rows that a parquet file holds together, column by column; they wait in memory."""


class Writer(Protocol):
    """Writes features to a file of one format."""

    def __call__(self, path: Path, batches: FeatureBatches, experience: int) -> None:
        """Write features of the backbone after an experience."""


class ViewedImages(Dataset[torch.Tensor]):
    """Images as a backbone sees them.

    Args:
        images: Images, N of them.
        view: Makes a tensor (C, H, W) of an image.
    """

    def __init__(self, images: Arrivals, view: Compose) -> None:
        reduction = Reduction.for_transforms(view)
        self.images, self.view = images.reduced(reduction), view

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        view: torch.Tensor = self.view(self.images[index][0])
        return view


@torch.no_grad()
def feature_batches(
    backbone: nn.Module,
    images: Arrivals,
    view: Compose,
    *,
    batch_size: int,
    workers: int,
    device: torch.device,
) -> FeatureBatches:
    """Yield features of images batch by batch; few are in memory at a time.

    Args:
        backbone: Maps images (N, C, H, W) to features (N, F).
        images: Images, N of them.
        view: Makes a tensor (C, H, W) of an image.
        batch_size: Images in a forward pass.
        workers: Processes that load images.
        device: Where the backbone is.
    """
    loader = DataLoader(
        ViewedImages(images, view),
        batch_size,
        num_workers=workers,
        shuffle=False,
    )
    begin = 0
    with (
        evaluation_mode(backbone),
        tqdm(
            total=len(images), unit="image", delay=1, leave=False, disable=None
        ) as bar,
    ):
        for batch in loader:
            features = backbone(batch.to(device, non_blocking=True)).float().cpu()
            names = list(images.names[begin : begin + len(batch)])
            begin += len(batch)
            yield names, features.numpy()
            bar.update(len(batch))


def write_features(path: Path, batches: FeatureBatches, experience: int) -> None:
    """Write features as ``.csv``, ``.npz`` or ``.parquet``, whole or not at all.

    Args:
        path: The file.
        batches: The features.
        experience: Number of the experience whose backbone they are of.

    Raises:
        FileNotFoundError: If its folder is not there.
        ImportError: If parquet is asked for without pyarrow.
        ValueError: If the file's ending is another.
    """
    check_format(path)
    WRITERS[path.suffix](path, batches, experience)


def check_format(path: Path) -> None:
    """Refuse a file that cannot be written, before images are read.

    Raises:
        FileNotFoundError: If its folder is not there.
        ImportError: If parquet is asked for without pyarrow.
        ValueError: If the file's ending is another.
    """
    check_out(path, WRITERS)
    if path.suffix == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise ImportError(
                f"out={path} needs pyarrow: pip install 'avalanche-pnr[parquet]'"
            ) from error


def _write_csv(path: Path, batches: FeatureBatches, experience: int) -> None:
    with replacing(path) as binary:
        text = io.TextIOWrapper(binary, "utf-8", newline="", write_through=True)
        table = csv.writer(text, lineterminator="")
        for k, (names, features) in enumerate(batches):
            width = features.shape[1]
            if k == 0:
                columns = [f"feature_{j}" for j in range(width)]
                text.write(",".join(["path", "experience", *columns]) + "\n")
            # A row at once: number by number takes longer than many a network.
            numbers = ",%.9g" * width + "\n"
            for name, row in zip(names, features.tolist(), strict=True):
                table.writerow([name, experience])
                text.write(numbers % tuple(row))
        text.flush()
        text.detach()


def _write_npz(path: Path, batches: FeatureBatches, experience: int) -> None:
    """Features go to the disk as they come; an array's header says how many."""
    all_names: list[str] = []
    with replacing(path) as binary:
        spool = path.with_name(f".{path.name}.features")
        try:
            with spool.open("wb") as file:
                width = 0
                for names, features in batches:
                    file.write(np.ascontiguousarray(features).tobytes())
                    width = features.shape[1]
                    all_names += names
            shape = len(all_names), width
            with zipfile.ZipFile(binary, "w", zipfile.ZIP_STORED) as archive:
                with archive.open("features.npy", "w", force_zip64=True) as entry:
                    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(entry, header)
                    with spool.open("rb") as file:
                        while chunk := file.read(1 << 20):
                            entry.write(chunk)
                for name, array in {
                    "paths": np.array(all_names),
                    "experience": np.array(experience),
                }.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                        np.lib.format.write_array(entry, array)
        finally:
            spool.unlink(missing_ok=True)


def _write_parquet(path: Path, batches: FeatureBatches, experience: int) -> None:
    import pyarrow
    import pyarrow.parquet

    with replacing(path) as binary, ExitStack() as opened:
        writer = None
        for names, columns in _row_groups(batches):
            table = pyarrow.table(
                {
                    "path": names,
                    "experience": [experience] * len(names),
                    **{f"feature_{j}": column for j, column in enumerate(columns)},
                }
            )
            writer = writer or opened.enter_context(
                # What random numbers do not gain by takes time.
                pyarrow.parquet.ParquetWriter(
                    binary,
                    table.schema,
                    use_dictionary=["experience"],
                    compression="none",
                    write_statistics=False,
                )
            )
            writer.write_table(table)


def _row_groups(
    batches: FeatureBatches,
) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """Gather batches until they are worth a group of rows, as columns (F, n)."""
    names: list[str] = []
    columns = np.empty((0, 0), np.float32)
    for batch_names, features in batches:
        more, width = features.shape
        if names and len(names) + more > columns.shape[1]:
            yield names, columns[:, : len(names)]
            names = []
        if not names:  # anew, since those that were written may still be in use
            columns = np.empty((width, max(ROW_GROUP, more)), np.float32)
        columns[:, len(names) : len(names) + more] = features.T
        names += batch_names
    if names:
        yield names, columns[:, : len(names)]


WRITERS: Mapping[str, Writer] = {
    ".csv": _write_csv,
    ".npz": _write_npz,
    ".parquet": _write_parquet,
}
