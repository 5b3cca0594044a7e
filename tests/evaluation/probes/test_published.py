import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from avalanche.benchmarks import CLScenario
from torch import Tensor, nn
from torchvision.transforms import RandomCrop, ToTensor
from torchvision.transforms.functional import to_tensor

from avalanche_pnr import PublishedProbe
from avalanche_pnr.benchmarks.streams.raw_images import raw_images
from avalanche_pnr.evaluation import ProbeData, extract_features
from tests.evaluation.probes.conftest import SGDByHand

IMAGES = 48


class Double(nn.Module):
    """A backbone that computes in double precision."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone.double()

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.backbone(x.double())
        return features


class Sees:
    """Remembers the raw images and the distorted ones, in the order they come."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.distorted: list[bytes] = []

    def __call__(self, image: Any) -> Tensor:
        x: Tensor = RandomCrop(8, padding=2)(to_tensor(image))
        self.raw.append(image.tobytes())
        self.distorted.append(x.numpy().tobytes())
        return x


def _data(model: nn.Module, benchmark: CLScenario) -> ProbeData:
    return ProbeData(model, benchmark.train_stream, batch_size=7)


def test_without_distortion_it_is_sgd_written_out_by_hand(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    model = Double(backbone)
    data = _data(model, benchmark)
    x, y = (each.numpy() for each in extract_features(model, data.dataset))
    sgd = SGDByHand(dim=8, classes=6, momentum=0.0)
    for epoch in range(6):
        sgd.step(x, y, lr=3.0 * 0.1 ** ((epoch >= 3) + (epoch >= 5)))
    probe = PublishedProbe(ToTensor(), 3.0, epochs=6, milestones=(3, 5), batch_size=48)
    readout = probe.fit_to(data)
    np.testing.assert_allclose(readout(torch.from_numpy(x)), sgd.scores(x), rtol=1e-9)


def test_momentum_is_that_of_sgd(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    model = Double(backbone)
    data = _data(model, benchmark)
    x, y = (each.numpy() for each in extract_features(model, data.dataset))
    sgd = SGDByHand(dim=8, classes=6, momentum=0.9)
    for _ in range(4):
        sgd.step(x, y, lr=0.5)
    probe = PublishedProbe(ToTensor(), 0.5, epochs=4, batch_size=99, momentum=0.9)
    scores = probe.fit_to(data)(torch.from_numpy(x))
    np.testing.assert_allclose(scores, sgd.scores(x), rtol=1e-9)


def test_every_image_passes_the_network_once_an_epoch_distorted_anew(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    passed: list[int] = []
    backbone.register_forward_hook(lambda _, inputs, __: passed.append(len(inputs[0])))
    sees = Sees()
    data = _data(backbone, benchmark)
    PublishedProbe(sees, 0.1, epochs=3, batch_size=16).fit_to(data)
    assert passed == [1] + 9 * [16], "one image says what the features are like"
    raw = [each.tobytes() for exp in benchmark.train_stream for each in _pil(exp)]
    epochs = [
        sees.raw[start : start + IMAGES] for start in range(0, 3 * IMAGES, IMAGES)
    ]
    assert all(Counter(epoch) == Counter(raw) for epoch in epochs)
    assert epochs[0] != epochs[1] != raw, "in random order"
    assert len(set(sees.distorted)) > 2 * IMAGES


def _pil(experience: Any) -> list[Any]:
    return [image for image, *_ in raw_images(experience.dataset, "eval")]


def _python_noise(image: Any) -> Tensor:
    noise = np.random.rand() + random.random()  # noqa: NPY002
    return to_tensor(image) * noise


@pytest.mark.parametrize("transform", [Sees(), _python_noise])
def test_the_seed_decides_distortions_and_order(
    backbone: nn.Sequential, benchmark: CLScenario, transform: Any
) -> None:
    queries = torch.rand(5, 8)
    data = _data(backbone, benchmark)

    def scores(seed: int) -> Tensor:
        probe = PublishedProbe(transform, 0.5, epochs=2, batch_size=8, seed=seed)
        return probe.fit_to(data)(queries)

    first = scores(0)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    assert torch.equal(scores(0), first)
    assert not torch.equal(scores(1), first)


def test_generators_and_network_stay_as_they_are(
    backbone: nn.Sequential, benchmark: CLScenario
) -> None:
    backbone[1].eval()
    modes = [module.training for module in backbone.modules()]
    state = {name: value.clone() for name, value in backbone.state_dict().items()}

    def generators() -> tuple[Any, ...]:
        numpy_state = np.random.get_state()  # noqa: NPY002
        return random.getstate(), repr(numpy_state), torch.get_rng_state().tolist()

    before = generators()
    probe = PublishedProbe(_python_noise, 0.1, epochs=2, batch_size=8)
    probe.fit_to(_data(backbone, benchmark))
    assert generators() == before
    assert [module.training for module in backbone.modules()] == modes
    assert all(
        torch.equal(value, state[name]) for name, value in backbone.state_dict().items()
    )
    assert all(parameter.grad is None for parameter in backbone.parameters())


def test_a_probe_that_diverges_is_no_result(benchmark: CLScenario) -> None:
    probe = PublishedProbe(ToTensor(), 3e38, epochs=20, batch_size=8)
    with pytest.raises(FloatingPointError, match="diverged on these features: lower"):
        probe.fit_to(_data(nn.Flatten(), benchmark))


def test_published_probe_says_what_it_is() -> None:
    assert str(PublishedProbe(ToTensor(), 3.0)) == (
        "published (SGD on distorted images, 100 epochs, momentum 0, learning rate 3)"
    )


@pytest.mark.parametrize("options", [{"lr": 0.0}, {"epochs": 0}, {"batch_size": 0}])
def test_published_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="PublishedProbe needs lr > 0, epochs >= 1"):
        PublishedProbe(ToTensor(), **{"lr": 0.1, **options})
