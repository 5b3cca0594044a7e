"""PNR in a Lightning module, on scikit-learn's digits."""

import argparse
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from torch import Tensor
from torch.optim import SGD, Optimizer
from torch.utils.data import DataLoader
from torchvision.transforms import Compose, RandomResizedCrop, ToTensor

import avalanche_pnr as pnr
from avalanche_pnr.evaluation import probe_accuracy
from avalanche_pnr.plugins import PastModelPlugin


class ContinualModule(LightningModule):
    """A method and its continual loss; ``Trainer.fit`` trains on one experience."""

    def __init__(
        self, model: pnr.SelfSupervisedMethod, plugin: PastModelPlugin, lr: float = 0.1
    ) -> None:
        super().__init__()
        self.model = model
        self.continual_loss = pnr.ContinualLoss(plugin)
        self.lr = lr

    def setup(self, stage: str) -> None:
        """Begin the experience, before Lightning asks for the optimizer."""
        self.continual_loss.pre_adapt(self)

    def configure_optimizers(self) -> Optimizer:
        """A new one for each experience."""
        return SGD(self.model.parameters(), self.lr, momentum=0.9)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """The loss of a batch ``(views, ...)``."""
        return self.continual_loss(batch[0])

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Let queues and momentum networks follow the step."""
        steps = int(self.trainer.estimated_stepping_batches)
        self.continual_loss.after_step(self.trainer.global_step - 1, steps)

    def on_train_end(self) -> None:
        """End the experience."""
        self.continual_loss.post_adapt(self)


def train(module: ContinualModule, loader: DataLoader[Any], epochs: int) -> None:
    """Train on an experience."""
    trainer = Trainer(
        max_epochs=epochs,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, loader)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
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
    model = pnr.MoCoV2Plus(pnr.resnet_small(), queue_length=1024)
    module = ContinualModule(model, pnr.PNRPlugin())
    streams = benchmark.train_stream, benchmark.test_stream
    for experience in benchmark.train_stream:
        loader = DataLoader(experience.dataset, 64, shuffle=True, drop_last=True)
        train(module, loader, epochs)
        each = probe_accuracy(model, *streams, [pnr.ConvexProbe()])["convex"]
        print(f"linear probe, average accuracy: {100 * sum(each) / len(each):.1f} %")
