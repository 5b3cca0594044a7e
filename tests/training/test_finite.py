"""Training stops at a loss that is not finite, and the model is as it was."""

import copy
import re
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from avalanche_pnr import CaSSLePlugin, PNRPlugin, SelfSupervised
from avalanche_pnr.plugins import PastModelPlugin
from tests.conftest import METHODS, benchmark_of_views, tiny_moco

CASES = pytest.mark.parametrize(
    ("name", "plugin"),
    [("moco", PNRPlugin), ("byol", PNRPlugin), ("barlow", CaSSLePlugin)],
)


class BeforeBatch(SupervisedPlugin):
    """Keeps model and optimizer as they are before each batch, and its loss."""

    def before_training_iteration(
        self, strategy: SelfSupervised, **kwargs: Any
    ) -> None:
        self.model = copy.deepcopy(strategy.model.state_dict())
        self.optimizer = copy.deepcopy(strategy.optimizer.state_dict())

    def assert_nothing_changed(self, strategy: SelfSupervised) -> None:
        model = strategy.model.state_dict()
        assert model.keys() == self.model.keys()
        changed = [k for k, v in model.items() if not identical(v, self.model[k])]
        assert not changed
        assert self.optimizer["state"], "the case begins after the first step"
        assert identical(strategy.optimizer.state_dict(), self.optimizer)


def identical(a: Any, b: Any) -> bool:
    """Whether nested states are the same, tensors bit by bit."""
    if isinstance(a, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(identical(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(identical, a, b))
    return bool(a == b)


def stream(damaged: float | None = None) -> CLScenario:
    """Four experiences of three batches; the last batch of the third is damaged."""
    views = torch.rand(4, 48, 2, 3, 8, 8)
    if damaged is not None:
        views[2, 40, 1, 0, 3, 3] = damaged
    return benchmark_of_views(*views)


@CASES
@pytest.mark.parametrize("damaged", [torch.nan, torch.inf])
def test_a_damaged_image_changes_nothing(
    name: str, plugin: type[PastModelPlugin], damaged: float, make_strategy: Any
) -> None:
    before, benchmark = BeforeBatch(), stream(damaged)
    strategy = make_strategy(METHODS[name](), plugins=[plugin(), before])
    for experience in benchmark.train_stream[:2]:
        strategy.train(experience)
    message = re.escape(
        f"the loss is nan (loss nan + {plugin.__name__} nan) in experience 2, epoch 0, "
        "iteration 2 (from 0)"
    )
    with pytest.raises(FloatingPointError, match=message):
        strategy.train(benchmark.train_stream[2], shuffle=False)
    before.assert_nothing_changed(strategy)
    strategy.train(benchmark.train_stream[3])
    assert all(v.isfinite().all() for v in strategy.model.state_dict().values())


@CASES
def test_an_infinite_term_changes_nothing_and_is_named(
    name: str, plugin: type[PastModelPlugin], make_strategy: Any
) -> None:
    names = ("loss", "distill_loss")
    if plugin is PNRPlugin:
        names = ("pnr_ssl_loss", "pnr_distill_loss")
    model, plain = METHODS[name](), []
    ssl_loss, past_loss = (getattr(model, each) for each in names)

    def note(*args: Any) -> Tensor:
        loss = ssl_loss(*args)
        plain.append(loss.item())
        return loss

    def explode(*args: Any) -> Tensor:
        clock, term = strategy.clock, past_loss(*args)
        last = (clock.train_exp_epochs, clock.train_epoch_iterations) == (1, 2)
        return term + torch.inf if last else term

    for each, replaced in zip(names, (note, explode), strict=True):
        setattr(model, each, replaced)
    before = BeforeBatch()
    strategy = make_strategy(model, plugins=[plugin(), before], train_epochs=2)
    experiences = stream().train_stream
    strategy.train(experiences[0])
    with pytest.raises(FloatingPointError) as error:
        strategy.train(experiences[1])
    terms = f"the loss is inf (loss {plain[-1]:g} + {plugin.__name__} inf)"
    assert terms in str(error.value)
    assert "in experience 1, epoch 1, iteration 2 (from 0)" in str(error.value)
    before.assert_nothing_changed(strategy)


@pytest.mark.parametrize("name", METHODS)
def test_the_first_experience_is_watched_too(name: str, make_strategy: Any) -> None:
    before = BeforeBatch()
    strategy = make_strategy(METHODS[name](), plugins=[before], lr=0.002)
    views = torch.rand(48, 2, 3, 8, 8)
    views[40] = torch.nan
    experience = benchmark_of_views(views).train_stream[0]
    message = r"loss is nan \(loss nan\) in experience 0, epoch 0, iteration 2"
    with pytest.raises(FloatingPointError, match=message):
        strategy.train(experience, shuffle=False)
    before.assert_nothing_changed(strategy)


def test_every_term_of_several_plugins_is_listed(make_strategy: Any) -> None:
    model = tiny_moco()
    model.pnr_distill_loss = lambda *_: torch.tensor(torch.inf)
    strategy = make_strategy(model, plugins=[PNRPlugin(), CaSSLePlugin()])
    experiences = stream().train_stream
    strategy.train(experiences[0])
    number = r"\d+\.?\d*"
    terms = rf"\(loss {number} \+ PNRPlugin inf \+ CaSSLePlugin {number}\)"
    with pytest.raises(FloatingPointError, match=terms):
        strategy.train(experiences[1])


def test_a_gradient_that_a_plugin_breaks_changes_nothing(make_strategy: Any) -> None:
    class Break(SupervisedPlugin):
        def after_backward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
            if strategy.clock.train_iterations == 7:
                next(p for p in strategy.model.parameters()).grad[0] = torch.inf

    before = BeforeBatch()
    strategy = make_strategy(plugins=[PNRPlugin(), before, Break()])
    message = r"gradient is not finite .* experience 2, epoch 0, iteration 1 \(from 0\)"
    with pytest.raises(FloatingPointError, match=message):
        strategy.train(stream().train_stream)
    before.assert_nothing_changed(strategy)


class HostReads(TorchDispatchMode):
    """Counts numbers that are read back from the device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", METHODS)
def test_a_step_reads_one_number_from_the_device(name: str, make_strategy: Any) -> None:
    reads = []
    for images in (16, 48):  # one step and three
        strategy = make_strategy(METHODS[name](), plugins=[PNRPlugin()])
        experiences = benchmark_of_views(*torch.rand(2, images, 2, 3, 8, 8))
        strategy.train(experiences.train_stream[0])
        with HostReads() as host_reads:
            strategy.train(experiences.train_stream[1])
        reads.append(host_reads.count)
    assert reads[1] - reads[0] == 2
