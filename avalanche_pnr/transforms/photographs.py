"""The published views of photographs, and the view used in evaluation."""

from collections.abc import Callable, Sequence
from typing import Any

from lightly.transforms import GaussianBlur, RandomSolarization
from torchvision.transforms import (
    CenterCrop,
    ColorJitter,
    Compose,
    InterpolationMode,
    Normalize,
    RandomApply,
    RandomGrayscale,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
    ToTensor,
)

from avalanche_pnr.transforms import batched_steps as batch
from avalanche_pnr.transforms.batched import BatchedView, BatchedViews, Step
from avalanche_pnr.transforms.random_crops import RandomResizedCrops
from avalanche_pnr.transforms.two_views import TwoViews


def make_eval_transform(
    *,
    mean: Sequence[float],
    std: Sequence[float],
    resize: int | None = None,
    crop: int | None = None,
    batched: bool = False,
) -> Callable[[Any], Any]:
    """Make the transform used in evaluation: normalisation without distortion.

    Args:
        mean: Mean of each channel, for normalisation.
        std: Standard deviation of each channel.
        resize: Length in pixels to which the shorter side is resized first; ``None``
            leaves it.
        crop: Height and width in pixels of the centre crop after that; ``None`` for
            none.
        batched: Whether the images of a batch, which then have one size, are
            normalised at once, to the same numbers: several times as fast at 32 px.

    Raises:
        ValueError: If ``batched`` images are to be resized or cropped.
    """
    if batched:
        if (resize, crop) != (None, None):
            raise ValueError(
                f"batched images have one size already, got resize={resize} and "
                f"crop={crop}: leave these two out, or batched"
            )
        return BatchedView((batch.Normalize(tuple(mean), tuple(std)),))
    steps: list[Callable[[Any], Any]] = [ToTensor(), Normalize(mean, std)]
    if crop is not None:
        steps.insert(0, CenterCrop(crop))
    if resize is not None:
        steps.insert(0, Resize(resize))
    transform: Callable[[Any], Any] = Compose(steps)
    return transform


def cropped_view(
    size: int, *, mean: Sequence[float], std: Sequence[float], flip: float = 0.5
) -> Compose:
    """Make the transform of the published probe: a random crop, sometimes mirrored.

    Args:
        size: Height and width of the crop in pixels.
        mean: Mean of each channel, for normalisation.
        std: Standard deviation of each channel.
        flip: Probability that the crop is mirrored.

    Source: the recipes of Cha et al. 2024, arXiv 2306.05101, those of CaSSLe.
    """
    return Compose(
        [
            RandomResizedCrop(size),
            RandomHorizontalFlip(flip),
            ToTensor(),
            Normalize(mean, std),
        ]
    )


def make_ssl_transform(
    size: int,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    min_scale: float = 0.08,
    blur: tuple[float, float] = (0.0, 0.0),
    solarize: tuple[float, float] = (0.0, 0.2),
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.2, 0.1),
    jitter_probability: float = 0.8,
    greyscale: float = 0.2,
    blur_sigma: tuple[float, float] = (0.1, 2.0),
    flip: float = 0.5,
    batched: bool = False,
) -> TwoViews | BatchedViews:
    """Make the transform to two views of a photograph, with different distortions.

    In this order: bicubic random resized crop, colour jitter, greyscale, Gaussian blur,
    solarisation, horizontal flip. The defaults are those of CIFAR-100.

    Args:
        size: Height and width of a view in pixels.
        mean: Mean of each channel, for normalisation.
        std: Standard deviation of each channel.
        min_scale: Least fraction of the image's area that a crop keeps.
        blur: Probability of blur in the first and in the second view.
        solarize: Probability of solarisation in the first and in the second view.
        jitter: Greatest change of brightness, contrast, saturation and hue.
        jitter_probability: Probability that colours are changed.
        greyscale: Probability that a view is grey.
        blur_sigma: Least and greatest standard deviation of the blur in pixels.
        flip: Probability that a view is mirrored.
        batched: Whether the views of a whole batch are drawn at once, on the device of
            its images: the same distribution, except that colours are not rounded to
            whole numbers after each step; several times as fast at 32 px.

    Raises:
        ValueError: If ``min_scale`` or a probability is out of range.

    Source: the recipes of Cha et al. 2024, arXiv 2306.05101, those of CaSSLe.
    """
    if not 0 < min_scale <= 1:
        raise ValueError(f"min_scale must be above 0 and at most 1, got {min_scale}")
    for name, chances in {"blur": blur, "solarize": solarize}.items():
        if len(chances) != 2 or not all(0 <= chance <= 1 for chance in chances):
            raise ValueError(
                f"{name} must be two probabilities, of the first and of the second "
                f"view, got {chances}"
            )

    def steps(blurred: float, solarized: float) -> tuple[Step, ...]:
        return (
            RandomResizedCrops(size, (min_scale, 1.0), flip),
            batch.Jitter(jitter_probability, jitter),
            batch.Greyscale(greyscale),
            batch.Blur(blurred, blur_sigma),
            batch.Solarize(solarized),
            batch.Normalize(tuple(mean), tuple(std)),
        )

    def view(blurred: float, solarized: float) -> Compose:
        return Compose(
            [
                RandomResizedCrop(
                    size, (min_scale, 1.0), interpolation=InterpolationMode.BICUBIC
                ),
                RandomApply([ColorJitter(*jitter)], jitter_probability),
                RandomGrayscale(greyscale),
                GaussianBlur(prob=blurred, sigmas=blur_sigma),
                RandomSolarization(prob=solarized),
                RandomHorizontalFlip(flip),
                ToTensor(),
                Normalize(mean, std),
            ]
        )

    first, second = zip(blur, solarize, strict=True)
    if batched:
        return BatchedViews(steps(*first), steps(*second))
    return TwoViews(view(*first), view(*second))
