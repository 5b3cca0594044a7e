"""A run to be hit: its images, its folder, its command."""

import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.measurements.faults.fingerprint import outcome
from experiments.measurements.faults.process import Run

COMMAND = [
    "data=folders",
    "data.image_size=6",
    "stream.n_experiences=3",
    "method=mocov2plus",
    "method.queue_length=32",
    "method.hidden_dim=16",
    "method.projection_dim=8",
    "backbone=resnet_small_stride2",
    "backbone.width=16",
    "regularizers=[pnr]",
    "plugins.pnr=[{_target_: avalanche_pnr.PNRPlugin, predictor_hidden_dim: 16}, "
    "{_target_: avalanche.training.plugins.ReplayPlugin, mem_size: 12}]",
    "references=[random backbone]",
    "epochs=2",
    "batch_size=8",
    "schedule.warmup_epochs=0",
    "probe=convex",
    "probes.knn.k=5",
    "representation_images=8",
    "save_every_minutes=0",
]
"""Command of a tiny run with MoCoV2+, PNR and replay, saved after every epoch."""


class Site:
    """A folder with images of six classes, in which a run takes place.

    Args:
        folder: An empty folder.
        workers: Number of processes that load images.
    """

    def __init__(self, folder: Path, workers: int = 0) -> None:
        self.images = folder / "images"
        self.out = folder / "run"
        self.log = folder / "log.txt"
        self.end = folder / "end.txt"
        self.out.mkdir(parents=True)
        paths = [f"data.path={self.images}", f"out={self.out}"]
        self.command = [*COMMAND, f"workers={workers}", *paths]
        self._draw_images()

    def start(self) -> Run:
        """Start or continue the run: the command is the same."""
        return Run(self.command, self.log, self.end)

    def outcome(self) -> dict[str, str]:
        """Fingerprints of the results of the run."""
        return outcome(self.out, self.end)

    def mount(self, options: str = "size=16m") -> None:
        """Put the run's folder on a file system in memory, or change its options.

        Raises:
            CalledProcessError: If mounting is not allowed.
        """
        _system("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.out))

    def unmount(self) -> None:
        """Take the file system away, with the run on it."""
        _system("umount", str(self.out))

    def _draw_images(self) -> None:
        rng = np.random.default_rng(0)
        for split, number in (("train", 16), ("test", 4)):
            for label in range(6):
                folder = self.images / split / str(label)
                folder.mkdir(parents=True)
                for index in range(number):
                    pixels = rng.integers(0, 60, (6, 6, 3)) + 30 * label
                    image = Image.fromarray(pixels.astype(np.uint8))
                    image.save(folder / f"{index}.png")


def _system(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
