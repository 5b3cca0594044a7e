"""What each reference vector of ``GOLDEN_DIR`` is computed by in this package.

Reads the inputs of one file (views 1 and 2 as separate arrays) and gives the loss.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, mse_loss, normalize

from avalanche_pnr import losses


@dataclass(frozen=True)
class Inputs:
    """One file's inputs, stacked as the losses take them."""

    tensors: dict[str, Tensor]
    tau: float
    distill_tau: float
    lambda_pnr: float

    def views(self, name: str) -> Tensor:
        """Both views, raw, (N, 2, D)."""
        return torch.stack([self.tensors[f"{name}1"], self.tensors[f"{name}2"]], 1)

    def unit(self, name: str) -> Tensor:
        """Both views, L2-normalised, (N, 2, D)."""
        return normalize(self.views(name), dim=-1)

    def queue(self, name: str) -> Tensor:
        """A queue as (2, K, D)."""
        return self.tensors[name].transpose(1, 2)

    def same_view(self, loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Mean over the views of loss(p, f of the same view)."""
        p, f = self.views("p"), self.views("f")
        return (loss(p[:, 0], f[:, 0]) + loss(p[:, 1], f[:, 1])) / 2

    def other_view(self, loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Mean over the views of loss(p, f of the other view)."""
        p, f = self.views("p"), self.views("f")
        return (loss(p[:, 0], f[:, 1]) + loss(p[:, 1], f[:, 0])) / 2


def moco(x: Inputs) -> Tensor:
    return losses.moco_loss(x.unit("z"), x.views("k"), [x.queue("queue")], x.tau)


def moco_pnr(x: Inputs) -> Tensor:
    queues = [x.queue("queue"), x.queue("pseudo_queue")]
    ssl_loss = losses.moco_loss(x.unit("z"), x.views("k"), queues, x.tau)
    return ssl_loss + losses.moco_distillation(
        x.unit("p"), x.unit("f"), queues, x.distill_tau
    )


def mocov3(x: Inputs) -> Tensor:
    return losses.moco_v3_loss(x.unit("h"), x.views("k"), x.tau)


def mocov3_cassle(x: Inputs) -> Tensor:
    return 4 * x.distill_tau * contrastive_cassle(x)


def mocov3_pnr(x: Inputs) -> Tensor:
    h, k, p, f = x.unit("h"), x.views("k"), x.unit("p"), x.unit("f")
    ssl_loss = losses.moco_v3_loss(h, k, x.tau, f)
    return ssl_loss + losses.moco_v3_distillation(p, f, x.distill_tau, k)


def simclr(x: Inputs) -> Tensor:
    return losses.simclr_loss(x.unit("z"), x.tau)


def simclr_pnr(x: Inputs, positive_in_denominator: bool) -> Tensor:
    z, p, f = x.unit("z"), x.unit("p"), x.unit("f")
    ssl_loss = losses.simclr_loss(z, x.distill_tau, past=f)
    return ssl_loss + losses.simclr_distillation(
        p, f, x.distill_tau, z, positive_in_denominator
    )


def contrastive_cassle(x: Inputs) -> Tensor:
    return losses.contrastive_distillation(x.unit("p"), x.unit("f"), x.distill_tau)


def barlow(x: Inputs) -> Tensor:
    return losses.barlow_twins_loss(x.tensors["z1"], x.tensors["z2"])


def barlow_cassle(x: Inputs) -> Tensor:
    return x.same_view(losses.barlow_twins_loss)


def barlow_pnr(x: Inputs) -> Tensor:
    pseudo_negative = x.other_view(lambda p, f: -cosine_similarity(p, f).mean())
    return barlow(x) + barlow_cassle(x) - x.lambda_pnr * pseudo_negative


def byol(x: Inputs) -> Tensor:
    h, k = x.views("h"), x.views("k")
    return losses.byol_distance(h[:, 0], k[:, 1]) + losses.byol_distance(
        h[:, 1], k[:, 0]
    )


def byol_cassle(x: Inputs) -> Tensor:
    return x.same_view(losses.byol_distance)


def byol_pnr(x: Inputs) -> Tensor:
    pseudo_negative = x.other_view(losses.byol_distance)
    return byol(x) + byol_cassle(x) - x.lambda_pnr * pseudo_negative


def vicreg(x: Inputs) -> Tensor:
    return losses.vicreg_loss(x.tensors["z1"], x.tensors["z2"])


def vicreg_cassle(x: Inputs) -> Tensor:
    return 25 * x.same_view(mse_loss)


def vicreg_pnr(x: Inputs) -> Tensor:
    return vicreg(x) + vicreg_cassle(x) - x.lambda_pnr * x.other_view(mse_loss)


LOSSES: dict[str, Callable[[Inputs], Tensor]] = {
    "moco": moco,
    "moco_pnr": moco_pnr,
    # Of MoCo v3 there are no vectors: tests/methods computes its equations by hand.
    "mocov3": mocov3,
    "mocov3_cassle": mocov3_cassle,
    "mocov3_pnr": mocov3_pnr,
    "simclr": simclr,
    "simclr_pnr_released": lambda x: simclr_pnr(x, False),
    "simclr_pnr_positive_in_denominator": lambda x: simclr_pnr(x, True),
    "contrastive_cassle": contrastive_cassle,
    "barlow": barlow,
    "barlow_cassle": barlow_cassle,
    "barlow_pnr": barlow_pnr,
    "byol": byol,
    "byol_cassle": byol_cassle,
    "byol_pnr": byol_pnr,
    "vicreg": vicreg,
    "vicreg_cassle": vicreg_cassle,
    "vicreg_pnr": vicreg_pnr,
}
