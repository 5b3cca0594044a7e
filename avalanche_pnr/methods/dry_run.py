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


def infer_feature_dim(
    backbone: nn.Module,
    image_shape: tuple[int, int, int] = (3, 32, 32),
    example_input: Tensor | None = None,
) -> int:
    """Find the size of a backbone's features by a dry run.

    Args:
        backbone: Maps inputs to feature vectors.
        image_shape: Channels, height and width of an image.
        example_input: Inputs of another kind than images, shape (N, ...) and of any
            dtype, to run instead; ``None`` for images.

    Warns:
        UserWarning: If the backbone ends in a classifier.

    Raises:
        ValueError: If the backbone cannot take such inputs, or returns something else
            than (N, F), or images are so small that it sees nothing of them.
    """
    if example_input is None:
        inputs, one = torch.zeros(2, *image_shape), "image"
        name = f"2 images of image_shape={tuple(image_shape)}"
        features = _dry_run(backbone, inputs, name, _advice(image_shape))
    else:
        one = "input"
        name = (
            f"an example_input of shape {tuple(example_input.shape)} and "
            f"{example_input.dtype}"
        )
        if example_input.dim() < 2:
            raise ValueError(f"{name} is no batch: give inputs (N, ...), such as x[:2]")
        features = _dry_run(backbone, example_input, name, _ADVICE_ON_EXAMPLE)
    if not isinstance(features, Tensor) or features.dim() != 2:
        raise ValueError(
            f"{type(backbone).__name__} returns {_described(features)} for {name}, not "
            f"one vector an {one}, a tensor (N, features): {_to_vectors(features)}"
        )
    if example_input is None:
        _check_size(backbone, image_shape)
    _warn_of_classifier(backbone, features.shape[1])
    return features.shape[1]


_ADVICE_ON_EXAMPLE = (
    "give the method an example_input of the shape and dtype of your data, a batch of "
    "it, and a backbone that takes them"
)


def _advice(image_shape: tuple[int, int, int]) -> str:
    """Say what to change where a backbone cannot take images."""
    return (
        "give the method the image_shape=(channels, height, width) of your images "
        "(data.image_size or image_size on the command line), and the backbone their "
        "size if it has one: image_size, with timm img_size or dynamic_img_size=True "
        f"(backbone.img_size={image_shape[-1]} on the command line); where the data "
        "are no images, give it an example_input instead, a batch of them"
    )


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
    """Say how a backbone's output becomes one vector an input."""
    if isinstance(output, Tensor) and output.dim() == 3:
        return "take one token, x[:, 0], or their mean, x.mean(dim=1)"
    if isinstance(output, Tensor):
        return "end it with nn.AdaptiveAvgPool2d(1) and nn.Flatten()"
    return "let its forward(x) return the features alone, if need be in a wrapper"


def _dry_run(backbone: nn.Module, inputs: Tensor, name: str, advice: str) -> Any:
    """Return a backbone's output for some inputs; its modes stay as they are."""
    was_training = {module: module.training for module in backbone.modules()}
    like = next(backbone.parameters(), torch.empty(0))
    dtype = like.dtype if inputs.is_floating_point() else inputs.dtype
    try:
        with torch.no_grad():
            return backbone.eval()(inputs.to(like.device, dtype))
    except (RuntimeError, ValueError, AssertionError, IndexError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"{type(backbone).__name__} cannot take {name} ({reason}): {advice}"
        ) from error
    except Exception as error:  # of a network's own code
        raise ValueError(
            f"{type(backbone).__name__} fails for {name} "
            f"({type(error).__name__}: {error}): look at its forward(x)"
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
        image = torch.zeros(1, channels, TRIED_SIZE, TRIED_SIZE)
        _dry_run(backbone, image, f"an image of {TRIED_SIZE} px", "")
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
