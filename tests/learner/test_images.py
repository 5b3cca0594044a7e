"""Whatever users have their images in, read as everywhere in the package."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from avalanche_pnr import load_digits
from avalanche_pnr.benchmarks.reading.file_images import (
    TooLargeImageError,
    UnreadableImageError,
)
from avalanche_pnr.learner.images import find_images
from tests.benchmarks.pictures import save, truncate


def greys(data: Any, **options: Any) -> list[int]:
    """The grey value of each image."""
    images = find_images(data, **options)
    return [int(np.asarray(images[k][0])[0, 0, 0]) for k in range(len(images))]


def test_shards_name_their_members(tmp_path: Path) -> None:
    for k in range(2):
        with tarfile.open(tmp_path / f"part {k}.tar", "w") as tar:
            for grey in (10 * k, 10 * k + 1):
                path = save(tmp_path / f"{grey}.png", grey)
                tar.add(path, f"birds/{grey}.png")
    images = find_images(tmp_path / "part {0..1}.tar")
    assert greys(tmp_path / "part {0..1}.tar") == [0, 1, 10, 11]
    assert images.names[2] == f"{tmp_path}/part 1.tar/birds/10.png"
    assert images.subset([2]).names == [images.names[2]]


def test_home_and_spaces_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "my photos" / "a b" / "1.png", 1)
    save(tmp_path / "my photos" / "2.png", 2)
    (tmp_path / "list.txt").write_text("~/my photos/2.png\nmy photos/a b/1.png\n")
    assert greys("~/my photos") == [2, 1]
    assert greys("~/list.txt") == [2, 1]


def test_the_same_bytes_are_the_same_image_wherever_they_lie(tmp_path: Path) -> None:
    paths = [save(tmp_path / "folder" / f"{grey}.png", grey) for grey in (1, 2)]
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for path in paths:
            tar.add(path, path.name)
    (tmp_path / "list.txt").write_text("\n".join(f"folder/{p.name}" for p in paths))
    known = [
        find_images(tmp_path / name).digests.tolist()
        for name in ("folder", "a.tar", "list.txt")
    ]
    assert known[0] == known[1] == known[2]


class Samples(torch.utils.data.Dataset[Any]):
    """A data set of one sample after another."""

    def __init__(self, samples: Sequence[Any] = ()) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]


def pixels(grey: int) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    return np.full((6, 6, 3), grey, np.uint8)


@pytest.mark.parametrize(
    "sample",
    [
        pixels(51),
        Image.fromarray(pixels(51)),
        (Image.fromarray(pixels(51)), 3),
        {"label": 3, "image": Image.fromarray(pixels(51)).convert("L")},
        (torch.full((3, 6, 6), 0.2), 3),
        torch.full((3, 6, 6), 51, dtype=torch.uint8),
        torch.full((1, 6, 6), 0.2, dtype=torch.float16),
        torch.cat([torch.full((3, 6, 6), 0.2), torch.ones(1, 6, 6)]),
        pixels(51)[..., 0],
        np.stack([pixels(51)[..., 0], pixels(255)[..., 0]], axis=2),
        np.full((6, 6, 3), 0.2),
    ],
)
def test_a_data_set_of_any_kind_of_images(sample: Any) -> None:
    assert greys(Samples([sample, sample])) == [51, 51]


@pytest.mark.parametrize(
    "sample", [3, torch.full((3, 6, 6), -0.2), pixels(1)[0, 0], torch.zeros(5, 6, 6)]
)
def test_what_is_no_image_is_named(sample: Any) -> None:
    with pytest.raises(ValueError, match=r"sample 0 of Samples holds no image but "):
        find_images(Samples([sample]))[0]


def test_a_data_set_by_its_dotted_name() -> None:
    found = find_images({"_target_": "avalanche_pnr.load_digits"})
    assert len(found) == len(load_digits().train)
    assert found.source == "avalanche_pnr.load_digits"
    with pytest.raises(ValueError, match=r"data\._target_=no\.such cannot be imported"):
        find_images({"_target_": "no.such"})
    with pytest.raises(FileNotFoundError, match="holds no image"):
        find_images({"_target_": f"{__name__}.Samples"})


def test_damaged_huge_and_turned_images_are_read_as_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "1.png", 1)
    truncate(save(tmp_path / "2.png", 2))
    images = find_images(tmp_path)
    with pytest.raises(UnreadableImageError, match=r"2\.png cannot be read"):
        images[1]
    left = find_images(tmp_path, skip_damaged=True)
    assert [Path(each).name for each in left.names] == ["1.png"]
    assert [Path(each).name for each in left.damaged] == ["2.png"]
    (tmp_path / "1.png").unlink()
    with pytest.raises(FileNotFoundError, match="no image that can be read"):
        find_images(tmp_path, skip_damaged=True)

    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    (tmp_path / "2.png").unlink()
    save(tmp_path / "huge.png", 3)
    with pytest.raises(TooLargeImageError, match="allow it with max_pixels=36"):
        greys(tmp_path)
    assert greys(tmp_path, max_pixels=36) == [3]

    turned, exif = Image.new("RGB", (4, 6)), Image.Exif()
    exif[0x0112] = 6  # shown with its left side up
    turned.save(tmp_path / "turned.jpg", exif=exif)
    assert find_images(tmp_path)[1][0].size == (6, 4)


def test_heic_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    save(tmp_path / "1.heic", 200)
    (grey,) = greys(tmp_path)
    assert abs(grey - 200) < 5


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no archive", r"a\.npz cannot be read as \.npz"),
        ({"y": np.zeros(3)}, r"a\.npz lacks the array x"),
        ({"x": np.zeros((3, 6, 6))}, r"uint8 of shape \(N, H, W, 3\), got float64"),
    ],
)
def test_an_array_file_that_is_none(
    content: Any, sentence: str, tmp_path: Path
) -> None:
    buffer = io.BytesIO()
    if isinstance(content, dict):
        np.savez(buffer, **content)
    (tmp_path / "a.npz").write_bytes(buffer.getvalue() or content)
    with pytest.raises(ValueError, match=sentence):
        find_images(tmp_path / "a.npz")
