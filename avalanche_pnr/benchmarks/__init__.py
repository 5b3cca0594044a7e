"""Streams of experiences, and the images behind them."""

from avalanche_pnr.benchmarks.array_images import ArrayImages
from avalanche_pnr.benchmarks.class_incremental import class_incremental
from avalanche_pnr.benchmarks.data_incremental import data_incremental
from avalanche_pnr.benchmarks.dataset_images import DatasetImages
from avalanche_pnr.benchmarks.digits import load_digits
from avalanche_pnr.benchmarks.domain_incremental import domain_incremental
from avalanche_pnr.benchmarks.domainnet import load_domainnet
from avalanche_pnr.benchmarks.file_images import FileImages
from avalanche_pnr.benchmarks.folders import load_folders
from avalanche_pnr.benchmarks.image_data import ImageData
from avalanche_pnr.benchmarks.imagenet import load_imagenet
from avalanche_pnr.benchmarks.images import Images
from avalanche_pnr.benchmarks.multiview import with_multiview
from avalanche_pnr.benchmarks.npz import load_npz
from avalanche_pnr.benchmarks.pacs import load_pacs
from avalanche_pnr.benchmarks.tiny_imagenet import load_tiny_imagenet
from avalanche_pnr.benchmarks.torchvision_sets import load_torchvision
from avalanche_pnr.benchmarks.unlabelled import load_unlabelled
from avalanche_pnr.benchmarks.webdataset import load_webdataset

__all__ = [
    "ArrayImages",
    "DatasetImages",
    "FileImages",
    "ImageData",
    "Images",
    "class_incremental",
    "data_incremental",
    "domain_incremental",
    "load_digits",
    "load_domainnet",
    "load_folders",
    "load_imagenet",
    "load_npz",
    "load_pacs",
    "load_tiny_imagenet",
    "load_torchvision",
    "load_unlabelled",
    "load_webdataset",
    "with_multiview",
]
