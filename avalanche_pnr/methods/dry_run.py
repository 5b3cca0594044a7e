"""Trying a backbone before training: what it takes, and what it returns."""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

TRIED_SIZE = 64
"""Height and width, in pixels, of the image that shows how far a network reduces."""
TOO_SMALL = 8
"""Images as many times smaller than what a network reduces to 1 px are refused."""


def infer_feature_dim(backbone: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Find the size of a backbone's features by a dry run.

    Args:
        backbone: Maps images to feature vectors.
        image_shape: Channels, height and width of an image.

    Warns:
        UserWarning: If the backbone ends in a classifier.

    Raises:
        ValueError: If the backbone cannot take such images, or returns something else
            than (N, F), or images are so small that it sees nothing of them.
    """
    features = _dry_run(backbone, image_shape)
    if not isinstance(features, Tensor) or features.dim() != 2:
        raise ValueError(
            f"{type(backbone).__name__} returns {_described(features)} for 2 images of "
            f"image_shape={tuple(image_shape)}, not one vector an image, a tensor "
            f"(2, features): {_to_vectors(features)}"
        )
    _check_size(backbone, image_shape)
    _warn_of_classifier(backbone, features.shape[1])
    return features.shape[1]


def _described(output: Any) -> str:
    """Name the kind of a backbone's output, with its shapes."""
    if isinstance(output, Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    kind = type(output).__name__
    if isinstance(output, Mapping):
        return f"{kind} of {', '.join(map(str, output)) or 'nothing'}"
    if isinstance(output, tuple | list):
        return f"{kind} of {', '.join(map(_described, output)) or 'nothing'}"
    return kind


def _to_vectors(output: Any) -> str:
    """Say how a backbone's output becomes one vector an image."""
    if isinstance(output, Tensor) and output.dim() == 3:
        return "take one token, x[:, 0], or their mean, x.mean(dim=1)"
    if isinstance(output, Tensor):
        return "end it with nn.AdaptiveAvgPool2d(1) and nn.Flatten()"
    return "let its forward(x) return the features alone, if need be in a wrapper"


def _dry_run(
    backbone: nn.Module, image_shape: tuple[int, int, int], images: int = 2
) -> Any:
    """Return a backbone's output for some images; its modes stay as they are."""
    was_training = {module: module.training for module in backbone.modules()}
    like = next(backbone.parameters(), torch.empty(0))
    try:
        with torch.no_grad():
            return backbone.eval()(torch.zeros(images, *image_shape).to(like))
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"{type(backbone).__name__} cannot take images of "
            f"image_shape={tuple(image_shape)} ({reason}): give the method the "
            "image_shape=(channels, height, width) of your images (data.image_size or "
            "image_size on the command line), and the backbone their size if it has "
            "one: image_size, with timm img_size or dynamic_img_size=True "
            f"(backbone.img_size={image_shape[-1]} on the command line)"
        ) from error
    except Exception as error:  # of a network's own code
        raise ValueError(
            f"{type(backbone).__name__} fails for {images} images of "
            f"image_shape={tuple(image_shape)} ({type(error).__name__}: {error}): look "
            "at its forward(x)"
        ) from error
    finally:
        for module, mode in was_training.items():
            module.training = mode


def _check_size(backbone: nn.Module, image_shape: tuple[int, int, int]) -> None:
    """Refuse images of which a network of convolutions reduces all to nothing."""
    channels, *sides = image_shape
    if min(sides) * TOO_SMALL > TRIED_SIZE:
        return
    try:
        reduction = _reduction(backbone, channels)
    except ValueError:  # it takes images of one size, which these are
        return
    if min(sides) * TOO_SMALL <= reduction:
        raise ValueError(
            f"{type(backbone).__name__} makes images {reduction} times smaller, and of "
            f"image_shape={tuple(image_shape)} nothing is left to see: choose images "
            f"of {reduction} px or more (on the command line data.image_size or "
            f"image_size={reduction}), or another backbone"
        )


def _reduction(backbone: nn.Module, channels: int) -> int:
    """How many times smaller than an image a backbone's last feature map is."""
    sizes: list[int] = []

    def note(_: nn.Module, __: Any, output: Tensor) -> None:
        sizes.append(output.shape[-1])

    layers = [each for each in backbone.modules() if isinstance(each, nn.Conv2d)]
    hooks = [each.register_forward_hook(note) for each in layers]
    try:
        _dry_run(backbone, (channels, TRIED_SIZE, TRIED_SIZE), images=1)
    finally:
        for hook in hooks:
            hook.remove()
    # Maps of 1 px may come after pooling, as in squeeze-and-excitation.
    return TRIED_SIZE // min([TRIED_SIZE, *(each for each in sizes if each > 1)])


CLASSIFIERS = ("fc", "classifier", "head", "heads")
"""Names in torchvision and timm of the layers after the features."""


def _warn_of_classifier(backbone: nn.Module, features: int) -> None:
    layers = {n: m for n, m in backbone.named_modules() if isinstance(m, nn.Linear)}
    name = next(reversed(layers), "")
    top = name.partition(".")[0]
    if top in CLASSIFIERS and layers[name].out_features == features:
        warnings.warn(
            f"{type(backbone).__name__} ends in a classifier, {name}, whose "
            f"{features} class scores are taken for features: write "
            f"backbone.{top} = nn.Identity(), with timm num_classes=0",
            stacklevel=4,
        )
