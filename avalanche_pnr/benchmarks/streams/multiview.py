"""Two views in the train stream of any Avalanche benchmark."""

from copy import copy
from typing import Any

import torch
from avalanche.benchmarks import CLScenario, EagerCLStream
from PIL import Image
from torch import Tensor
from torchvision.transforms import Compose
from torchvision.transforms.functional import to_pil_image

from avalanche_pnr.benchmarks.streams.cutting import check_transformed
from avalanche_pnr.benchmarks.streams.raw_images import raw_images
from avalanche_pnr.random_state import preserve_random_state
from avalanche_pnr.transforms import ViewsTransform


def with_multiview(benchmark: CLScenario, transform: ViewsTransform) -> CLScenario:
    """Give a benchmark two views in training, whatever it trained on before.

    For Avalanche's classic benchmarks (SplitCIFAR100, SplitTinyImageNet, CORe50,
    CLEAR, ...) and those of its generators::

        benchmark = with_multiview(SplitCIFAR100(10), TwoViews(view))

    The views are made of the raw images, as RGB PIL images whatever they were: the
    train transform that the benchmark came with is replaced. Transforms that are
    frozen, such as those of PermutedMNIST, are a part of the raw image. The "eval"
    group stays, for probes, which are fitted to the train stream. Targets, task
    labels, the timeline of classes and all other streams stay as well.

    Args:
        benchmark: A benchmark with a train stream of labelled images, PIL or tensors
            (C, H, W) of dtype uint8 or with values in 0..1. It is not changed.
        transform: Stacked views of an RGB PIL image, (2, C, H, W), or those of a whole
            batch, which are made on the CPU here.

    Returns:
        A new benchmark of the same streams.

    Raises:
        ValueError: If there is no train stream, its samples are no images, the
            transform does not return two views, or the benchmark's eval transform
            does not return a tensor (C, H, W) of as many channels.
    """
    streams = benchmark.streams
    if "train" not in streams:
        raise ValueError(
            "with_multiview needs a benchmark with a stream named train, got "
            f"{', '.join(streams) or 'no stream'}: name the stream to learn from so"
        )
    experiences = [
        _with_views(experience, transform) for experience in streams["train"]
    ]
    streams["train"] = EagerCLStream("train", experiences)
    return CLScenario(list(streams.values()))


def _with_views(experience: Any, transform: ViewsTransform) -> Any:
    """A copy of the experience with another train group."""
    train_transform = Compose([_as_rgb, transform])
    raw = raw_images(experience.dataset, "train")
    with preserve_random_state():
        views, plain = train_transform(raw[0][0]), raw.eval()[0][0]
    check_transformed(views, plain, "transform", "the benchmark's eval_transform")
    groups = {"train": (train_transform, None), "eval": (None, None)}
    viewed = copy(experience)
    viewed._dataset = type(raw)([raw], transform_groups=groups)
    return viewed


def _as_rgb(image: Any) -> Image.Image:
    if isinstance(image, Tensor):
        image = to_pil_image(_as_bytes(image))
    if not isinstance(image, Image.Image):
        raise ValueError(
            "with_multiview needs raw images, PIL or tensors (C, H, W), but the "
            f"benchmark's data set gives a {type(image).__name__}"
        )
    return image.convert("RGB")


def _as_bytes(image: Tensor) -> Tensor:
    fits = image.dtype == torch.uint8 or 0 <= image.min() <= image.max() <= 1
    if image.dim() != 3 or not fits:
        raise ValueError(
            "with_multiview needs raw images, PIL or tensors (C, H, W) with values in "
            f"0..1, but the benchmark's data set gives {tuple(image.shape)} from "
            f"{image.min():.3g} to {image.max():.3g}: features have no views, and "
            "normalising belongs in the transforms"
        )
    return image if image.dtype == torch.uint8 else (image * 255).round().byte()
