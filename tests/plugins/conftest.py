"""What the tests of plugins share: a method of their own, and a log."""

from typing import Any

import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from torch import Tensor, nn

from avalanche_pnr import SelfSupervised
from avalanche_pnr.losses import LossReduction
from avalanche_pnr.methods import SelfSupervisedMethod
from tests.conftest import tiny_backbone


class Toy(SelfSupervisedMethod):
    """A method that the package does not know: views are to be alike."""

    lambda_distill, lambda_pnr = 2.0, 0.5

    def __init__(self) -> None:
        super().__init__(tiny_backbone(), nn.Linear(8, 4), 4)

    def loss(self, output: Tensor, reduction: LossReduction = "mean") -> Tensor:
        each = (output[:, 0] - output[:, 1]).square().sum(dim=1)
        return each.mean() if reduction == "mean" else each

    def distill_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        return (predicted - past).square().mean()

    def pseudo_negative_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        return (predicted - past.flip(1)).square().mean()


class Losses(SupervisedPlugin):
    """Notes the loss of each batch, and calls of the past network."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[list[float]] = []
        self.past_calls = 0

    def before_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        self.values.append([])
        network = strategy.past_model.network
        if network is not None:
            network.register_forward_hook(self.count)

    def count(self, *_: Any) -> None:
        self.past_calls += 1

    def before_backward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        self.values[-1].append(strategy.loss.item())


def train(strategy: SelfSupervised, benchmark: CLScenario, experiences: int) -> None:
    for experience in benchmark.train_stream[:experiences]:
        torch.manual_seed(experience.current_experience)
        strategy.train(experience)
