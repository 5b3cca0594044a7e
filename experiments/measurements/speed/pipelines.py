"""Pipelines for the two views of a recipe's images: the package's and kornia's."""

from functools import cache
from typing import Any

import kornia.augmentation as modules
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

import experiments.__main__  # noqa: F401  (registers the resolvers)
from avalanche_pnr import BatchedViews
from experiments.overrides import CONF

PER_IMAGE, BATCHED, KORNIA = "per image", "batched", "kornia"


@cache
def configuration(*choices: str) -> DictConfig:
    """Compose the settings of a command with these arguments."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", list(choices))


def pipelines(data: DictConfig, **other: Any) -> dict[str, Any]:
    """Make the train transforms with the parameters of one recipe.

    Args:
        data: The recipe's data settings.
        **other: Parameters of ``make_ssl_transform`` to replace.
    """
    views: Any = OmegaConf.merge(data.views, other)
    return {
        PER_IMAGE: instantiate(views),
        BATCHED: instantiate(views, batched=True),
        KORNIA: kornia_views(**views),
    }


def kornia_views(
    *,
    size: int,
    mean: list[float],
    std: list[float],
    min_scale: float,
    blur: list[float],
    solarize: list[float],
    jitter: list[float],
    jitter_probability: float,
    greyscale: float,
    blur_sigma: list[float],
    flip: float,
    **_: Any,
) -> BatchedViews:
    """Make the views of ``make_ssl_transform`` by kornia's modules alone."""

    def steps(blurred: float, solarized: float) -> tuple[Any, ...]:
        crop = modules.RandomResizedCrop(
            (size, size),
            (min_scale, 1.0),
            resample="bicubic",
            cropping_mode="resample",
        )
        return (
            crop,
            modules.RandomHorizontalFlip(p=flip),
            modules.ColorJitter(*jitter, p=jitter_probability),
            modules.RandomGrayscale(p=greyscale),
            modules.RandomGaussianBlur((13, 13), tuple(blur_sigma), p=blurred),
            modules.RandomSolarize((0.5, 0.5), (0.0, 0.0), p=solarized),
            modules.Normalize(tuple(mean), tuple(std)),
        )

    def happening(steps: tuple[Any, ...]) -> tuple[Any, ...]:
        """Leave out modules of probability 0, which would be computed all the same."""
        return tuple(step for step in steps if step.p > 0)

    first, second = zip(blur, solarize, strict=True)
    return BatchedViews(*(happening(steps(*each)) for each in (first, second)))
