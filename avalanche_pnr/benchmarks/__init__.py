"""Streams of experiences, and the images behind them."""

from avalanche_pnr.benchmarks.array_images import ArrayImages
from avalanche_pnr.benchmarks.class_incremental import class_incremental
from avalanche_pnr.benchmarks.data_incremental import data_incremental
from avalanche_pnr.benchmarks.domain_incremental import domain_incremental
from avalanche_pnr.benchmarks.file_images import FileImages
from avalanche_pnr.benchmarks.folders import load_domainnet, load_imagenet100
from avalanche_pnr.benchmarks.image_data import ImageData, Images
from avalanche_pnr.benchmarks.sources import (
    load_cifar10,
    load_cifar100,
    load_digits,
    load_npz,
)

__all__ = [
    "ArrayImages",
    "FileImages",
    "ImageData",
    "Images",
    "class_incremental",
    "data_incremental",
    "domain_incremental",
    "load_cifar10",
    "load_cifar100",
    "load_digits",
    "load_domainnet",
    "load_imagenet100",
    "load_npz",
]
