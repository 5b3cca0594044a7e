"""Devices without float64, as Apple's GPUs: such sums happen on the CPU."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from avalanche_pnr import ConvexProbe, KNNProbe, LinearProbe, NearestMeanProbe
from avalanche_pnr.evaluation import representation
from avalanche_pnr.evaluation.functional import accuracy
from avalanche_pnr.evaluation.probes.base import FeatureProbe

CPU, MPS = torch.device("cpu"), torch.device("mps")


class OnMPS(Tensor):
    """A tensor of the CPU that claims to be on an Apple GPU, and is as limited."""

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func == Tensor.device.__get__:  # type: ignore[attr-defined]
            return MPS
        if func is Tensor.cpu or (func is Tensor.to and args[1] == CPU):
            return args[0].as_subclass(Tensor)
        result = super().__torch_function__(func, types, args, kwargs or {})
        if isinstance(result, cls) and result.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return result


class AppleGPU(TorchFunctionMode):
    """Lets tensors be made on such a device, and be moved there."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func is Tensor.to and args[1] == MPS:
            return on_mps(args[0])
        if kwargs.get("device") == MPS:
            return on_mps(func(*args, **{**kwargs, "device": CPU}))
        return func(*args, **kwargs)


def on_mps(x: Tensor) -> Tensor:
    return x.as_subclass(OnMPS)


@pytest.fixture
def features() -> tuple[Tensor, Tensor]:
    x = torch.randn(60, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(60) % 3
    return x + labels[:, None], labels


def test_the_simulated_device_has_no_float64(features: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(TypeError, match="float64"):
        on_mps(features[0]).double()
    assert on_mps(features[0]).cpu().double().dtype == torch.float64


FIGURES: list[Callable[[Tensor], float]] = [
    lambda x: representation.linear_cka(x, x[:, :4]),
    lambda x: representation.alignment(x, x.flip(0)),
    representation.uniformity,
    representation.effective_rank,
]


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_of_features_are_the_same(
    figure: Callable[[Tensor], float], features: tuple[Tensor, Tensor]
) -> None:
    assert figure(on_mps(features[0])) == figure(features[0])


@pytest.mark.parametrize(
    "probe",
    [ConvexProbe(), LinearProbe(epochs=3), KNNProbe(k=5), NearestMeanProbe()],
    ids=lambda probe: probe.name,
)
def test_probes_judge_the_same(
    probe: FeatureProbe, features: tuple[Tensor, Tensor]
) -> None:
    x, labels = features
    expected = probe.fit(x, labels)(x)
    with AppleGPU():
        scores = probe.fit(on_mps(x), on_mps(labels))(on_mps(x))
        assert scores.device == MPS
        assert accuracy(scores, on_mps(labels)) == accuracy(expected, labels)
    assert torch.equal(scores.cpu(), expected)
