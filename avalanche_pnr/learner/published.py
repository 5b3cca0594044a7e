"""Published settings of each SSL method on photographs: the learner's defaults.

Two sets of settings are published, one for CIFAR-100 (32 px) and one for ImageNet-100
and DomainNet (224 px). A learner of small images has the first, others the second.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from avalanche_pnr.methods import (
    BYOL,
    BarlowTwins,
    MoCoV2Plus,
    SelfSupervisedMethod,
    SimCLR,
    VICReg,
)

SMALL_IMAGES = 64
"""Up to this size, in pixels, images are small, and a ResNet has the stem for them."""

ADAMW_LR = 1e-3
"""Learning rate of AdamW for 256 images, the comparison's; not published."""


@dataclass(frozen=True)
class Recipe:
    """Settings of an SSL method, those that two sizes of images share or one has.

    Attributes:
        method: Its class, whose defaults are the published widths and lambdas.
        base_lr: Learning rate of LARS for 256 images, small and large.
        sgd_base_lr: Learning rate of SGD for 256 images; not published, but of short
            runs on a CPU.
        weight_decay: Of tensors that LARS adapts.
        exclude_bias_and_norm: Whether LARS leaves one-dimensional tensors alone.
        min_scale: Least fraction of an image's area that a crop keeps.
        solarize: Probability in the first and in the second view.
        large_blur: Probability in the views of large images; small ones have none.
        large_arguments: Arguments of the method that large images change.

    Source: the recipes of Cha et al. 2024, arXiv 2306.05101.
    """

    method: type[SelfSupervisedMethod]
    base_lr: tuple[float, float]
    sgd_base_lr: float
    weight_decay: float = 1e-4
    exclude_bias_and_norm: bool = True
    min_scale: float = 0.08
    solarize: tuple[float, float] = (0.0, 0.2)
    large_blur: tuple[float, float] = (1.0, 0.1)
    large_arguments: Mapping[str, Any] = field(default_factory=dict)

    def rate(self, optimizer: str, image_size: int) -> float:
        """Return the learning rate for 256 images.

        Args:
            optimizer: ``lars``, ``sgd`` or ``adamw``.
            image_size: Height and width of a view, pixels.
        """
        if optimizer == "adamw":
            return ADAMW_LR
        if optimizer == "sgd":
            return self.sgd_base_lr
        return self.base_lr[image_size > SMALL_IMAGES]

    def arguments(self, image_size: int) -> dict[str, Any]:
        """Return the arguments of the method that are not its defaults."""
        return dict(self.large_arguments) if image_size > SMALL_IMAGES else {}

    def views(self, image_size: int) -> dict[str, Any]:
        """Return the arguments of ``make_ssl_transform`` that are not its defaults."""
        return {
            "min_scale": self.min_scale,
            "solarize": self.solarize,
            "blur": self.large_blur if image_size > SMALL_IMAGES else (0.0, 0.0),
        }


METHODS = {
    "vicreg": Recipe(
        VICReg,
        base_lr=(0.3, 0.4),
        sgd_base_lr=0.04,
        min_scale=0.2,
        solarize=(0.1, 0.1),
        large_blur=(0.5, 0.5),
    ),
    "barlow_twins": Recipe(BarlowTwins, base_lr=(0.4, 0.4), sgd_base_lr=0.1),
    "simclr": Recipe(SimCLR, base_lr=(0.6, 0.4), sgd_base_lr=0.4),
    "byol": Recipe(
        BYOL,
        base_lr=(1.0, 0.6),
        sgd_base_lr=0.1,
        weight_decay=1e-5,
        large_arguments={"predictor_hidden_dim": 8192},
    ),
    "mocov2plus": Recipe(
        MoCoV2Plus,
        base_lr=(0.6, 0.6),
        sgd_base_lr=0.4,
        exclude_bias_and_norm=False,
        solarize=(0.0, 0.2),
    ),
}
