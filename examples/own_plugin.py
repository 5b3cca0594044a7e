r"""A regularizer of one's own, on scikit-learn's digits.

In the comparison, beside finetuning and PNR, with its network and views:
PYTHONPATH=examples python -m experiments 'regularizers=[finetune,pnr,own]' \
    '+plugins.own=[{_target_: own_plugin.StayClose, weight: 10.0}]'
"""

import argparse
from typing import Any

import torch
from torch.nn.functional import cosine_similarity
from torchvision.transforms import Compose, RandomResizedCrop, ToTensor

import avalanche_pnr as pnr
from avalanche_pnr.evaluation import probe_accuracy
from avalanche_pnr.plugins import PastModelPlugin


class StayClose(PastModelPlugin):
    """Adds weight * mean(1 - cos(z, f)): embeddings stay where the past model has them.

    Args:
        weight: Weight of the term.
    """

    def __init__(self, *, weight: float = 10.0) -> None:
        super().__init__()
        self.weight = weight

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        """Add the term, from the second experience on."""
        if strategy.past_model.exists:
            z = strategy.model.projection(strategy.mb_output)
            f = strategy.past_model(strategy.mb_x)
            term = (1 - cosine_similarity(z, f, dim=-1)).mean()
            self.add_to_loss(strategy, self.weight * term)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=10, help="of each experience")
    epochs = parser.parse_args().epochs
    torch.manual_seed(0)
    crop = Compose([RandomResizedCrop(8, (0.5, 1.0)), ToTensor()])
    benchmark = pnr.class_incremental(
        pnr.load_digits(),
        n_experiences=5,
        train_transform=pnr.TwoViews(crop),
        eval_transform=ToTensor(),
    )
    model = pnr.VICReg(pnr.resnet_small(32), hidden_dim=256, projection_dim=256)
    strategy = pnr.SelfSupervised(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        plugins=[StayClose()],
        evaluator=None,
        train_mb_size=64,
        train_epochs=epochs,
    )
    streams = benchmark.train_stream, benchmark.test_stream
    for experience in benchmark.train_stream:
        strategy.train(experience)
        each = probe_accuracy(model, *streams, [pnr.ConvexProbe()])["convex"]
        print(f"linear probe, average accuracy: {100 * sum(each) / len(each):.1f} %")
