"""Regularizers that were tried beside PNR or in its place: docs/beyond.md has figures.

They run by their names here, as any plugin of one's own does:
``python -m experiments '+plugins.tried=[{_target_: experiments.trials.WeightAverage}]'
'regularizers=[finetune,tried]'``.
"""

from typing import Any

import torch
from avalanche.core import SupervisedPlugin
from torch import Tensor
from torch.nn.functional import log_softmax, mse_loss, normalize, softmax

from avalanche_pnr import PNRPlugin, SelfSupervisedMethod
from avalanche_pnr.plugins.distillation import DistillationPlugin, predict_past
from avalanche_pnr.plugins.features import PastFeaturesPlugin


class _CountsExperiences(SupervisedPlugin):
    """Base of plugins that change something from the second experience on."""

    def __init__(self) -> None:
        super().__init__()
        self.experiences = 0

    def before_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Count the experience."""
        self.experiences += 1


class _KeepsWeights(_CountsExperiences):
    """Base of those that keep the weights of the experience before."""

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the count and the weights."""
        return {"experiences": self.experiences, "before": dict(self._before)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self.experiences, self._before = state["experiences"], state["before"]


class WeightAverage(_KeepsWeights):
    """At the end of an experience: w <- w_before + share (w - w_before).

    List it before the plugins that take the past model.

    Args:
        share: Share of the new weights; ``None`` for 1 / t after experience t, the mean
            over experiences.
        only: Part of the names of the averaged tensors, ``running`` for BatchNorm's
            statistics; empty for all.
    """

    def __init__(self, *, share: float | None = None, only: str = "") -> None:
        super().__init__()
        self.share = share
        self.only = only

    def before_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Keep the weights."""
        super().before_training_exp(strategy, **kwargs)
        if self.experiences > 1:
            self._before = {
                name: tensor.clone()
                for name, tensor in strategy.model.state_dict().items()
                if self.only in name and tensor.is_floating_point()
            }

    @torch.no_grad()
    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Average; heads that are new stay as they are."""
        share = 1 / self.experiences if self.share is None else self.share
        now = strategy.model.state_dict()
        for name, before in self._before.items():
            now[name].copy_(torch.lerp(before, now[name], share))


class WeightAnchor(_KeepsWeights):
    """Adds weight / 2 |w - w_before|^2: EWC with an importance of 1 for each weight.

    Args:
        weight: Weight of the penalty.
    """

    def __init__(self, *, weight: float = 0.01) -> None:
        super().__init__()
        self.weight = weight

    def after_backward(self, strategy: Any, **kwargs: Any) -> None:
        """Add the gradient of the penalty."""
        for name, parameter in strategy.model.named_parameters():
            if name in self._before and parameter.grad is not None:
                change = parameter.detach() - self._before[name]
                parameter.grad.add_(change, alpha=self.weight)

    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Keep the weights."""
        parameters = strategy.model.named_parameters()
        self._before = {name: each.detach().clone() for name, each in parameters}


class SlowBackbone(_CountsExperiences):
    """Multiplies the backbone's gradients by a factor, from the second experience on.

    Args:
        factor: The factor.
    """

    def __init__(self, *, factor: float = 0.3) -> None:
        super().__init__()
        self.factor = factor

    def before_update(self, strategy: Any, **kwargs: Any) -> None:
        """Scale the gradients."""
        if self.experiences > 1:
            for parameter in strategy.model.backbone.parameters():
                if parameter.grad is not None:
                    parameter.grad *= self.factor


class FeatureCosine(PastFeaturesPlugin):
    """Adds weight * mean (2 - 2 cos(h, h_past)) of the backbone's features.

    Args:
        weight: Weight of the term.
    """

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def feature_regularizer(
        self, method: SelfSupervisedMethod, features: Tensor, past: Tensor
    ) -> Tensor:
        """Compute the term."""
        cosine = (normalize(features, dim=-1) * normalize(past, dim=-1)).sum(dim=-1)
        return self.weight * (2 - 2 * cosine).mean()


class FeatureRelations(PastFeaturesPlugin):
    """Adds the cross-entropy of softmaxes over a batch's similarities, now and past.

    Args:
        weight: Weight of the term.
        temperature: Of the present similarities.
        past_temperature: Of the past ones.

    Source: the relation distillation of Cha et al. 2021, arXiv 2106.14413.
    """

    def __init__(
        self,
        *,
        weight: float = 1.0,
        temperature: float = 0.2,
        past_temperature: float = 0.1,
    ) -> None:
        super().__init__()
        self.weight = weight
        self.temperature = temperature
        self.past_temperature = past_temperature

    def feature_regularizer(
        self, method: SelfSupervisedMethod, features: Tensor, past: Tensor
    ) -> Tensor:
        """Compute the term."""
        now, then = (_similarities(each) for each in (features, past))
        itself = torch.eye(len(now), dtype=torch.bool, device=now.device)
        far = torch.finfo(now.dtype).min
        log_p = log_softmax((now / self.temperature).masked_fill(itself, far), dim=-1)
        then = (then / self.past_temperature).masked_fill(itself, far)
        products = softmax(then, dim=-1) * log_p
        return -self.weight * products.masked_fill(itself, 0).sum(dim=-1).mean()


def _similarities(features: Tensor) -> Tensor:
    rows = normalize(features.flatten(0, 1), dim=-1)
    return rows @ rows.T


class Progressive(PNRPlugin):
    """PNR whose regularizer has a weight that changes with the epochs.

    Args:
        begin: Factor of L2 in the first epoch.
        end: What it would be after the last.
        predictor_hidden_dim: Width of g's hidden layer.
    """

    def __init__(
        self, *, begin: float, end: float, predictor_hidden_dim: int = 2048
    ) -> None:
        super().__init__(predictor_hidden_dim=predictor_hidden_dim)
        self.begin = begin
        self.end = end

    def objective(self, strategy: Any) -> dict[str, Tensor]:
        """Compute both terms, the second of them weighted."""
        terms = super().objective(strategy)
        progress = strategy.clock.train_exp_epochs / strategy.train_epochs
        terms[type(self).__name__] *= self.begin + (self.end - self.begin) * progress
        return terms


class DistilElsewhere(DistillationPlugin):
    """Distils the past model on images that the present experience does not have.

    Of the first view of each image; one pass more of both networks. For VICReg.

    Args:
        images: ``"turned"`` by a quarter or more, perhaps mirrored, or ``"pasted"``
            together of quarters of four images, each in another corner.
        predictor_hidden_dim: Width of g's hidden layer, as of the PNR beside it.
    """

    def __init__(
        self, *, images: str = "pasted", predictor_hidden_dim: int = 2048
    ) -> None:
        super().__init__(predictor_hidden_dim=predictor_hidden_dim)
        self.images = images

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        """Add lambda_distill MSE(g(z), f) of such images."""
        past, method = strategy.past_model.network, strategy.model
        if past is None:
            return
        make = {"turned": _turned, "pasted": _pasted}[self.images]
        images = make(strategy.mb_x[:, 0])
        with torch.no_grad():
            f = past(images).unsqueeze(1)
        p = predict_past(method, method(images.unsqueeze(1)))
        self.add_to_loss(strategy, method.lambda_distill * mse_loss(p, f))


def _turned(images: Tensor) -> Tensor:
    turned = torch.rot90(images, int(torch.randint(1, 4, ())), (-2, -1))
    return turned.flip(-1) if torch.rand(()) < 0.5 else turned


def _pasted(images: Tensor) -> Tensor:
    half = images.shape[-1] // 2
    pasted = images.clone()
    for top in (0, half):
        for left in (0, half):
            quarter = images[..., left : left + half, top : top + half]
            others = torch.randperm(len(images))
            pasted[..., top : top + half, left : left + half] = quarter[others]
    return pasted
