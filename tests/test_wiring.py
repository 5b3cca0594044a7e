"""Golden equations, wired wrongly, would still be golden.

For each method and regularizer: train two experiences and two steps of a third
through the strategy, record what goes in, compute the loss anew from a copy of the
networks with the equations that the reference vectors check, and compare.
"""

import copy
from typing import Any

import pytest
import torch
from avalanche.benchmarks import CLScenario
from avalanche.core import SupervisedPlugin
from torch import Tensor, nn

from avalanche_pnr import CaSSLePlugin, PNRPlugin, SelfSupervised
from avalanche_pnr.methods import SelfSupervisedMethod
from tests.conftest import CONTRASTIVE, METHODS
from tests.golden_cases import LOSSES, Inputs

PLUGINS: dict[str, list[type[SupervisedPlugin]]] = {
    "finetune": [],
    "cassle": [CaSSLePlugin],
    "pnr": [PNRPlugin],
}
EQUATIONS = {
    ("moco", "finetune"): ["moco"],
    ("moco", "cassle"): ["moco", "contrastive_cassle"],
    ("moco", "pnr"): ["moco_pnr"],
    ("mocov3", "finetune"): ["mocov3"],
    ("mocov3", "cassle"): ["mocov3", "mocov3_cassle"],
    ("mocov3", "pnr"): ["mocov3_pnr"],
    ("simclr", "finetune"): ["simclr"],
    ("simclr", "cassle"): ["simclr", "contrastive_cassle"],
    ("simclr", "pnr"): ["simclr_pnr_positive_in_denominator"],
    ("barlow", "finetune"): ["barlow"],
    ("barlow", "cassle"): ["barlow", "barlow_cassle"],
    ("barlow", "pnr"): ["barlow_pnr"],
    ("byol", "finetune"): ["byol"],
    ("byol", "cassle"): ["byol", "byol_cassle"],
    ("byol", "pnr"): ["byol_pnr"],
    ("vicreg", "finetune"): ["vicreg"],
    ("vicreg", "cassle"): ["vicreg", "vicreg_cassle"],
    ("vicreg", "pnr"): ["vicreg_pnr"],
}


class Recorder(SupervisedPlugin):
    """Copies the networks before each step and computes its loss from them."""

    def __init__(self, equations: list[str]) -> None:
        super().__init__()
        self.equations = equations
        self.past: nn.Module | None = None
        self.compared = 0

    def before_forward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        self.method = copy.deepcopy(strategy.model)

    def before_backward(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        if self.past is not None:
            expected = self.loss(strategy.mb_x)
            assert strategy.loss.item() == pytest.approx(expected.item(), rel=1e-9)
            self.compared += 1

    def after_training_exp(self, strategy: SelfSupervised, **kwargs: Any) -> None:
        network = nn.Sequential(strategy.model.backbone, strategy.model.projector)
        self.past = copy.deepcopy(network).eval()

    def loss(self, views: Tensor) -> Tensor:
        assert self.past is not None
        method, tensors = self.method, {}
        for view in (1, 2):
            images = views[:, view - 1]
            z = method.projector(method.backbone(images))
            tensors[f"z{view}"] = z
            tensors[f"f{view}"] = self.past(images)
            if "distillation_predictor" in method.heads:
                tensors[f"p{view}"] = method.heads["distillation_predictor"](
                    self.fed(z)
                )
            if hasattr(method, "predictor"):
                tensors[f"h{view}"] = method.predictor(z)
            if hasattr(method, "momentum_projector"):
                k = method.momentum_projector(method.momentum_backbone(images))
                tensors[f"k{view}"] = k / k.norm(dim=1, keepdim=True)
        if hasattr(method, "queue"):
            tensors["queue"] = method.queue.keys.transpose(1, 2)
            tensors["pseudo_queue"] = method.past_queue.keys.transpose(1, 2)
        inputs = Inputs(tensors, TAU, TAU_D, LAMBDA_PNR)
        return torch.stack([LOSSES[name](inputs) for name in self.equations]).sum()

    def fed(self, z: Tensor) -> Tensor:
        """What the distillation predictor receives: MoCo's q is normalised."""
        if hasattr(self.method, "queue"):
            return z / z.norm(dim=1, keepdim=True)
        return z


TAU, TAU_D, LAMBDA_PNR = 0.2, 0.3, 0.7


def make(name: str, regularizer: str) -> SelfSupervisedMethod:
    if name not in CONTRASTIVE:
        return METHODS[name](lambda_pnr=LAMBDA_PNR).double()
    # The reference vectors of SimCLR with PNR use tau_d in both terms.
    tau = TAU_D if (name, regularizer) == ("simclr", "pnr") else TAU
    return METHODS[name](temperature=tau, distillation_temperature=TAU_D).double()


@pytest.mark.parametrize("regularizer", PLUGINS)
@pytest.mark.parametrize("method", METHODS)
def test_strategy_loss_is_the_equation(
    method: str,
    regularizer: str,
    benchmark_of_digits: CLScenario,
    make_strategy: Any,
) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        recorder = Recorder(EQUATIONS[method, regularizer])
        plugins = [plugin() for plugin in PLUGINS[regularizer]]
        strategy = make_strategy(
            make(method, regularizer),
            plugins=[*plugins, recorder],
            train_mb_size=24,
            lr=1e-3,
        )
        for experience in benchmark_of_digits.train_stream[:3]:
            strategy.train(experience)
    finally:
        torch.set_default_dtype(torch.float32)
    assert recorder.compared == 4
