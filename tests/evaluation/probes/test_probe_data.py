from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario, benchmark_from_datasets
from avalanche.benchmarks.utils import AvalancheDataset
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from torchvision.transforms.functional import to_tensor

from avalanche_pnr import class_incremental
from avalanche_pnr.benchmarks import ImageData
from avalanche_pnr.evaluation import ProbeData, extract_stream
from tests.evaluation.conftest import TRANSFORMS


class _Diverged(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :3] / 0


def test_features_are_those_of_all_experiences_in_turn(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    data = ProbeData(backbone, benchmark.train_stream, batch_size=7)
    features, labels = data.features
    parts = extract_stream(backbone, benchmark.train_stream)
    assert torch.equal(labels, torch.cat([y for _, y in parts]))
    torch.testing.assert_close(features, torch.cat([x for x, _ in parts]))
    assert data.classes == 6


def test_features_are_extracted_once(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    passes: list[Any] = []
    backbone.register_forward_hook(lambda *_: passes.append(1))
    data = ProbeData(backbone, benchmark.train_stream, batch_size=48)
    assert data.features[0] is data.features[0]
    assert passes == [1]


def test_images_are_drawn_under_the_eval_transforms(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    data = ProbeData(backbone, benchmark.train_stream)
    rows = [40, 3, 17]
    features, labels = data.draw(rows)
    torch.testing.assert_close(features, data.features[0][rows])
    assert torch.equal(labels, data.features[1][rows])


def _noisy(image: Any) -> Tensor:
    x: Tensor = to_tensor(image)
    return x + 0.1 * torch.rand_like(x)


def test_eval_transforms_that_draw_leave_the_generators(
    backbone: nn.Sequential, image_data: ImageData
) -> None:
    transforms = {**TRANSFORMS, "eval_transform": _noisy}
    benchmark = class_incremental(image_data, n_experiences=3, **transforms)
    data, state = ProbeData(backbone, benchmark.train_stream), torch.get_rng_state()
    data.draw([0, 1])
    assert data.features[0].shape == (48, 8)
    assert torch.equal(torch.get_rng_state(), state)


def test_features_that_are_not_finite_are_refused(benchmark: CLScenario) -> None:
    data = ProbeData(_Diverged(), benchmark.train_stream)
    with pytest.raises(ValueError, match="not finite: the network has diverged"):
        _ = data.features
    with pytest.raises(ValueError, match="not finite: the network has diverged"):
        data.draw([0])


def test_no_experience_is_refused(backbone: nn.Sequential) -> None:
    with pytest.raises(ValueError, match="train_data holds no experience"):
        ProbeData(backbone, [])


def test_data_without_targets_say_how_to_get_some(backbone: nn.Sequential) -> None:
    dataset = AvalancheDataset([TensorDataset(torch.rand(4, 3, 8, 8), torch.arange(4))])
    stream = benchmark_from_datasets(train=[dataset]).train_stream
    with pytest.raises(ValueError, match="make it with Avalanche's as_classification"):
        _ = ProbeData(backbone, stream).classes
