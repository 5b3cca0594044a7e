"""Regularizers that were tried beside PNR or in its place: docs/beyond.md has figures.

They run by their names here, as any plugin of one's own does:
``python -m experiments '+plugins.tried=[{_target_: experiments.trials.WeightAverage}]'
'regularizers=[finetune,tried]'``.
"""

from collections.abc import Sequence
from typing import Any

import torch
from avalanche.core import SupervisedPlugin
from torch import Tensor
from torch.nn import Conv2d, Linear, Module
from torch.nn.functional import (
    cosine_similarity,
    log_softmax,
    mse_loss,
    normalize,
    softmax,
    unfold,
)

from avalanche_pnr import PNRPlugin, SelfSupervisedMethod
from avalanche_pnr.plugins import PastModelPlugin
from avalanche_pnr.plugins.distillation import DistillationPlugin, predict_past
from avalanche_pnr.plugins.features import PastFeaturesPlugin
from avalanche_pnr.plugins.recorded import RecordedFeatures


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


class LateMean(SupervisedPlugin):
    """At the end of an experience: w <- the mean of w over the ends of its last epochs.

    BatchNorm's statistics and queues are averaged, too. List it before the plugins that
    take the past model.

    Args:
        share: Share of the epochs that count.
    """

    def __init__(self, *, share: float = 0.5) -> None:
        super().__init__()
        self.share = share
        self._epochs = 0
        self._mean: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the count of epochs and the mean so far."""
        return {"epochs": self._epochs, "mean": dict(self._mean)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self._epochs, self._mean = state["epochs"], state["mean"]

    @torch.no_grad()
    def after_training_epoch(self, strategy: Any, **kwargs: Any) -> None:
        """Move the mean."""
        done = strategy.clock.train_exp_epochs + 1
        if done <= strategy.train_epochs * (1 - self.share):
            return
        self._epochs += 1
        for name, tensor in strategy.model.state_dict().items():
            if tensor.is_floating_point():
                mean = self._mean.setdefault(name, torch.zeros_like(tensor))
                mean.lerp_(tensor, 1 / self._epochs)

    @torch.no_grad()
    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Take it."""
        now = strategy.model.state_dict()
        for name, mean in self._mean.items():
            now[name].copy_(mean)
        self._epochs, self._mean = 0, {}


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
        pseudo_negative: Weight of the past features of the other view, as
            pseudo-negatives; that of the same view is 1 more.
    """

    def __init__(self, *, weight: float = 1.0, pseudo_negative: float = 0.0) -> None:
        super().__init__()
        self.weight = weight
        self.pseudo_negative = pseudo_negative

    def feature_regularizer(
        self, method: SelfSupervisedMethod, features: Tensor, past: Tensor
    ) -> Tensor:
        """Compute the term."""
        h, f = normalize(features, dim=-1), normalize(past, dim=-1)
        c = self.pseudo_negative
        target = (1 + c) * f - c * f.flip(1) if c else f
        return self.weight * (2 - 2 * (h * target).sum(dim=-1)).mean()


class FeatureSpread(SupervisedPlugin):
    """Adds weight / F * the squared correlations of different features of h.

    The correlations are taken over all views of a batch. In the comparison it acts from
    the second experience on, as the first is trained without plugins.

    Args:
        weight: Weight of the term.
    """

    def __init__(self, *, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight
        self._recorded: RecordedFeatures | None = None

    def before_forward(self, strategy: Any, **kwargs: Any) -> None:
        """Record the backbone's features."""
        self.after_forward(strategy)  # where the last pass has failed
        self._recorded = RecordedFeatures(strategy.model.backbone)

    def after_forward(self, strategy: Any, **kwargs: Any) -> None:
        """Stop recording."""
        if self._recorded is not None:
            self._recorded.stop()

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        """Add the term."""
        recorded, self._recorded = self._recorded, None
        assert recorded is not None
        h = recorded.features(len(strategy.mb_x)).flatten(0, 1)
        h = h - h.mean(dim=0)
        h = h / (h.square().mean(dim=0) + 1e-4).sqrt()
        correlations = h.T @ h / len(h)
        squares = correlations.square()
        others = squares.sum() - squares.diagonal().sum()
        strategy.loss += self.weight * others / len(squares)


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


class MapCosine(PastModelPlugin):
    """Adds weight * mean (2 - 2 cos) of the backbone's feature maps, now and past.

    The cosine is taken over the channels, place by place, and averaged over stages. The
    past maps come from the past model's forward pass for the batch, no further one.
    List it before other plugins about the past.

    Args:
        weight: Weight of the term.
        stages: Modules of the backbone that return maps (N, C, H, W), their names
            between spaces.
    """

    def __init__(self, *, weight: float = 5.0, stages: str = "4 5 6") -> None:
        super().__init__()
        self.supports_distributed = False
        self.weight = weight
        self.stages = stages
        self._now: _Maps | None = None
        self._past: _Maps | None = None

    def before_forward(self, strategy: Any, **kwargs: Any) -> None:
        """Record the maps of both networks."""
        for each in (self._now, self._past):  # where the last pass has failed
            if each is not None:
                each.stop()
        self._now = self._past = None
        network = strategy.past_model.network
        if network is not None:
            self._now = _Maps(strategy.model.backbone, self.stages.split())
            self._past = _Maps(network[0], self.stages.split())

    def after_forward(self, strategy: Any, **kwargs: Any) -> None:
        """Stop recording the present ones."""
        if self._now is not None:
            self._now.stop()

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        """Add the term."""
        now, past, self._now, self._past = self._now, self._past, None, None
        if now is None or past is None:
            return
        strategy.past_model(strategy.mb_x)  # unless PNR has asked for it before
        past.stop()
        pairs = zip(now.of_views(), past.of_views(), strict=True)
        cosines = [cosine_similarity(h, f, dim=1).mean() for h, f in pairs]
        self.add_to_loss(strategy, self.weight * (2 - 2 * torch.stack(cosines).mean()))


class _Maps:
    """Records the outputs of modules in a pass over the views of a batch."""

    def __init__(self, backbone: Module, stages: Sequence[str]) -> None:
        self._outputs: list[list[Tensor]] = [[] for _ in stages]
        self._hooks = [
            backbone.get_submodule(stage).register_forward_hook(
                lambda _module, _inputs, output, kept=kept: kept.append(output)
            )
            for stage, kept in zip(stages, self._outputs, strict=True)
        ]

    def stop(self) -> None:
        """Remove the hooks."""
        for hook in self._hooks:
            hook.remove()

    def of_views(self) -> list[Tensor]:
        """Return the maps of each stage, (N * V, C, H, W), image by image."""
        return [torch.stack(kept, dim=1).flatten(0, 1) for kept in self._outputs]


class SoftNullSpace(SupervisedPlugin):
    """Multiplies the gradient of each backbone layer's weights by (C + I)^-1.

    C is the uncentred covariance of the layer's inputs (patches, for convolutions) over
    past experiences, divided by the mean of its diagonal and by ``eps``: what moves
    the outputs for past inputs is damped, what they do not use stays free. It costs a
    product of matrices a layer and step, and a pass over each experience at its end.

    Args:
        eps: Share of the mean energy at which a direction is damped to one half.

    Source: a soft form of Adam-NSCL, Wang et al. 2021, arXiv 2103.07113, and of GPM,
    Saha et al. 2021, arXiv 2103.09762.
    """

    def __init__(self, *, eps: float = 1.0) -> None:
        super().__init__()
        self.eps = eps
        self._covariances: dict[str, Tensor] = {}
        self._damping: dict[str, Tensor] | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return the sums of covariances."""
        return dict(self._covariances)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them."""
        self._covariances, self._damping = dict(state), None

    def before_update(self, strategy: Any, **kwargs: Any) -> None:
        """Damp the gradients, from the second experience on."""
        if self._damping is None:
            found = self._covariances.items()
            self._damping = {name: _damping(each, self.eps) for name, each in found}
        for name, layer in _layers(strategy.model.backbone):
            if name in self._damping and layer.weight.grad is not None:
                rows = layer.weight.grad.flatten(1) @ self._damping[name]
                layer.weight.grad.copy_(rows.reshape(layer.weight.shape))

    @torch.no_grad()
    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Add the covariances of this experience."""
        sums: dict[str, list[Tensor]] = {}
        hooks = [
            layer.register_forward_hook(
                lambda layer, inputs, _output, name=name: sums.setdefault(
                    name, []
                ).append(_covariance(layer, inputs[0]))
            )
            for name, layer in _layers(strategy.model.backbone)
        ]
        strategy.model.eval()
        for views in strategy.training_views():
            strategy.model(views)
        for hook in hooks:
            hook.remove()
        for name, each in sums.items():
            mean = torch.stack(each).mean(dim=0)
            self._covariances[name] = self._covariances.get(name, 0) + mean
        self._damping = None


def _layers(backbone: Module) -> list[tuple[str, Conv2d | Linear]]:
    return [
        (name, each)
        for name, each in backbone.named_modules()
        if isinstance(each, Linear) or (isinstance(each, Conv2d) and each.groups == 1)
    ]


def _covariance(layer: Conv2d | Linear, inputs: Tensor) -> Tensor:
    rows = inputs
    if isinstance(layer, Conv2d):
        padding = layer.padding
        assert not isinstance(padding, str)
        patches = unfold(
            inputs, layer.kernel_size, layer.dilation, padding, layer.stride
        )
        rows = patches.transpose(1, 2).flatten(0, 1)
    return rows.T @ rows / len(rows)


def _damping(covariance: Tensor, eps: float) -> Tensor:
    mean = covariance.diagonal().mean().clamp_min(1e-12)
    unit = torch.eye(len(covariance), device=covariance.device)
    inverse: Tensor = torch.linalg.inv(covariance / (eps * mean) + unit)
    return inverse


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
