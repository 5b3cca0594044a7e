import pytest
from avalanche.benchmarks import CLScenario

from avalanche_pnr.benchmarks import ImageData, data_incremental
from tests.benchmarks.conftest import (
    TEST_IMAGES,
    TRAIN_IMAGES,
    TRANSFORMS,
    ids_and_labels,
)


def _stream(data: ImageData, experiences: int, seed: int = 42) -> CLScenario:
    return data_incremental(data, n_experiences=experiences, seed=seed, **TRANSFORMS)


def _order(data: ImageData, experiences: int, seed: int = 42) -> list[int]:
    stream = _stream(data, experiences, seed).train_stream
    return [image for experience in stream for image, _ in ids_and_labels(experience)]


@pytest.mark.parametrize(
    ("experiences", "sizes"),
    [
        (1, [60]),
        (3, [20, 20, 20]),
        (7, [12, 8, 8, 8, 8, 8, 8]),
        (8, [11, 7, 7, 7, 7, 7, 7, 7]),
        (31, [30] + [1] * 30),
        (60, [1] * 60),
    ],
)
def test_what_is_left_over_goes_to_the_first_experience(
    data: ImageData, experiences: int, sizes: list[int]
) -> None:
    benchmark = _stream(data, experiences)
    assert [len(exp.dataset) for exp in benchmark.train_stream] == sizes
    assert sorted(_order(data, experiences)) == list(range(TRAIN_IMAGES))


def test_all_test_images_are_one_experience(data: ImageData) -> None:
    (experience,) = _stream(data, 7).test_stream
    assert len(experience.dataset) == TEST_IMAGES


def test_the_seed_determines_the_order(data: ImageData) -> None:
    orders = [_order(data, 3, seed) for seed in range(4)]
    assert [_order(data, 3, seed) for seed in range(4)] == orders
    assert len({tuple(order) for order in orders}) == 4
    assert list(range(TRAIN_IMAGES)) not in orders


def test_the_default_seed_is_that_of_the_paper(data: ImageData) -> None:
    benchmark = data_incremental(data, n_experiences=3, **TRANSFORMS)
    default = [each for exp in benchmark.train_stream for each in ids_and_labels(exp)]
    assert [image for image, _ in default] == _order(data, 3, seed=42)


def test_one_seed_gives_one_permutation_whatever_the_cut(data: ImageData) -> None:
    assert _order(data, 7) == _order(data, 3) == _order(data, 1)


@pytest.mark.parametrize(
    ("experiences", "message"),
    [
        (-1, r"^n_experiences=-1 must be 1 at least \(stream\.n_experiences=1\)"),
        (0, r"^n_experiences=0 must be 1 at least \(stream\.n_experiences=1\)"),
        (61, r"^61 experiences .* 60 training images: write n_experiences=60 or less"),
    ],
)
def test_an_impossible_number_of_experiences_is_refused(
    data: ImageData, experiences: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _stream(data, experiences)
