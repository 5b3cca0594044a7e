"""``python -m experiments.measurements.learner``: memory and speed of a learner.

Peak memory of ``avalanche-pnr learn`` and ``embed`` by the number of images, each in a
process of its own; and images a second of ``embed``, beside a loop that reads the same
images and does nothing else with the features.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader

from avalanche_pnr import resnet18
from avalanche_pnr.learner.builders import make_plain_view
from avalanche_pnr.learner.embedding import (
    WRITERS,
    ViewedImages,
    feature_batches,
    write_features,
)
from avalanche_pnr.learner.images import find_images
from avalanche_pnr.learner.options import Settings

TEMPLATES = 100
"""Different images; the others equal one of them but for bytes behind its end."""
IN_FOLDER = 1000
FEW_STEPS = (
    *("backbone=resnet_small", "backbone.width=8", "method.hidden_dim=64"),
    *("method.projection_dim=64", "image_size=32", "epochs=1", "batch_size=256"),
    *("device=cpu", "sample=64", "base_lr=0.03"),
)
BATCH = 64
LAUNCHER = (
    "import resource, subprocess, sys\n"
    "status = subprocess.run(sys.argv[1:]).returncode\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    "sys.exit(status)"
)
"""Starts a command from a small process: a child's peak is at least its parent's."""


def write_photos(folder: Path, count: int, size: int) -> list[Path]:
    """Write JPEG files, a thousand in a folder.

    Args:
        folder: Where they lie.
        count: How many.
        size: Height and width, pixels.

    Returns:
        Their paths.
    """
    random = np.random.default_rng(0)
    files = []
    for _ in range(min(TEMPLATES, count)):
        coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
        image.save(buffer := io.BytesIO(), "JPEG")
        files.append(buffer.getvalue())
    paths = []
    for index in range(count):
        path = folder / str(index // IN_FOLDER) / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[index % len(files)] + index.to_bytes(8, "little"))
        paths.append(path)
    return paths


def peak_memory(*arguments: str) -> float:
    """Run ``avalanche-pnr`` and return the most memory that it took, MB.

    Raises:
        ChildProcessError: If it fails.
    """
    command = [sys.executable, "-m", "avalanche_pnr", *arguments]
    launched = [sys.executable, "-c", LAUNCHER, *command]
    ended = subprocess.run(launched, stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        raise ChildProcessError(f"{' '.join(command)} ended with {ended.returncode}")
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return int(ended.stdout.split()[-1]) / unit


def memory_by_number(folder: Path, counts: list[int]) -> Iterator[dict[str, Any]]:
    """Measure the peak memory of learning and of embedding some of the images."""
    paths = write_photos(folder / "photos", max(counts), 32)
    for count in counts:
        data = folder / f"{count}.txt"
        data.write_text("\n".join(map(str, paths[:count])))
        learner, out = f"learner={folder / str(count)}", f"out={folder / 'f.csv'}"
        yield {
            "images": count,
            "learn, MB": peak_memory("learn", f"data={data}", learner, *FEW_STEPS),
            "embed, MB": peak_memory("embed", f"data={data}", learner, out),
        }


def speed_of_embedding(
    folder: Path, size: int, count: int, rounds: int
) -> dict[str, Any]:
    """Measure images a second of ``embed``, as parts of those of a bare loop.

    Args:
        folder: A folder to write to.
        size: Height and width of an image, pixels.
        count: Number of images.
        rounds: Rounds in which everything is measured once; the median counts.
    """
    write_photos(folder / f"photos{size}", count, size)
    images = find_images(folder / f"photos{size}")
    view = make_plain_view(Settings(image_size=size), "photographs")
    backbone = resnet18(small_images=size <= 64).eval()

    def bare() -> None:
        with torch.no_grad():
            for batch in DataLoader(ViewedImages(images, view), BATCH):
                backbone(batch)

    def embed(ending: str) -> None:
        batches = feature_batches(
            backbone,
            images,
            view,
            batch_size=BATCH,
            workers=0,
            device=torch.device("cpu"),
        )
        write_features(folder / f"features{ending}", batches, 1)

    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name in ("bare", *WRITERS):
            begun = time.perf_counter()
            bare() if name == "bare" else embed(name)
            seconds.setdefault(name, []).append(time.perf_counter() - begun)
    median = {name: float(np.median(each)) for name, each in seconds.items()}
    ratios = {name: median["bare"] / median[name] for name in WRITERS}
    return {"pixels": size, "images a second": count / median["bare"], **ratios}


def in_words(row: dict[str, Any]) -> str:
    """Say what was measured, in one line."""
    if "pixels" not in row:
        return (
            f"{row['images']:,} images: learn takes {row['learn, MB']:,.0f} MB at its "
            f"peak, embed {row['embed, MB']:,.0f} MB"
        )
    parts = ", ".join(f"{row[ending]:.2f} of that to {ending}" for ending in WRITERS)
    return (
        f"{row['pixels']} px: a bare loop passes {row['images a second']:.4g} images a "
        f"second; embed {parts}"
    )


def main() -> None:
    """Measure, say what was measured, and write JSON if asked to."""
    parser = argparse.ArgumentParser(
        description=" ".join((__doc__ or "").split("\n\n")[1].split()),
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--images",
        type=int,
        nargs="+",
        default=[10_000, 100_000],
        help="numbers of images, each for its memory",
    )
    parser.add_argument(
        "--speed",
        type=int,
        nargs=2,
        default=[512, 64],
        help="images of 32 and of 224 px, for the speed",
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="rounds of speed; the median counts"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for size, count in zip((32, 224), chosen.speed, strict=True):
            rows.append(speed_of_embedding(folder, size, count, chosen.rounds))
            print(in_words(rows[-1]), flush=True)
        for row in memory_by_number(folder, chosen.images):
            rows.append(row)
            print(in_words(row), flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
