"""Streams of experiences, and the images behind them."""

from avalanche_pnr.benchmarks.class_incremental import class_incremental
from avalanche_pnr.benchmarks.image_data import ArrayImages, ImageData
from avalanche_pnr.benchmarks.sources import (
    load_cifar10,
    load_cifar100,
    load_digits,
    load_npz,
)

__all__ = [
    "ArrayImages",
    "ImageData",
    "class_incremental",
    "load_cifar10",
    "load_cifar100",
    "load_digits",
    "load_npz",
]
