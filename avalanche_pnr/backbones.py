"""Backbones: torchvision's ResNets and a ViT-Tiny, and a small ResNet for CPUs."""

import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.vision_transformer import VisionTransformer


def resnet18(small_images: bool = True) -> ResNet:
    """Make a ResNet-18 without classifier: images (N, 3, H, W) to features (N, 512).

    Args:
        small_images: Whether to use the stem for images of about 32 px, a 3x3
            convolution with stride 1 and padding 2 and no max-pool.
    """
    return _without_classifier(torchvision.models.resnet18(), small_images)


def resnet34(small_images: bool = True) -> ResNet:
    """Make a ResNet-34 without classifier: images (N, 3, H, W) to features (N, 512).

    Args:
        small_images: As for :func:`resnet18`.
    """
    return _without_classifier(torchvision.models.resnet34(), small_images)


def resnet50(small_images: bool = True) -> ResNet:
    """Make a ResNet-50 without classifier: images (N, 3, H, W) to features (N, 2048).

    Args:
        small_images: As for :func:`resnet18`.
    """
    return _without_classifier(torchvision.models.resnet50(), small_images)


def _without_classifier(model: ResNet, small_images: bool) -> ResNet:
    model.fc = nn.Identity()
    if small_images:
        model.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=2, bias=False)
        nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out")
        model.maxpool = nn.Identity()
    return model


def resnet_small(width: int = 128, stem_stride: int = 1) -> nn.Sequential:
    """Make a narrow ResNet-10 for images of 8 to 32 px on a CPU.

    Four stages of one block with ``width / 8`` to ``width`` channels; each but the
    first halves the resolution. Images (N, 3, H, W) to features (N, width).

    Args:
        width: Size of the features, a multiple of 8.
        stem_stride: Stride of the first convolution; 2 costs a quarter, for 32 px.

    Raises:
        ValueError: If the width is not a multiple of 8.
    """
    if width < 8 or width % 8:
        raise ValueError(
            f"width={width} must be a multiple of 8, such as 64 (backbone.width=64)"
        )
    channels = width // 8
    layers: list[nn.Module] = [
        nn.Conv2d(3, channels, 3, stem_stride, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        BasicBlock(channels, channels),
    ]
    while channels < width:
        # The pooling takes every second pixel, as a convolution of stride 2 would:
        # with few channels that overruns its memory, see `Precision.channels_last`.
        shortcut = nn.Sequential(
            nn.AvgPool2d(1, stride=2),
            nn.Conv2d(channels, 2 * channels, 1, bias=False),
            nn.BatchNorm2d(2 * channels),
        )
        layers.append(BasicBlock(channels, 2 * channels, 2, shortcut))
        channels *= 2
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def vit_tiny(image_size: int = 32, patch_size: int = 4) -> VisionTransformer:
    """Make a ViT-Tiny without classifier: the class token of 12 layers of width 192.

    Square images (N, 3, image_size, image_size) to features (N, 192).

    Args:
        image_size: Height and width of the images.
        patch_size: Height and width of a patch, one token each; 16 for 224 px.

    Raises:
        ValueError: If the patches do not tile the image.

    Source: Touvron et al. 2021, arXiv 2012.12877, table 1.
    """
    if min(image_size, patch_size) < 1 or image_size % patch_size:
        raise ValueError(
            f"image_size={image_size} must be a multiple of patch_size={patch_size}: "
            "change one of them"
        )
    model = VisionTransformer(
        image_size, patch_size, num_layers=12, num_heads=3, hidden_dim=192, mlp_dim=768
    )
    model.heads = nn.Identity()
    return model
