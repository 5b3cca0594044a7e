"""Strategies beside the plugins, as Avalanche has ``EWC`` beside ``EWCPlugin``.

Each is :class:`SelfSupervised` with one plugin of the same name. For anything else,
such as two methods at once, give :class:`SelfSupervised` the plugins themselves.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Required, TypedDict, TypeVar, Unpack

import torch
from avalanche.core import BasePlugin
from avalanche.training.plugins import EvaluationPlugin
from torch.optim import Optimizer

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.methods.precision import Precision
from avalanche_pnr.plugins import (
    CaSSLePlugin,
    CroMoMixupPlugin,
    DERPlugin,
    EWCPlugin,
    LessForgetPlugin,
    LUMPPlugin,
    OsirisPlugin,
    PFRPlugin,
    PNRPlugin,
)
from avalanche_pnr.plugins.past_source import Past
from avalanche_pnr.training.strategy import SelfSupervised

StrategyClass = TypeVar("StrategyClass", bound=type[SelfSupervised])


class StrategyOptions(TypedDict, total=False):
    """The arguments of :class:`SelfSupervised`, for type checkers."""

    model: Required[SelfSupervisedMethod]
    optimizer: Required[Optimizer]
    train_mb_size: int
    train_epochs: int
    eval_mb_size: int | None
    device: str | torch.device
    precision: Precision | None
    accumulate: int
    sync_batchnorm: bool
    plugins: Sequence[BasePlugin] | None
    evaluator: EvaluationPlugin | Callable[[], EvaluationPlugin] | None
    eval_every: int
    peval_mode: str


def _with_plugin(plugin: BasePlugin, options: StrategyOptions) -> StrategyOptions:
    """Put a plugin before those of the options."""
    return {**options, "plugins": [plugin, *(options.get("plugins") or ())]}


def _with_full_signature(strategy: StrategyClass) -> StrategyClass:
    """Let ``help`` and ``inspect`` show the arguments of ``SelfSupervised``, too."""
    own = inspect.signature(strategy.__init__).parameters
    base = inspect.signature(SelfSupervised.__init__)
    this, model, optimizer, *others = base.parameters.values()
    added = [each for each in own.values() if each.kind is each.KEYWORD_ONLY]
    full = base.replace(parameters=[this, model, optimizer, *added, *others])
    vars(strategy.__init__)["__signature__"] = full
    return strategy


class Finetune(SelfSupervised):
    """Train on one experience after the other, and do nothing against forgetting.

    The lower bound, which Avalanche calls ``Naive``. See :class:`SelfSupervised` for
    the arguments.
    """


@_with_full_signature
class PNR(SelfSupervised):
    """Pseudo-negative regularisation (PNR).

    See :class:`~avalanche_pnr.PNRPlugin` for the method. Task labels are not used.

    Args:
        predictor_hidden_dim: Width of the predictor's hidden layer; ``None`` for no
            predictor.
        lambda_pnr: Weight of the pseudo-negatives, for methods that have one (Barlow
            Twins, BYOL, VICReg); ``None`` for the method's own.
        past: Where the past model comes from: ``"experience"``, a snapshot at the end
            of each, or ``"ema"``, a moving average over steps.
        ema_decay: Decay of ``"ema"``, in [0, 1); ``None`` for 0.999.
        **options: Arguments of :class:`SelfSupervised`; its ``plugins`` come on top.

    Source: Cha et al. 2024, arXiv 2306.05101.
    """

    def __init__(
        self,
        *,
        predictor_hidden_dim: int | None = 2048,
        lambda_pnr: float | None = None,
        past: Past = "experience",
        ema_decay: float | None = None,
        **options: Unpack[StrategyOptions],
    ) -> None:
        plugin = PNRPlugin(
            predictor_hidden_dim=predictor_hidden_dim,
            lambda_pnr=lambda_pnr,
            past=past,
            ema_decay=ema_decay,
        )
        super().__init__(**_with_plugin(plugin, options))


@_with_full_signature
class CaSSLe(SelfSupervised):
    """Distillation of the past model through a predictor (CaSSLe).

    See :class:`~avalanche_pnr.CaSSLePlugin` for the method. Task labels are not used.

    Args:
        predictor_hidden_dim: Width of the predictor's hidden layer; ``None`` for no
            predictor.
        past: Where the past model comes from: ``"experience"``, a snapshot at the end
            of each, or ``"ema"``, a moving average over steps.
        ema_decay: Decay of ``"ema"``, in [0, 1); ``None`` for 0.999.
        **options: Arguments of :class:`SelfSupervised`; its ``plugins`` come on top.

    Source: Fini et al. 2022, arXiv 2112.04215.
    """

    def __init__(
        self,
        *,
        predictor_hidden_dim: int | None = 2048,
        past: Past = "experience",
        ema_decay: float | None = None,
        **options: Unpack[StrategyOptions],
    ) -> None:
        plugin = CaSSLePlugin(
            predictor_hidden_dim=predictor_hidden_dim,
            past=past,
            ema_decay=ema_decay,
        )
        super().__init__(**_with_plugin(plugin, options))


@_with_full_signature
class PFR(SelfSupervised):
    """Projected functional regularisation (PFR).

    See :class:`~avalanche_pnr.PFRPlugin` for the method. Task labels are not used.

    Args:
        lambda_pfr: Weight of the mean cosine.
        hidden_dim: Width of the hidden layer of the temporal projection.
        past: Where the past model comes from: ``"experience"``, a snapshot at the end
            of each, or ``"ema"``, a moving average over steps.
        ema_decay: Decay of ``"ema"``, in [0, 1); ``None`` for 0.999.
        **options: Arguments of :class:`SelfSupervised`; its ``plugins`` come on top.

    Source: Gomez-Villa et al. 2022, arXiv 2112.15022.
    """

    def __init__(
        self,
        *,
        lambda_pfr: float = 1.0,
        hidden_dim: int = 512,
        past: Past = "experience",
        ema_decay: float | None = None,
        **options: Unpack[StrategyOptions],
    ) -> None:
        plugin = PFRPlugin(
            lambda_pfr=lambda_pfr,
            hidden_dim=hidden_dim,
            past=past,
            ema_decay=ema_decay,
        )
        super().__init__(**_with_plugin(plugin, options))


@_with_full_signature
class LessForget(SelfSupervised):
    """Penalty on changes of the features of current images (LessForget).

    See :class:`~avalanche_pnr.LessForgetPlugin` for the method. Task labels are not
    used.

    Args:
        lambda_features: Weight of the squared distance.
        past: Where the past model comes from: ``"experience"``, a snapshot at the end
            of each, or ``"ema"``, a moving average over steps.
        ema_decay: Decay of ``"ema"``, in [0, 1); ``None`` for 0.999.
        **options: Arguments of :class:`SelfSupervised`; its ``plugins`` come on top.

    Source: Jung et al. 2016, arXiv 1607.00122.
    """

    def __init__(
        self,
        *,
        lambda_features: float = 1.0,
        past: Past = "experience",
        ema_decay: float | None = None,
        **options: Unpack[StrategyOptions],
    ) -> None:
        plugin = LessForgetPlugin(
            lambda_features=lambda_features,
            past=past,
            ema_decay=ema_decay,
        )
        super().__init__(**_with_plugin(plugin, options))


@_with_full_signature
class EWC(SelfSupervised):
    """Elastic weight consolidation (EWC), with importances of the SSL loss.

    See :class:`~avalanche_pnr.EWCPlugin` for the method. Task labels are not used.

    Args:
        ewc_lambda: Weight of the penalty.
        mode: ``"separate"`` for a penalty for each past experience, ``"online"`` for
            one with decaying importances.
        decay_factor: Decay of the importances in mode ``"online"``.
        keep_importance_data: Whether mode ``"online"`` keeps those of all experiences.
        **options: Arguments of :class:`SelfSupervised`; its ``plugins`` come on top.

    Source: Kirkpatrick et al. 2017, arXiv 1612.00796.
    """

    def __init__(
        self,
        *,
        ewc_lambda: float,
        mode: str = "separate",
        decay_factor: float | None = None,
        keep_importance_data: bool = False,
        **options: Unpack[StrategyOptions],
    ) -> None:
        plugin = EWCPlugin(ewc_lambda, mode, decay_factor, keep_importance_data)
        super().__init__(**_with_plugin(plugin, options))


@_with_full_signature
class DER(SelfSupervised):
    """Dark experience replay (DER) of projections.

    See :class:`~avalanche_pnr.DERPlugin` for the method. Task labels are not used.

    Args:
        lambda_der: Weight of the squared error.
        mem_size: Largest number of images in the memory.
        batch_size_mem: Number of images replayed with a batch; ``None`` for
            ``train_mb_size``.
        **options: Arguments of :class:`SelfSupervised`; its ``plugins`` come on top.

    Source: Buzzega et al. 2020, arXiv 2004.07211.
    """

    def __init__(
        self,
        *,
        lambda_der: float = 1.0,
        mem_size: int = 256,
        batch_size_mem: int | None = None,
        **options: Unpack[StrategyOptions],
    ) -> None:
        plugin = DERPlugin(
            lambda_der=lambda_der, mem_size=mem_size, batch_size_mem=batch_size_mem
        )
        super().__init__(**_with_plugin(plugin, options))


@_with_full_signature
class CroMoMixup(SelfSupervised):
    """Mixtures across experiences, compared with two models (CroMo-Mixup).

    See :class:`~avalanche_pnr.CroMoMixupPlugin` for the method. The authors distil as
    CaSSLe does, besides: add ``CaSSLePlugin`` to ``plugins``. Task labels are not used.

    Args:
        alpha: Parameter of the Beta distribution of the mixtures.
        mem_size: Largest number of images in the memory.
        batch_size_mem: Number of mixtures in a batch; ``None`` for ``train_mb_size``.
        **options: Arguments of :class:`SelfSupervised`; its ``plugins`` come on top.

    Source: Mushtaq et al. 2024, arXiv 2407.12188.
    """

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        mem_size: int = 256,
        batch_size_mem: int | None = None,
        **options: Unpack[StrategyOptions],
    ) -> None:
        plugin = CroMoMixupPlugin(
            alpha=alpha, mem_size=mem_size, batch_size_mem=batch_size_mem
        )
        super().__init__(**_with_plugin(plugin, options))


@_with_full_signature
class LUMP(SelfSupervised):
    """Mixtures of current and remembered images (LUMP).

    See :class:`~avalanche_pnr.LUMPPlugin` for the method. Task labels are not used.

    Args:
        alpha: Parameter of the Beta distribution of the mixtures.
        mem_size: Largest number of images in the memory.
        **options: Arguments of :class:`SelfSupervised`; its ``plugins`` come on top.

    Source: Madaan et al. 2022, arXiv 2110.06976.
    """

    def __init__(
        self,
        *,
        alpha: float = 0.4,
        mem_size: int = 256,
        **options: Unpack[StrategyOptions],
    ) -> None:
        plugin = LUMPPlugin(alpha=alpha, mem_size=mem_size)
        super().__init__(**_with_plugin(plugin, options))


@_with_full_signature
class Osiris(SelfSupervised):
    """Replay with losses of past images and across experiences (Osiris-R).

    See :class:`~avalanche_pnr.OsirisPlugin` for the method. Task labels are not used.

    Args:
        lambda_osiris: Weight of both losses.
        temperature: Temperature of both losses.
        mem_size: Largest number of images in the memory.
        batch_size_mem: Number of images replayed with a batch; ``None`` for
            ``train_mb_size``.
        **options: Arguments of :class:`SelfSupervised`; its ``plugins`` come on top.

    Source: Zhang et al. 2024, arXiv 2404.19132.
    """

    def __init__(
        self,
        *,
        lambda_osiris: float = 0.5,
        temperature: float = 0.1,
        mem_size: int = 256,
        batch_size_mem: int | None = None,
        **options: Unpack[StrategyOptions],
    ) -> None:
        plugin = OsirisPlugin(
            lambda_osiris=lambda_osiris,
            temperature=temperature,
            mem_size=mem_size,
            batch_size_mem=batch_size_mem,
        )
        super().__init__(**_with_plugin(plugin, options))
