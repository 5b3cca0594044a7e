"""Five experiences with and without task labels, and a plugin that watches."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario, with_task_labels
from avalanche.benchmarks.scenarios.task_aware import task_incremental_benchmark
from avalanche.core import SupervisedPlugin
from torch import Tensor
from torch.optim import Optimizer

from avalanche_pnr import CaSSLePlugin, PNRPlugin, SelfSupervised
from avalanche_pnr.benchmarks import ImageData
from avalanche_pnr.plugins import predict_past
from tests.conftest import digits_of_each_class, tiny_moco

Make = Callable[[Optimizer], Any]
"""Makes a plugin, which may need the strategy's optimizer."""


def pnr(_: Any = None) -> PNRPlugin:
    return PNRPlugin(predictor_hidden_dim=16)


def cassle(_: Any = None) -> CaSSLePlugin:
    return CaSSLePlugin(predictor_hidden_dim=16)


@dataclass
class Batch:
    """What there was of a batch when its gradients were computed."""

    experience: int
    labels: list[int]
    new: set[int]
    """The classes of the experience."""
    start: Tensor
    """One parameter before the step."""
    terms: list[float]
    """The loss of the method, and that of PNR or CaSSLe."""
    expected: list[float]
    """The same, of this batch alone."""
    rest: float
    """What other plugins have added to them."""
    rate: float
    training: bool
    """Whether the model is in train mode."""
    raw: Tensor | None = None
    """The gradient of the loss."""
    gradient: Tensor | None = None
    """That of the step."""

    @property
    def seen_again(self) -> list[int]:
        """Labels of images of earlier experiences."""
        return [label for label in self.labels if label not in self.new]


class RawGradients(SupervisedPlugin):
    """Notes gradients; stands first, where no plugin has changed them."""

    def __init__(self, watch: "Watch") -> None:
        super().__init__()
        self.watch = watch

    def after_backward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        self.watch.batches[-1].raw = gradient(strategy)


class Watch(SupervisedPlugin):
    """Notes every batch; stands last, where the loss is whole."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []

    def before_backward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        terms = [
            value.item()
            for name, value in strategy.loss_terms.items()
            if name in ("loss", "PNRPlugin", "CaSSLePlugin")
        ]
        self.batches.append(
            Batch(
                experience=strategy.experience.current_experience,
                labels=strategy.mb_y.tolist(),
                new=set(strategy.experience.dataset.targets),
                start=next(strategy.model.parameters()).detach().clone(),
                terms=terms,
                expected=expected_terms(strategy),
                rest=strategy.loss.item() - sum(terms),
                rate=strategy.optimizer.param_groups[0]["lr"],
                training=strategy.model.training,
            )
        )

    def before_update(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        self.batches[-1].gradient = gradient(strategy)


@torch.no_grad()
def expected_terms(strategy: SelfSupervised) -> list[float]:
    """The equations, for the present batch alone."""
    method, output = strategy.model, strategy.mb_output
    if not strategy.past_model.exists:
        return [method.loss(output).item()]
    past = strategy.past_model(strategy.mb_x.clone())  # computed anew
    predicted = predict_past(method, output)
    if any(isinstance(each, PNRPlugin) for each in strategy.plugins):
        terms = [
            method.pnr_ssl_loss(output, past),
            method.pnr_distill_loss(output, predicted, past),
        ]
    else:
        distilled = method.distill_loss(predicted, past)
        terms = [method.loss(output), method.lambda_distill * distilled]
    return [term.item() for term in terms]


def gradient(strategy: SelfSupervised) -> Tensor:
    """Of all parameters, as one vector."""
    parameters = strategy.model.parameters()
    return torch.cat(
        [(p.grad if p.grad is not None else 0 * p).flatten() for p in parameters]
    ).detach()


@dataclass
class Run:
    """A strategy after five experiences, and what was seen of them."""

    strategy: SelfSupervised
    batches: list[Batch]

    def of(self, experience: int) -> list[Batch]:
        """Batches of one experience."""
        return [each for each in self.batches if each.experience == experience]

    @property
    def later(self) -> list[Batch]:
        """Batches of all experiences but the first."""
        return [each for each in self.batches if each.experience > 0]

    @property
    def weights(self) -> Tensor:
        """All of the backbone's, as one vector."""
        parameters = self.strategy.model.backbone.parameters()
        return torch.cat([each.detach().flatten() for each in parameters])


def run(
    benchmark: CLScenario,
    plugins: Sequence[Make] = (),
    method: Callable[[], Any] = tiny_moco,
    lr: float = 0.05,
    **options: Any,
) -> Run:
    """Train on five experiences of three batches, from the same state each time.

    Args:
        benchmark: The stream.
        plugins: What makes the plugins.
        method: Makes the model.
        lr: Learning rate.
        **options: Of the strategy.
    """
    seed(0)
    model, watch = method(), Watch()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    made = [make(optimizer) for make in plugins]
    strategy = SelfSupervised(
        model=model,
        optimizer=optimizer,
        plugins=[RawGradients(watch), *made, watch],
        **{"train_mb_size": 8, "evaluator": None, **options},
    )
    for experience in benchmark.train_stream:
        seed(experience.current_experience)
        strategy.train(experience, eval_streams=[benchmark.test_stream])
    return Run(strategy, watch.batches)


def seed(number: int) -> None:
    """Seed all generators that plugins draw from."""
    random.seed(number)
    torch.manual_seed(number)


@pytest.fixture(scope="session")
def few_digits() -> ImageData:
    """Half as many as elsewhere, for there are many cells."""
    return digits_of_each_class(12, 3)


WITHOUT, WITH = "without tasks", "with tasks"

with_either = pytest.mark.parametrize(
    ("regularizer", "stream"),
    [
        pytest.param(pnr, WITHOUT),
        pytest.param(cassle, WITH),
        pytest.param(pnr, WITH, marks=pytest.mark.slow),
        pytest.param(cassle, WITHOUT, marks=pytest.mark.slow),
    ],
    indirect=["stream"],
)
"""Both regularizers, both kinds of stream; each with each in the slow tests."""


@pytest.fixture(params=[WITHOUT, WITH])
def stream(request: pytest.FixtureRequest, benchmark_of_digits: CLScenario) -> Any:
    """Five experiences of 24 images of two classes."""
    if request.param == WITHOUT:
        return benchmark_of_digits
    return with_task_labels(task_incremental_benchmark(benchmark_of_digits))
