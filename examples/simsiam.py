"""A method of one's own: SimSiam, on scikit-learn's digits with PNR."""

import argparse

import torch
from lightly.models.modules import SimSiamPredictionHead, SimSiamProjectionHead
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity
from torchvision.transforms import Compose, RandomResizedCrop, ToTensor

import avalanche_pnr as pnr
from avalanche_pnr.evaluation import probe_accuracy
from avalanche_pnr.losses import LossReduction


class SimSiam(pnr.SelfSupervisedMethod):
    """Predict the other view's projection: Chen and He 2021, arXiv 2011.10566."""

    def __init__(self, backbone: nn.Module, dim: int = 2048) -> None:
        features = pnr.infer_feature_dim(backbone, (3, 32, 32))
        super().__init__(backbone, SimSiamProjectionHead(features, dim, dim), dim)
        self.predictor = SimSiamPredictionHead(dim, dim // 4, dim)

    def encode(self, images: Tensor) -> Tensor:
        """[z | h] of one view: the projection and SimSiam's prediction from it."""
        z = super().encode(images)
        return torch.cat([z, self.predictor(z)], dim=-1)

    def loss(self, output: Tensor, reduction: LossReduction = "mean") -> Tensor:
        """Negative cosine of h and the other view's z; stop-gradient on z."""
        z, h = output.chunk(2, dim=-1)
        each = -cosine_similarity(h, z.flip(1).detach(), dim=-1).mean(dim=1)  # (N,)
        return each.mean() if reduction == "mean" else each

    def distill_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        """Negative cosine of p and the same view's f, as CaSSLe distils SimSiam."""
        return -cosine_similarity(predicted, past, dim=-1).mean()

    def pseudo_negative_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        """Negative cosine of p and the other view's f."""
        return -cosine_similarity(predicted, past.flip(1), dim=-1).mean()


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
    model = SimSiam(pnr.resnet_small(), dim=256)
    strategy = pnr.SelfSupervised(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
        plugins=[pnr.PNRPlugin()],
        evaluator=None,
        train_mb_size=64,
        train_epochs=epochs,
    )
    streams = benchmark.train_stream, benchmark.test_stream
    for experience in benchmark.train_stream:
        strategy.train(experience)
        each = probe_accuracy(model, *streams, [pnr.ConvexProbe()])["convex"]
        print(f"linear probe, average accuracy: {100 * sum(each) / len(each):.1f} %")
