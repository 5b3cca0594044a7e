import random
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset, default_collate

from avalanche_pnr.evaluation import (
    extract_features,
    extract_stream,
    extract_unlabelled,
)
from tests.benchmarks.reading.test_progress import Terminal


class Noisy(Dataset[tuple[Tensor, int]]):
    """Labelled images whose transform draws from every global generator."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        noise = random.random() + np.random.rand()  # noqa: NPY002
        return torch.rand(3, 8, 8) + noise, index % 2


class Unlabelled(Dataset[Any]):
    """Bare tensors, or 1-tuples of them."""

    def __init__(self, as_tuple: bool) -> None:
        self.as_tuple = as_tuple

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        image = torch.zeros(3, 8, 8)
        return (image,) if self.as_tuple else image


@pytest.fixture
def labelled() -> TensorDataset:
    images = torch.rand(10, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return TensorDataset(images, torch.arange(10) % 3)


@pytest.fixture
def mixed(backbone: nn.Sequential) -> nn.Sequential:
    """In train mode but for the BatchNorm and the pooling."""
    backbone.train()
    backbone[1].eval()
    backbone[3].eval()
    return backbone


def _modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_features_and_labels_are_those_of_eval_mode_in_order(
    backbone: nn.Sequential, labelled: TensorDataset
) -> None:
    backbone[1].running_mean += 0.3
    features, labels = extract_features(backbone, labelled)
    images, expected_labels = labelled.tensors
    torch.testing.assert_close(features, backbone.eval()(images).detach())
    assert torch.equal(labels, expected_labels)
    assert not features.requires_grad


@pytest.mark.parametrize("batch_size", [1, 4, 10])
def test_the_batch_size_does_not_matter(
    backbone: nn.Sequential, labelled: TensorDataset, batch_size: int
) -> None:
    expected, labels = extract_features(backbone, labelled)
    features, same_labels = extract_features(backbone, labelled, batch_size=batch_size)
    torch.testing.assert_close(features, expected)
    assert torch.equal(same_labels, labels)


def test_parameters_and_statistics_stay(
    backbone: nn.Sequential, labelled: TensorDataset
) -> None:
    before = _state(backbone)
    extract_features(backbone, labelled)
    after = backbone.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(param.grad is None for param in backbone.parameters())
    assert all(param.requires_grad for param in backbone.parameters())


def test_each_module_keeps_its_own_mode(
    mixed: nn.Sequential, labelled: TensorDataset
) -> None:
    before = _modes(mixed)
    assert len(set(before)) == 2
    extract_features(mixed, labelled)
    assert _modes(mixed) == before


def test_modes_come_back_after_an_error(mixed: nn.Sequential) -> None:
    before = _modes(mixed)
    with pytest.raises(ValueError, match="labels"):
        extract_features(mixed, Unlabelled(as_tuple=True))
    assert _modes(mixed) == before


def test_random_generators_stay(backbone: nn.Sequential) -> None:
    python, numpy = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    torch_state = torch.get_rng_state()
    extract_features(backbone, Noisy())
    assert random.getstate() == python
    assert np.array_equal(np.random.get_state()[1], numpy)  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_state)


@pytest.mark.parametrize(
    "dataset",
    [
        pytest.param(Unlabelled(as_tuple=False), id="bare tensors"),
        pytest.param(Unlabelled(as_tuple=True), id="no second part"),
        pytest.param(
            TensorDataset(torch.zeros(3, 3, 8, 8), torch.tensor([0, 1, -1])),
            id="one label is -1",
        ),
    ],
)
def test_missing_labels_are_refused(
    backbone: nn.Sequential, dataset: Dataset[Any]
) -> None:
    with pytest.raises(ValueError, match=r"a probe needs labels.*train_data"):
        extract_features(backbone, dataset)


def test_further_parts_of_samples_are_ignored(
    backbone: nn.Sequential, labelled: TensorDataset
) -> None:
    images, labels = labelled.tensors
    with_task = TensorDataset(images, labels, torch.full((10,), -1))
    expected = extract_features(backbone, labelled)
    for actual, wanted in zip(
        extract_features(backbone, with_task), expected, strict=True
    ):
        assert torch.equal(actual, wanted)


class Collated(TensorDataset):
    """Samples that only their own collate function can put together."""

    def __getitem__(self, index: int) -> Any:
        return {"sample": super().__getitem__(index)}

    def collate_fn(self, samples: list[Any]) -> Any:
        return default_collate([sample["sample"] for sample in samples])


def test_the_data_sets_own_collate_function_is_used(
    backbone: nn.Sequential, labelled: TensorDataset
) -> None:
    expected, labels = extract_features(backbone, labelled)
    features, same_labels = extract_features(backbone, Collated(*labelled.tensors))
    assert torch.equal(features, expected)
    assert torch.equal(same_labels, labels)


def _plain(experience: Any) -> tuple[Tensor, Tensor]:
    samples: Iterable[Any] = experience.dataset.eval()
    images, labels = zip(*((x, y) for x, y, *_ in samples), strict=True)
    return torch.stack(images), torch.tensor(labels)


def test_a_stream_is_taken_by_experience_under_the_eval_transform(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    parts = extract_stream(backbone, benchmark.train_stream, batch_size=5)
    backbone.eval()
    assert len(parts) == 3
    for (features, labels), experience in zip(
        parts, benchmark.train_stream, strict=True
    ):
        images, expected_labels = _plain(experience)
        torch.testing.assert_close(features, backbone(images).detach())
        assert torch.equal(labels, expected_labels)


def test_features_alone_are_those_with_labels(
    backbone: nn.Sequential, labelled: TensorDataset
) -> None:
    expected, _ = extract_features(backbone, labelled, batch_size=4)
    assert torch.equal(extract_unlabelled(backbone, labelled, batch_size=4), expected)


@pytest.mark.parametrize("as_tuple", [True, False])
def test_features_alone_need_no_labels(backbone: nn.Sequential, as_tuple: bool) -> None:
    features = extract_unlabelled(backbone, Unlabelled(as_tuple), batch_size=3)
    assert features.shape == (4, 8)
    assert not features.requires_grad


def test_each_of_stacked_views_has_its_features(backbone: nn.Sequential) -> None:
    views = torch.rand(10, 2, 3, 8, 8)
    features = extract_unlabelled(backbone, TensorDataset(views), batch_size=4)
    for v in range(2):
        expected = backbone.eval()(views[:, v]).detach()
        torch.testing.assert_close(features[:, v], expected)


def test_features_alone_change_nothing_either(mixed: nn.Sequential) -> None:
    modes, state, generator = _modes(mixed), _state(mixed), torch.get_rng_state()
    extract_unlabelled(mixed, Noisy())
    assert _modes(mixed) == modes
    assert torch.equal(torch.get_rng_state(), generator)
    for name, value in mixed.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_slow_extraction_shows_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Slow(nn.Flatten):
        def forward(self, images: Tensor) -> Tensor:
            time.sleep(0.4)  # bars show after a second
            return super().forward(images)

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    images = TensorDataset(torch.rand(8, 3, 2, 2), torch.zeros(8, dtype=torch.long))
    extract_features(Slow(), images, batch_size=2)
    assert "extracting features:  75%" in terminal.getvalue()
