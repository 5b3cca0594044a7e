"""Streams of experiences, and the images behind them.

Nothing here knows about methods or plugins.
"""

from avalanche_pnr.benchmarks.datasets.digits import load_digits
from avalanche_pnr.benchmarks.datasets.domainnet import load_domainnet
from avalanche_pnr.benchmarks.datasets.folders import load_folders
from avalanche_pnr.benchmarks.datasets.huggingface import load_huggingface
from avalanche_pnr.benchmarks.datasets.imagenet import load_imagenet
from avalanche_pnr.benchmarks.datasets.npz import load_npz
from avalanche_pnr.benchmarks.datasets.pacs import load_pacs
from avalanche_pnr.benchmarks.datasets.tiny_imagenet import load_tiny_imagenet
from avalanche_pnr.benchmarks.datasets.torchvision_sets import load_torchvision
from avalanche_pnr.benchmarks.datasets.unlabelled import load_unlabelled
from avalanche_pnr.benchmarks.datasets.webdataset import load_webdataset
from avalanche_pnr.benchmarks.reading.array_images import ArrayImages
from avalanche_pnr.benchmarks.reading.dataset_images import DatasetImages
from avalanche_pnr.benchmarks.reading.file_images import FileImages
from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.reading.images import Images
from avalanche_pnr.benchmarks.streams.class_incremental import class_incremental
from avalanche_pnr.benchmarks.streams.data_incremental import data_incremental
from avalanche_pnr.benchmarks.streams.domain_incremental import domain_incremental
from avalanche_pnr.benchmarks.streams.multiview import with_multiview

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
    "load_huggingface",
    "load_imagenet",
    "load_npz",
    "load_pacs",
    "load_tiny_imagenet",
    "load_torchvision",
    "load_unlabelled",
    "load_webdataset",
    "with_multiview",
]
