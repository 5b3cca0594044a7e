"""The mixin of methods with an InfoNCE loss."""

from typing import Literal

from torch import Tensor
from torch.nn.functional import normalize

from avalanche_pnr.losses import contrastive_distillation
from avalanche_pnr.methods.checks import check_choice

PseudoNegatives = Literal["both", "loss", "regularizer", "neither"]
"""Choices of the terms of PNR that hold pseudo-negatives: the paper's ablation."""


class ContrastiveMixin:
    """Temperatures, CaSSLe's distillation, and where PNR puts pseudo-negatives.

    Attributes:
        temperature: tau of the SSL loss.
        distillation_temperature: tau_d of the terms that use the past model.
        pseudo_negatives: Which of PNR's two terms hold pseudo-negatives.
        pseudo_negatives_in_loss: Whether L1 holds past outputs.
        pseudo_negatives_in_regularizer: Whether L2 holds current outputs.
    """

    def set_contrast(
        self,
        temperature: float,
        distillation_temperature: float,
        pseudo_negatives: PseudoNegatives,
    ) -> None:
        """Check and keep the settings of the losses.

        Raises:
            ValueError: If a temperature is not above 0, or the choice is unknown.
        """
        temperatures = {
            "temperature": temperature,
            "distillation_temperature": distillation_temperature,
        }
        for name, value in temperatures.items():
            if not 0 < value < float("inf"):
                raise ValueError(f"{name} must be above 0 and finite, got {value}")
        check_choice("pseudo_negatives", pseudo_negatives, PseudoNegatives)
        self.temperature = temperature
        self.distillation_temperature = distillation_temperature
        self.pseudo_negatives = pseudo_negatives
        self.pseudo_negatives_in_loss = pseudo_negatives in ("both", "loss")
        self.pseudo_negatives_in_regularizer = pseudo_negatives in (
            "both",
            "regularizer",
        )

    def distill_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        """Compute CaSSLe's InfoNCE between predictions and past outputs."""
        p, f = normalize(predicted, dim=-1), normalize(past, dim=-1)
        return contrastive_distillation(p, f, self.distillation_temperature)
