"""Damaged files: an error that names the file, or the data as it was."""

import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from avalanche_pnr import ImageData, load_folders, load_npz
from avalanche_pnr.benchmarks.reading.image_lists import read_image_lists

Damage = Callable[[bytes], bytes]

positions = st.floats(0, 1, exclude_max=True)
"""Where in a file, as a part of its length."""


def damaged(content: bytes, where: float, flip: int, cut: bool) -> bytes:
    """The file with one byte changed or without its end."""
    position = int(where * len(content))
    if cut:
        return content[:position]
    changed = bytearray(content)
    changed[position] ^= flip
    return bytes(changed)


damages = st.builds(
    lambda where, flip, cut: lambda content: damaged(content, where, flip, cut),
    where=positions,
    flip=st.integers(1, 255),
    cut=st.booleans(),
)


def checksum(data: ImageData) -> tuple[int, ...]:
    """Of every pixel and label, in order."""
    return tuple(
        zlib.crc32(np.asarray(image).tobytes() + str(label).encode())
        for images in (data.train, data.test)
        for image, label in (images[index] for index in range(len(images)))
    )


@pytest.fixture(scope="module")
def npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("npz") / "images.npz"
    x = np.random.default_rng(0).integers(0, 256, (12, 5, 4, 3), dtype=np.uint8)
    np.savez_compressed(path, x=x, y=np.arange(12) % 3, split=np.arange(12) // 9)
    return path


@given(damage=damages)
def test_a_damaged_npz_is_refused_by_name_or_unharmed(
    npz: Path, damage: Damage
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "broken.npz"
        path.write_bytes(damage(npz.read_bytes()))
        try:
            data = load_npz(path)
        except ValueError as error:
            assert "broken.npz" in str(error)
        else:
            assert checksum(data) == checksum(load_npz(npz))


@given(content=st.binary(max_size=200))
def test_no_bytes_pass_for_an_npz(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "noise.npz"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"noise\.npz"):
            load_npz(path)


@given(damage=damages)
def test_a_damaged_image_is_refused_by_name_or_unharmed(damage: Damage) -> None:
    generator = np.random.default_rng(0)
    with TemporaryDirectory() as folder:
        for split in ("train", "test"):
            for name in ("ant", "bee"):
                place = Path(folder) / split / name
                place.mkdir(parents=True)
                pixels = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / "only.png")
        intact = checksum(load_folders(folder, check_duplicates=False))
        path = Path(folder) / "train" / "bee" / "only.png"
        path.write_bytes(damage(path.read_bytes()))
        data = load_folders(folder, check_duplicates=False)
        try:
            read = checksum(data)
        except OSError as error:
            assert str(path) in str(error)
        else:
            assert read == intact


@given(text=st.binary(max_size=60))
def test_a_damaged_list_is_refused_by_name_or_gives_paths_and_numbers(
    text: bytes,
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "list.txt"
        path.write_bytes(b"real/axe/1.jpg 0\n" + text)
        try:
            images = read_image_lists(Path(folder), {"real": path})
        except ValueError as error:
            assert "list.txt" in str(error)
        else:
            assert images.paths[0] == f"{folder}/real/axe/1.jpg"
            assert all(isinstance(target, int) for target in images.targets)
