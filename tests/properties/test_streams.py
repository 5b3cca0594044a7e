"""Any partition covers the data exactly once, and is a function of the seed."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import ToTensor

from avalanche_pnr import (
    ImageData,
    TwoViews,
    class_incremental,
    data_incremental,
    domain_incremental,
)

TRANSFORMS: dict[str, Any] = {
    "train_transform": TwoViews(ToTensor()),
    "eval_transform": ToTensor(),
}
seeds = st.integers(0, 2**32 - 1)


def make_data(classes: int, images: int, domains: int, seed: int) -> ImageData:
    """Images of 2 px with labels in any order; each class in each domain and split."""
    generator = np.random.default_rng(seed)

    def split(extra: int) -> list[Any]:
        cells = np.array([(c, d) for c in range(classes) for d in range(domains)])
        more = generator.integers(0, len(cells), extra)
        cells = generator.permutation(np.concatenate([cells, cells[more]]))
        x = generator.integers(0, 256, (len(cells), 2, 2, 3), dtype=np.uint8)
        return [x, cells[:, 0], cells[:, 1]]

    return ImageData.from_arrays(
        "random", split(images), split(images // 2), check_duplicates=False
    )


data_sets = st.builds(
    make_data,
    classes=st.integers(1, 7),
    images=st.integers(0, 20),
    domains=st.integers(1, 3),
    seed=seeds,
)


def check_partition(benchmark: Any, data: ImageData) -> None:
    """Each image of both splits is in one experience, with its own label."""
    for name, images in (("train", data.train), ("test", data.test)):
        parts = benchmark.split[name]
        indices = np.concatenate(parts)
        assert np.array_equal(np.sort(indices), np.arange(len(images)))
        stream = benchmark.streams[name]
        for part, experience in zip(parts, stream, strict=True):
            labels = [images.targets[index] for index in part]
            assert list(experience.dataset.targets) == labels
            assert len(part) > 0


@given(data=data_sets, choice=st.data(), seed=seeds)
def test_class_incremental(data: ImageData, choice: st.DataObject, seed: int) -> None:
    classes = len(data.class_names)
    parts = choice.draw(st.integers(1, classes))
    state = torch.get_rng_state()
    made = [
        class_incremental(data, n_experiences=parts, seed=seed, **TRANSFORMS)
        for _ in range(2)
    ]
    check_partition(made[0], data)
    assert made[0].class_order == made[1].class_order
    sizes = [len(each) for each in made[0].class_order]
    assert max(sizes) - min(sizes) <= 1
    for order, experience in zip(
        made[0].class_order, made[0].train_stream, strict=True
    ):
        assert set(experience.dataset.targets) == set(order)
    assert torch.equal(state, torch.get_rng_state())
    with pytest.raises(ValueError, match=f"of {classes} classes"):
        class_incremental(data, n_experiences=classes + 1, **TRANSFORMS)


@given(data=data_sets, choice=st.data(), seed=seeds)
def test_data_incremental(data: ImageData, choice: st.DataObject, seed: int) -> None:
    parts = choice.draw(st.integers(1, len(data.train)))
    benchmark = data_incremental(data, n_experiences=parts, seed=seed, **TRANSFORMS)
    check_partition(benchmark, data)
    size, rest = divmod(len(data.train), parts)
    lengths = [len(part) for part in benchmark.split["train"]]
    assert lengths == [size + rest, *[size] * (parts - 1)]


@given(data=data_sets)
def test_domain_incremental(data: ImageData) -> None:
    benchmark = domain_incremental(data, **TRANSFORMS)
    check_partition(benchmark, data)
    for domain, part in enumerate(benchmark.split["train"]):
        assert {data.train.domains[index] for index in part} == {domain}
