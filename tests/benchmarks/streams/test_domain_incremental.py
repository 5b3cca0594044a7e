from typing import Any

import numpy as np
import pytest

from avalanche_pnr.benchmarks import ImageData, domain_incremental, load_npz
from tests.benchmarks.conftest import (
    CLASSES,
    DOMAINS,
    FIRST_TEST_ID,
    PLAIN,
    SIZE,
    TRANSFORMS,
    VIEWS,
    ids_and_labels,
)
from tests.benchmarks.datasets.test_npz import SHARED


def _arrays(y: list[int], domains: list[int]) -> tuple[Any, Any, Any]:
    x = np.zeros((len(y), SIZE, SIZE, 3), dtype=np.uint8)
    return x, np.array(y), np.array(domains)


def test_each_experience_is_one_domain_in_the_order_of_the_names(
    data: ImageData,
) -> None:
    benchmark = domain_incremental(data, **TRANSFORMS)
    assert benchmark.domain_names == data.domain_names == ("ink", "oil", "pen")
    for stream, first_id in (
        (benchmark.train_stream, 0),
        (benchmark.test_stream, FIRST_TEST_ID),
    ):
        assert len(stream) == DOMAINS
        for domain, experience in enumerate(stream):
            numbers = [image - first_id for image, _ in ids_and_labels(experience)]
            assert numbers
            assert {number // 2 % DOMAINS for number in numbers} == {domain}


def test_all_domains_share_the_classes(data: ImageData) -> None:
    benchmark = domain_incremental(data, **TRANSFORMS)
    for experience in (*benchmark.train_stream, *benchmark.test_stream):
        assert experience.classes_in_this_experience == set(range(CLASSES))


def test_a_domain_may_lack_classes() -> None:
    train = _arrays([0, 1, 2, 0, 1, 2], [0, 0, 1, 1, 2, 2])
    test = _arrays([2, 1, 0], [0, 1, 2])
    benchmark = domain_incremental(
        ImageData.from_arrays("here", train, test, check_duplicates=False), **TRANSFORMS
    )
    assert [list(exp.dataset.targets) for exp in benchmark.train_stream] == [
        [0, 1],
        [2, 0],
        [1, 2],
    ]
    assert [list(exp.dataset.targets) for exp in benchmark.test_stream] == [
        [2],
        [1],
        [0],
    ]


def test_data_without_domains_is_refused() -> None:
    train, test = _arrays([0, 1], [])[:2], _arrays([1, 0], [])[:2]
    data = ImageData.from_arrays("here", train, test, check_duplicates=False)
    with pytest.raises(ValueError, match=r"needs data with domains.*data_incremental"):
        domain_incremental(data, train_transform=VIEWS, eval_transform=PLAIN)


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [("pacs_mini64", [420] * 4, [140] * 4), ("digits3_mini32", [1000] * 3, [500] * 3)],
)
def test_shared_data_becomes_a_stream_of_domains(
    name: str, train: list[int], test: list[int]
) -> None:
    path = SHARED / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in the shared data")
    benchmark = domain_incremental(load_npz(path), **TRANSFORMS)
    assert [len(exp.dataset) for exp in benchmark.train_stream] == train
    assert [len(exp.dataset) for exp in benchmark.test_stream] == test
    assert len(benchmark.domain_names) == len(train)
