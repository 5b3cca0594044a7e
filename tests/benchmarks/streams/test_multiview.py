import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import (
    CLScenario,
    benchmark_from_datasets,
    class_incremental_benchmark,
    dataset_benchmark,
    nc_benchmark,
    split_online_stream,
)
from avalanche.benchmarks.utils.utils import as_classification_dataset
from avalanche.core import SupervisedPlugin
from avalanche.training.plugins import ReplayPlugin
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset
from torchvision import transforms

from avalanche_pnr import KNNProbe, PNRPlugin, ProbePlugin, TwoViews, with_multiview
from avalanche_pnr.benchmarks import ImageData
from tests.benchmarks import classic
from tests.benchmarks.classic import refuse
from tests.benchmarks.conftest import CLASSES, PLAIN, VIEWS, ids_and_labels

Maker = Callable[[Path, pytest.MonkeyPatch], CLScenario]


@pytest.fixture(
    params=[
        classic.split_cifar100,
        classic.split_mnist,
        classic.split_tiny_imagenet,
        classic.core50,
        classic.clear,
    ],
    ids=lambda maker: maker.__name__,
)
def original(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CLScenario:
    maker: Maker = request.param
    return maker(tmp_path, monkeypatch)


def _generated(data: ImageData, **options: Any) -> CLScenario:
    """Four experiences of two or three classes, of Avalanche's generator."""
    options = {"train_transform": refuse, "eval_transform": PLAIN, **options}
    return nc_benchmark(data.train, data.test, 5, task_labels=True, seed=1, **options)


def test_classic_benchmarks_train_on_views_of_their_raw_images(
    original: CLScenario,
) -> None:
    benchmark = with_multiview(original, VIEWS)
    assert len(benchmark.train_stream) == len(original.train_stream) >= 3
    for experience in benchmark.train_stream:
        dataset = experience.dataset
        for index in range(0, len(dataset), 5):
            views, plain = dataset[index][0], dataset.eval()[index][0]
            assert torch.equal(views, torch.stack([plain, plain]))


def test_classic_benchmarks_keep_everything_else(original: CLScenario) -> None:
    benchmark = with_multiview(original, VIEWS)
    assert benchmark.test_stream is original.test_stream
    for new, old in zip(benchmark.train_stream, original.train_stream, strict=True):
        assert list(new.dataset.targets) == list(old.dataset.targets)
        assert new.task_labels == old.task_labels
        assert new.current_experience == old.current_experience
        assert new.origin_stream is benchmark.train_stream
        for name in ("classes_in_this_experience", "previous_classes"):
            assert getattr(new, name) == getattr(old, name)
        for name in ("classes_seen_so_far", "future_classes"):
            assert getattr(new, name) == getattr(old, name)
        for index in range(0, len(old.dataset), 5):
            (image, *labels), (known, *known_labels) = (
                each.dataset.eval()[index] for each in (new, old)
            )
            assert torch.equal(image, known)
            assert labels == known_labels == list(new.dataset[index][1:])


def test_classic_benchmarks_train_with_pnr_and_replay(
    original: CLScenario, make_strategy: Any
) -> None:
    crop = transforms.Compose([transforms.RandomResizedCrop(16), PLAIN])
    benchmark = with_multiview(original, TwoViews(crop))
    probe = ProbePlugin(benchmark.train_stream, [KNNProbe(k=1)])
    replay = ReplayPlugin(mem_size=24)
    strategy = make_strategy(plugins=[PNRPlugin(), replay, probe])
    weights = []
    for experience in benchmark.train_stream[:3]:
        strategy.train(experience)
        weights.append(strategy.model.backbone[0].weight.detach().clone())
        assert replay.storage_policy.buffer[0][0].shape == (2, 3, 16, 16)
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[1], weights[2])
    assert strategy.past_model.exists
    strategy.eval(benchmark.test_stream)
    assert probe.scores["knn"].isfinite().all()


def test_grey_images_become_rgb_with_the_same_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = with_multiview(classic.split_mnist(tmp_path, monkeypatch), VIEWS)
    values = set()
    for experience in benchmark.train_stream:
        for views, *_ in DataLoader(experience.dataset, batch_size=8):
            assert views.shape[1:] == (2, 3, 28, 28)
            values |= set((views.amax(dim=(1, 2, 3, 4)) * 255).tolist())
            assert torch.equal(views.amax(dim=(1, 2, 3, 4)), views[:, 0, 0, 0, 0])
    assert values == set(range(3 * classic.TRAIN_IMAGES))


def test_grey_evaluation_of_rgb_views_is_refused(data: ImageData) -> None:
    original = _generated(
        data, eval_transform=transforms.Compose([transforms.Grayscale(), PLAIN])
    )
    with pytest.raises(ValueError, match=r"3 channels.*\(1, 6, 6\).*Grayscale\(3\)"):
        with_multiview(original, VIEWS)
    grey = TwoViews(transforms.Compose([transforms.Grayscale(), PLAIN]))
    views = with_multiview(original, grey).train_stream[0].dataset[0][0]
    assert views.shape == (2, 1, 6, 6)


def test_renumbered_targets_and_task_labels_stay(data: ImageData) -> None:
    original = _generated(data, class_ids_from_zero_in_each_exp=True)
    benchmark = with_multiview(original, VIEWS)
    for number, experience in enumerate(benchmark.train_stream):
        labels = [tuple(experience.dataset[i][1:]) for i in range(12)]
        assert set(labels) == {(0, number), (1, number)}
        assert experience.task_label == number


def test_targets_that_a_transform_makes_stay(data: ImageData) -> None:
    original = dataset_benchmark(
        [data.train] * 3,
        [data.test] * 3,
        train_transform=refuse,
        eval_transform=PLAIN,
        train_target_transform=lambda label: label + 50,
    )
    dataset = with_multiview(original, VIEWS).train_stream[1].dataset
    assert [dataset[index][1] for index in range(3)] == [50, 51, 52]


def test_transforms_at_any_depth_are_replaced(data: ImageData) -> None:
    groups = {"train": (refuse, None), "eval": (PLAIN, None)}
    whole = as_classification_dataset(data.train, groups)
    # Layers of a tree each have a current group, here not that of the stream.
    parts = [whole.eval().subset(range(i, 60, 3)).train() for i in range(3)]
    benchmark = with_multiview(
        benchmark_from_datasets(train=parts, test=[whole.eval()]), VIEWS
    )
    for number, experience in enumerate(benchmark.train_stream):
        expected = [(i, i % CLASSES) for i in range(number, 60, 3)]
        assert ids_and_labels(experience) == expected
        views = [experience.dataset[index][0] for index in range(20)]
        ids = [round(each[1, 2, 3, 4].item() * 255) for each in views]
        assert ids == [image for image, _ in expected]


def test_frozen_transforms_are_a_part_of_the_raw_image(data: ImageData) -> None:
    groups = {"train": (_inverted, None), "eval": (_inverted, None)}
    frozen = as_classification_dataset(data.train, groups).freeze_transforms()
    parts = {f"{number}": frozen.subset([number]) for number in range(3)}
    original = nc_benchmark(
        list(parts.values()),
        list(parts.values()),
        3,
        task_labels=False,
        one_dataset_per_exp=True,
        shuffle=False,
        train_transform=refuse,
        eval_transform=PLAIN,
    )
    benchmark = with_multiview(original, VIEWS)
    views = [experience.dataset[0][0] for experience in benchmark.train_stream]
    assert [round(each[0, 0, 0, 0].item() * 255) for each in views] == [255, 254, 253]


def _inverted(image: Image.Image) -> Image.Image:
    return image.point(lambda value: 255 - value)


def test_views_stay_in_subsets_and_online_streams(data: ImageData) -> None:
    benchmark = with_multiview(_generated(data), VIEWS)
    first, second, *_ = benchmark.train_stream
    for dataset in (
        first.dataset.subset([0, 1, 2]),
        first.dataset.subset([5, 4, 3]).subset([0]),
        first.dataset.concat(second.dataset),
        *(part.dataset for part in split_online_stream(benchmark.train_stream, 5)),
    ):
        assert all(dataset[i][0].shape == (2, 3, 6, 6) for i in range(len(dataset)))
        assert dataset.eval()[0][0].shape == (3, 6, 6)


@pytest.mark.parametrize("streams", [("train", "test"), ("train", "valid", "test")])
def test_generated_benchmarks_train_with_pnr_and_replay(
    data: ImageData, streams: tuple[str, ...], make_strategy: Any
) -> None:
    groups = {"train": (refuse, None), "eval": (PLAIN, None)}
    parts = {name: as_classification_dataset(data.train, groups) for name in streams}
    original = class_incremental_benchmark(parts, num_experiences=3, seed=0)
    benchmark = with_multiview(original, VIEWS)
    assert tuple(benchmark.streams) == streams
    sizes: list[int] = []
    plugins = [PNRPlugin(), ReplayPlugin(mem_size=10), _BatchSizes(sizes)]
    strategy = make_strategy(plugins=plugins, train_mb_size=6)
    for experience in benchmark.train_stream:
        assert len(experience.classes_in_this_experience) == 3
        strategy.train(experience)
    assert sizes == [6] * 3 + [12] * 6
    assert strategy.past_model.exists


class _BatchSizes(SupervisedPlugin):
    """Notes the number of images, replayed ones included, of each batch."""

    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.sizes = sizes

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        assert strategy.mb_x.shape[1:] == (2, 3, 6, 6)
        self.sizes.append(len(strategy.mb_x))


def test_the_benchmark_that_is_given_stays_as_it_is(data: ImageData) -> None:
    original = _generated(data, train_transform=PLAIN)
    with_multiview(original, VIEWS)
    for experience in original.train_stream:
        assert experience.dataset[0][0].shape == (3, 6, 6)
        assert experience.origin_stream is original.train_stream


def test_global_generators_stay_untouched(data: ImageData) -> None:
    def noisy(image: Any) -> Tensor:
        noise = random.random() + np.random.rand()  # noqa: NPY002
        return PLAIN(image) + torch.rand(3, 6, 6) + noise

    original = _generated(data, eval_transform=noisy)
    states = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    torch_state = torch.get_rng_state()
    with_multiview(original, TwoViews(noisy))
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_a_transform_without_two_views_is_refused(data: ImageData) -> None:
    with pytest.raises(ValueError, match=r"^transform must .*\(3, 6, 6\).*TwoViews"):
        with_multiview(_generated(data), PLAIN)


@pytest.mark.parametrize("transform", [None, VIEWS])
def test_a_benchmark_without_plain_evaluation_is_refused(
    data: ImageData, transform: Any
) -> None:
    original = _generated(data, eval_transform=transform)
    with pytest.raises(ValueError, match=r"^the benchmark's eval_transform must"):
        with_multiview(original, VIEWS)


def test_a_benchmark_without_a_train_stream_is_refused(data: ImageData) -> None:
    dataset = as_classification_dataset(data.train)
    original = benchmark_from_datasets(learn=[dataset], test=[dataset])
    with pytest.raises(ValueError, match="stream named train, got learn, test"):
        with_multiview(original, VIEWS)


@pytest.mark.parametrize(
    ("samples", "got"),
    [
        (torch.rand(4, 16), r"\(16,\)"),
        (torch.rand(4, 3, 6, 6) + 2, "from 2"),
        (torch.rand(4, 3, 6, 6) - 1, "from -"),
    ],
)
def test_samples_that_are_no_raw_images_are_refused(samples: Tensor, got: str) -> None:
    labels = torch.arange(4) % 2
    dataset = as_classification_dataset(_Labelled(samples, labels))
    with pytest.raises(ValueError, match=f"need raw images.*{got}"):
        with_multiview(benchmark_from_datasets(train=[dataset] * 3), VIEWS)


def test_images_of_bytes_are_taken_as_they_are() -> None:
    samples = torch.arange(4, dtype=torch.uint8).repeat_interleave(108)
    dataset = as_classification_dataset(
        _Labelled(samples.reshape(4, 3, 6, 6), torch.arange(4) % 2),
        {"train": (None, None), "eval": (lambda image: image / 255, None)},
    )
    benchmark = with_multiview(benchmark_from_datasets(train=[dataset] * 3), VIEWS)
    views = [benchmark.train_stream[2].dataset[i][0] * 255 for i in range(4)]
    assert [each.unique().tolist() for each in views] == [[0], [1], [2], [3]]


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_tensors_stay_tensors_for_transforms_of_tensors(channels: int) -> None:
    samples = 7 * torch.randn(4, channels, 6, 6, generator=torch.manual_seed(0))
    dataset = as_classification_dataset(_Labelled(samples, torch.arange(4) % 2))
    benchmark = with_multiview(
        benchmark_from_datasets(train=[dataset] * 3), TwoViews(lambda image: image + 1)
    )
    views = benchmark.train_stream[1].dataset[3][0]
    assert torch.equal(views, torch.stack([samples[3] + 1] * 2))


def test_tensors_of_one_channel_become_rgb_for_transforms_of_pil_images() -> None:
    samples = torch.arange(4, dtype=torch.uint8).repeat_interleave(36) * 10
    dataset = as_classification_dataset(
        _Labelled(samples.reshape(4, 1, 6, 6), torch.arange(4) % 2),
        {"train": (None, None), "eval": (lambda image: image.repeat(3, 1, 1), None)},
    )
    benchmark = with_multiview(benchmark_from_datasets(train=[dataset] * 3), VIEWS)
    views = benchmark.train_stream[0].dataset[2][0]
    assert views.shape == (2, 3, 6, 6)
    assert (views * 255).round().unique().tolist() == [20]


def test_many_channels_need_a_transform_of_tensors() -> None:
    dataset = as_classification_dataset(
        _Labelled(torch.rand(4, 5, 6, 6), torch.arange(4) % 2)
    )
    with pytest.raises(ValueError, match=r"5 channels is not an RGB image.* ToTensor"):
        with_multiview(benchmark_from_datasets(train=[dataset] * 3), VIEWS)


def test_images_are_shown_as_a_viewer_shows_them(tmp_path: Path) -> None:
    rgba = Image.new("RGBA", (6, 6), (0, 0, 0, 0))
    deep = Image.fromarray(np.full((6, 6), 40000, np.uint16))
    dataset = as_classification_dataset(
        Pictures([rgba, deep]),
        {"train": (None, None), "eval": (lambda image: torch.zeros(3, 6, 6), None)},
    )
    benchmark = with_multiview(benchmark_from_datasets(train=[dataset] * 3), VIEWS)
    views = [benchmark.train_stream[0].dataset[index][0] for index in range(2)]
    assert [each.unique().mul(255).tolist() for each in views] == [[255], [156]]


class Pictures:
    """PIL images with classes."""

    def __init__(self, images: list[Image.Image]) -> None:
        self.images, self.targets = images, [0, 1]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return self.images[index], self.targets[index]


class _Labelled(TensorDataset):
    def __init__(self, samples: Tensor, labels: Tensor) -> None:
        super().__init__(samples, labels)
        self.targets = labels.tolist()
