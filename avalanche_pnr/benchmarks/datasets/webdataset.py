"""Unlabelled images in the tar shards of webdataset."""

import os

from avalanche_pnr.benchmarks.datasets.unlabelled import beside_labelled, check_labelled
from avalanche_pnr.benchmarks.reading.folder_files import missing_files
from avalanche_pnr.benchmarks.reading.image_data import ImageData
from avalanche_pnr.benchmarks.reading.shard_images import ShardImages
from avalanche_pnr.benchmarks.reading.shard_index import (
    check_places,
    index_shards,
    webdataset,
)
from avalanche_pnr.benchmarks.reading.text_lists import listed
from avalanche_pnr.distributed.collectives import broadcast_from_rank0

SUFFIXES = "jpg;jpeg;png;webp;avif;bmp;gif;heic;jfif;jp2;jpe;pgm;ppm;tif;tiff"
"""Extensions of images in shards."""
MAX_BYTES = 2**28
"""Largest size of an image in a shard, in bytes."""


def load_webdataset(
    path: str,
    labelled: ImageData | None = None,
    *,
    image: str = SUFFIXES,
    index: str | None = None,
    skip_damaged: bool = False,
    check_duplicates: bool = False,
    max_pixels: int | None = None,
    max_bytes: int = MAX_BYTES,
) -> ImageData:
    """Load images in tar shards for training; other images are for the probe.

    The headers of all shards are read first, by one process, to know where each image
    lies. Then images are read by index, like those of any other data set: in any order,
    by any process. They are in the order of the shards. Nothing else in the shards is
    read or decoded. On several processes all call this.

    Args:
        path: Shards as webdataset writes them, uncompressed, with braces for their
            numbers: ``"train-{0000..0099}.tar"``. Several, separated by ``::``, are
            read one after the other.
        labelled: As for :func:`load_unlabelled`.
        image: Extensions of images, of which the first that a sample has counts.
        index: ``.npz`` file that keeps where images lie, for the next time; it is made
            if it is not there.
        skip_damaged: Whether to read every image once and leave the damaged ones out,
            named by ``skipped``; otherwise such an image is an error when it is read.
        check_duplicates: As for :func:`load_unlabelled`.
        max_pixels: As for :func:`load_folders`.
        max_bytes: Bytes that an image may have in its shard, so that none fills the
            memory; 256 MiB by default.

    Raises:
        FileNotFoundError: If shards are missing, or the folder of the index.
        ImportError: If webdataset is not installed.
        TypeError: If ``labelled`` is something else.
        ValueError: If a shard is damaged, compressed or empty, one of its samples has
            no image or one of more than ``max_bytes``, or the index is of other shards.
    """
    check_labelled(labelled)
    shards: list[str] = webdataset().shardlists.expand_urls(os.path.expanduser(path))
    if missing := missing_files(shards):
        raise FileNotFoundError(
            f"{path}: {len(missing)} of {len(shards)} shards are missing: "
            f"{listed(missing, 3)}; data.path must name files that are there, as in "
            "train-{0000..0099}.tar"
        )
    index = None if index is None else os.path.expanduser(index)
    places = broadcast_from_rank0(lambda: index_shards(shards, image, index))
    check_places(shards, places, max_bytes)
    return beside_labelled(
        path,
        ShardImages(shards, places, max_pixels),
        labelled,
        skip_damaged=skip_damaged,
        check_duplicates=check_duplicates,
    )
