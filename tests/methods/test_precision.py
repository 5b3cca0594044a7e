import copy
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from avalanche_pnr import PastModel, PNRPlugin, Precision, resnet_small
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins import predict_past
from tests.conftest import METHODS, VIEWS, tiny_moco, tiny_simclr

LESS = ("bfloat16", "float16")


@pytest.fixture
def formats() -> Iterator[bool]:
    """Settings of the process, put back."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    kept = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    yield False
    matmul.allow_tf32, cudnn.allow_tf32 = kept


def seen_dtypes(model: nn.Module) -> set[torch.dtype]:
    """Fills with the formats that convolutions and linear layers return."""
    seen: set[torch.dtype] = set()

    def look(module: nn.Module, args: Any, output: Tensor) -> None:
        seen.add(output.dtype)

    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(look)
    return seen


def computed(model: SelfSupervisedMethod) -> Tensor:
    """Outputs in training, predictions and past outputs, (6, 2, E + 2 D)."""
    past_model = PastModel()
    past_model.snapshot(model)
    output = model(VIEWS)
    parts = [output, predict_past(model, output), past_model(VIEWS)]
    return torch.cat(parts, dim=-1)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", LESS)
def test_networks_compute_in_less_and_results_are_close(name: str, dtype: Any) -> None:
    full, less = METHODS[name](), METHODS[name]()
    for model in (full, less):
        PNRPlugin(predictor_hidden_dim=8).add_heads(model)
    less.load_state_dict(full.state_dict())
    less.compute_in(Precision(dtype))
    seen = seen_dtypes(less)
    output = computed(less)
    assert seen == {getattr(torch, dtype)}
    assert output.dtype == torch.float32
    assert {each.dtype for each in less.parameters()} == {torch.float32}
    expected = computed(full)
    assert not torch.equal(output, expected)
    torch.testing.assert_close(output, expected, rtol=0.05, atol=0.05)
    less.loss(less(VIEWS)).backward()
    grads = [each.grad for each in less.parameters() if each.grad is not None]
    assert {each.dtype for each in grads} == {torch.float32}


def test_features_are_judged_in_float32() -> None:
    full, less = tiny_moco(), tiny_moco()
    less.load_state_dict(full.state_dict())
    less.compute_in(Precision("bfloat16"))
    images = VIEWS[:, 0]
    assert torch.equal(full.eval()(images), less.eval()(images))


def test_float64_stays_float64() -> None:
    assert tiny_simclr().double()(VIEWS.double()).dtype == torch.float64


def test_channels_last_lays_out_the_networks_and_changes_nothing_else() -> None:
    plain, laid_out = tiny_moco(), tiny_moco()
    laid_out.load_state_dict(plain.state_dict())
    laid_out.compute_in(Precision(channels_last=True))
    for network in (laid_out.backbone, laid_out.momentum_backbone):
        weight = network[0].weight
        assert weight.is_contiguous(memory_format=torch.channels_last)
    features = laid_out.backbone[0](VIEWS[:, 0])
    assert features.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(laid_out(VIEWS), plain(VIEWS))


@pytest.mark.parametrize(
    ("backbone", "last"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 8, 1, stride=2)), False),
        (nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1, stride=2)), True),
        (resnet_small(width=8), True),
    ],
)
def test_a_layout_whose_gradient_would_overrun_memory_is_not_chosen(
    backbone: nn.Module, last: bool
) -> None:
    Precision(channels_last=True).prepare(backbone)
    first = next(backbone.parameters())
    assert first.is_contiguous(memory_format=torch.channels_last) == last


def test_tf32_is_allowed_when_asked_for(formats: bool) -> None:
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    tiny_moco().compute_in(Precision())
    assert not matmul.allow_tf32
    assert not cudnn.allow_tf32
    tiny_moco().compute_in(Precision(tf32=True))
    assert matmul.allow_tf32
    assert cudnn.allow_tf32


def compiled_as_plain(model: SelfSupervisedMethod) -> None:
    PNRPlugin(predictor_hidden_dim=8).add_heads(model)
    names = list(model.state_dict())
    expected = computed(copy.deepcopy(model))
    model.compute_in(Precision(compile=True))
    assert list(model.state_dict()) == names
    torch.testing.assert_close(computed(model), expected, rtol=1e-4, atol=1e-5)


def test_compiled_networks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def backend(graph: Any, inputs: Any) -> Any:
        calls.append(graph)
        return graph

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    compiled_as_plain(tiny_moco())
    assert len(calls) >= 2  # of the method and of the past model


@pytest.mark.slow
def test_networks_compiled_to_machine_code_give_the_same() -> None:
    compiled_as_plain(tiny_moco())


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no precision 'fp8'.*bfloat16, float16"):
        Precision("fp8")  # type: ignore[arg-type]


def test_stacked_views_share_their_statistics() -> None:
    model = tiny_simclr()
    apart = model(VIEWS)
    model.stack_views = True
    together = model(VIEWS)
    assert together.shape == apart.shape
    assert not torch.allclose(together, apart)  # BatchNorm saw both views
    rows = model.encode(VIEWS.flatten(0, 1))
    torch.testing.assert_close(together, rows.reshape(6, 2, -1))
    model.eval()  # without statistics of the batch there is no difference
    together = model(VIEWS)
    model.stack_views = False
    torch.testing.assert_close(model(VIEWS), together)
